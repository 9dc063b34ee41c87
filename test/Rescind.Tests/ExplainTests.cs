namespace Rescind.Tests;

/// <summary>"Why was this token not accepted?" has an answer for every reason there is.</summary>
public sealed class ExplainTests
{
    private const string Issuer = TestWorld.Issuer;

    [Theory]
    [InlineData(RuleKind.Token, "token-1")]
    [InlineData(RuleKind.Session, "session-of-user-1")]
    [InlineData(RuleKind.Subject, "user-1")]
    [InlineData(RuleKind.Client, "app")]
    [InlineData(RuleKind.Key, "key-1")]
    [InlineData(RuleKind.Issuer, Issuer)]
    public async Task A_rule_without_a_record_is_named_by_what_it_hits(RuleKind kind, string value)
    {
        var world = await TestWorld.LoadedAsync();
        await world.Blacklist.RevokeAsync(Revocation.Of(kind, Issuer, value));
        var elsewhere = world.NewNode();
        await elsewhere.LoadAsync();

        var explanation = await elsewhere.ExplainAsync(world.Token());

        Assert.Equal("A live revocation matches.", explanation.Because);
        var rule = Assert.Single(explanation.Rules);
        Assert.Equal((kind, Issuer, value, "not_recorded"), (rule.Kind, rule.Issuer, rule.Value, rule.Reason));
    }

    [Fact]
    public async Task An_accepted_token_is_explained_by_fresh_knowledge()
    {
        var world = await TestWorld.LoadedAsync();
        var explanation = await world.Blacklist.ExplainAsync(world.Token());
        Assert.Equal(Verdict.Accepted, explanation.Verdict);
        Assert.Equal("No live revocation matches, and this node's knowledge is fresh.", explanation.Because);
        Assert.Empty(explanation.Rules);
    }

    [Fact]
    public async Task A_token_without_an_identity_is_explained_by_that()
    {
        var world = await TestWorld.LoadedAsync();
        TokenFacts[] nameless = [world.Token() with { TokenId = "" }, world.Token() with { Issuer = null! }];
        foreach (var token in nameless)
        {
            Assert.Equal(
                "The token has no identity that could be looked up.",
                (await world.Blacklist.ExplainAsync(token)).Because);
        }
    }

    [Fact]
    public async Task A_node_that_has_read_nothing_or_not_for_long_explains_by_that()
    {
        var world = new TestWorld(shared: true);
        const string Stale = "This node's knowledge is older than the freshness bound, or its clock was set back since.";
        Assert.Equal(Stale, (await world.Blacklist.ExplainAsync(world.Token())).Because);
        await world.Blacklist.LoadAsync();
        Assert.NotEqual(Stale, (await world.Blacklist.ExplainAsync(world.Token())).Because);
        world.Clock.Advance(world.Options.Freshness + TimeSpan.FromMilliseconds(1));
        Assert.Equal(Stale, (await world.Blacklist.ExplainAsync(world.Token())).Because);
        await world.Blacklist.LoadAsync();
        world.Clock.StepWall(-world.Options.Freshness);
        Assert.Equal(Stale, (await world.Blacklist.ExplainAsync(world.Token())).Because);
    }

    [Fact]
    public async Task A_token_that_cannot_be_judged_is_explained_by_its_own_fault()
    {
        var world = await TestWorld.LoadedAsync();
        var token = world.Token();
        (TokenFacts Token, string Word)[] doubtful =
        [
            (token with { ExpiresAt = null }, "no exp"),
            (token with { ExpiresAt = world.Now.AddDays(8) }, "longer than LongestTokenLifetime"),
            (token with { IssuedAt = null, ExpiresAt = world.Now.AddDays(8) }, "longer than LongestTokenLifetime"),
            (token with { IssuedAt = world.Now.AddSeconds(4), ExpiresAt = world.Now.AddMinutes(5) }, "in the future"),
        ];
        foreach (var (one, word) in doubtful)
        {
            Assert.Contains(
                word, (await world.Blacklist.ExplainAsync(one)).Because, StringComparison.Ordinal);
        }
    }
}
