namespace Rescind.Tests;

/// <summary>How far cutoffs and stamps run ahead of the clock, and for how long rules are kept for it.</summary>
public sealed class CutoffReachTests
{
    private const string Issuer = TestWorld.Issuer;

    [Fact]
    public async Task Revoking_many_clients_at_once_reaches_no_further_than_revoking_one()
    {
        var world = await TestWorld.LoadedAsync();
        for (var i = 0; i < 100; i++)
        {
            await world.Blacklist.RevokeAsync(Revocation.OfClient(Issuer, "client-" + i));
        }
        world.Clock.Advance(TimeSpan.FromSeconds(4));
        Assert.Equal(Verdict.Accepted, world.Blacklist.Check(world.Token() with { Client = "client-99" }));
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task However_many_cutoffs_are_made_in_a_row_the_next_log_in_is_seconds_away(bool areLifted)
    {
        var world = await TestWorld.LoadedAsync();
        var subject = Revocation.OfSubject(Issuer, "user-1");
        for (var i = 0; i < 100; i++)
        {
            var made = await world.Blacklist.RevokeAsync(subject);
            await (areLifted ? world.Blacklist.LiftAsync([made.Id], "restored", "admin").AsTask() : Task.CompletedTask);
        }
        await world.Blacklist.RevokeAsync(subject);
        Assert.Equal(DateTimeOffset.MaxValue, world.Blacklist.EarliestIssueTime(world.Token()));

        // As soon as anything is issued, the next cutoff reaches past it.
        world.Clock.Advance(TimeSpan.FromSeconds(3));
        var earliest = world.Blacklist.EarliestIssueTime(world.Token());
        Assert.Equal(world.Now.AddSeconds(22), earliest);
        var token = world.Token() with { IssuedAt = earliest, AuthenticatedAt = earliest };
        Assert.Equal(Verdict.Accepted, world.Blacklist.Check(token));
        await world.Blacklist.RevokeAsync(subject);
        Assert.Equal(Verdict.Revoked, world.Blacklist.Check(token));
        world.Clock.Advance(TimeSpan.FromSeconds(25));
        Assert.Equal(world.Now, world.Blacklist.EarliestIssueTime(world.Token()));
    }

    /// <summary>"All log-ins before the breach": tokens that were refreshed since live on.</summary>
    [Fact]
    public async Task A_cutoff_of_long_ago_is_kept_for_the_tokens_of_today()
    {
        var world = await TestWorld.LoadedAsync(options => options.TokensCarryIssuedAt = true);
        await world.Blacklist.RevokeAsync(
            Revocation.OfSubject(Issuer, "user-1") with { IssuedBefore = world.Now.AddDays(-8) });
        var refreshed = world.Token() with
        {
            AuthenticatedAt = world.Now.AddDays(-9), ExpiresAt = world.Now + world.Options.LongestTokenLifetime,
        };
        world.Clock.Advance(world.Options.LongestTokenLifetime);
        await world.Blacklist.CompactAsync(TestContext.Current.CancellationToken);
        Assert.Equal(Verdict.Revoked, world.Blacklist.Check(refreshed));
    }

    /// <summary>The issuer's clock was ahead by what is allowed, so the token ends later than one that is issued now.</summary>
    [Fact]
    public async Task A_session_rule_is_kept_for_a_token_that_was_stamped_ahead()
    {
        var world = await TestWorld.LoadedAsync();
        await world.Blacklist.RevokeAsync(Revocation.OfSession(Issuer, "s"));
        var issued = world.Now + world.Options.IssuerClockDifference;
        var token = world.Token() with
        {
            Session = "s", IssuedAt = issued, ExpiresAt = issued + world.Options.LongestTokenLifetime,
        };
        world.Clock.Advance(token.ExpiresAt.Value + world.Options.ClockSkew - world.Now);
        await world.Blacklist.CompactAsync(TestContext.Current.CancellationToken);
        Assert.Equal(Verdict.Revoked, world.Blacklist.Check(token));
    }

    /// <summary>Somebody wrote to the log.</summary>
    [Fact]
    public async Task A_horizon_at_the_end_of_the_calendar_makes_tokens_unknown()
    {
        var world = new TestWorld(shared: true);
        world.Log.Twist = batch => batch with { Horizon = DateTimeOffset.MaxValue };
        await world.Blacklist.LoadAsync(TestContext.Current.CancellationToken);
        Assert.Equal(Verdict.Unknown, world.Blacklist.Check(world.Token()));
    }

    /// <summary>Once anything was forgotten, the end of a token is compared with what was.</summary>
    [Fact]
    public async Task A_token_that_ends_with_the_calendar_is_unknown_also_after_something_was_forgotten()
    {
        var world = await TestWorld.LoadedAsync();
        await world.Blacklist.RevokeAsync(Revocation.OfToken(Issuer, "other", world.Now.AddMinutes(1)));
        world.Clock.Advance(TimeSpan.FromMinutes(10));
        await world.Blacklist.CompactAsync(TestContext.Current.CancellationToken);
        Assert.NotEqual(0, world.Blacklist.Index.Horizon);
        Assert.Equal(Verdict.Unknown, world.Blacklist.Check(world.Token() with { ExpiresAt = DateTimeOffset.MaxValue }));
    }
}
