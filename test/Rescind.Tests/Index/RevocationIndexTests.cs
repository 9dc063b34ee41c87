using CsCheck;

namespace Rescind.Tests;

/// <summary>Live is revoked minus lifted, in whatever order and however often entries arrive.</summary>
public sealed class RevocationIndexTests
{
    private static readonly DateTimeOffset Expiry = DateTimeOffset.FromUnixTimeSeconds(2_000_000_000);

    [Fact]
    public void Order_and_repetition_of_entries_never_matter()
    {
        LogEntry[] all =
        [
            Token("a", 1), Token("a", 2), Token("b", 1), Subject("u", 1, 100), Subject("u", 2, 200),
            Lift(Token("a", 1)), Lift(Subject("u", 2, 200)), Lift(Token("c", 1)), Token("c", 1),
        ];
        var expected = State(all);
        Gen.Int[0, all.Length - 1].Array[0, 12].Select(Gen.Shuffle(all), (extra, order) => (extra, order))
            .Try(run => Assert.Equal(expected, State([.. run.order, .. run.extra.Select(i => all[i])])), 100);
        Assert.Equal("a:2 b:1 c:0 u:1@100", expected);
    }

    [Fact]
    public void Entries_give_back_all_that_was_taken()
    {
        LogEntry[] all =
        [
            Token("a", 1), Token("b", 1), Subject("u", 1, 100), Lift(Token("b", 1)),
            Token("s", 1, RuleKind.Session), Lift(Subject("v", 1, 5)),
        ];
        var index = new RevocationIndex();
        index.Apply(all);
        var given = Enumerable.Range(0, TokenTable.ShardCount + 1).SelectMany(index.Entries).ToArray();
        Assert.Equal(
            all.Where(entry => entry != Token("b", 1)).Select(entry => entry.ToString()).Order(),
            given.Select(entry => entry.ToString()).Order());
    }

    [Fact]
    public void What_expired_is_forgotten_and_what_lives_is_not()
    {
        var index = new RevocationIndex();
        var soon = Expiry.AddSeconds(-10);
        index.Apply([
            Token("old", 1) with { ExpiresAt = soon }, Token("new", 1), Subject("u", 1, 5) with { ExpiresAt = soon },
            Subject("w", 1, 5), Lift(Token("x", 1)) with { ExpiresAt = soon },
            Subject("ever", 1, 5) with { ExpiresAt = DateTimeOffset.MaxValue },
        ]);
        for (var part = 0; part <= TokenTable.ShardCount; part++)
        {
            index.Forget(part, soon.ToUnixTimeSeconds() + 1);
        }
        var left = Enumerable.Range(0, TokenTable.ShardCount + 1).SelectMany(index.Entries).ToArray();
        Assert.Equal(3, left.Length);
        Assert.Equal(soon.ToUnixTimeSeconds(), index.Horizon);
        Assert.Equal((1, 2), (index.CountOf(RuleKind.Token), index.CountOf(RuleKind.Subject)));
    }

    [Fact]
    public void Ten_thousand_rules_of_one_user_stay_cheap()
    {
        var index = new RevocationIndex();
        var rules = Enumerable.Range(1, 10_000).Select(i => Subject("u", (uint)i, i)).ToArray();
        index.Apply(rules);
        var token = new TokenFacts
        {
            Issuer = "i", TokenId = "t", Subject = "u", IssuedAt = DateTimeOffset.FromUnixTimeSeconds(10_000),
        };
        Assert.True(index.Matches(token));
        index.Apply([Lift(rules[^1])]);
        Assert.False(index.Matches(token));
        Assert.Equal(9_999, index.CountOf(RuleKind.Subject));
    }

    private static string State(LogEntry[] entries)
    {
        var index = new RevocationIndex();
        index.Apply(entries);
        var tokens = new[] { "a", "b", "c" }.Select(id =>
            $"{id}:{string.Join(',', index.Find(RuleKind.Token, "i", id).Select(found => found.Tag).Order().DefaultIfEmpty())}");
        var subjects = index.Find(RuleKind.Subject, "i", "u").Select(id => id.Tag).Order();
        var cutoff = index.LatestCutoff(new TokenFacts { Issuer = "i", TokenId = "t", Subject = "u" });
        return $"{string.Join(' ', tokens)} u:{string.Join(',', subjects)}@{cutoff}";
    }

    private static LogEntry Token(string id, uint tag, RuleKind kind = RuleKind.Token) => new()
    {
        Id = new RevocationId(kind, TokenKey.Of(kind, "i", id), tag), ExpiresAt = Expiry,
    };

    private static LogEntry Subject(string id, uint tag, long cutoff) => new()
    {
        Id = new RevocationId(RuleKind.Subject, TokenKey.Of(RuleKind.Subject, "i", id), tag), ExpiresAt = Expiry,
        Cutoff = cutoff, Issuer = "i", Value = id,
    };

    private static LogEntry Lift(LogEntry entry) => new() { Id = entry.Id, ExpiresAt = entry.ExpiresAt, IsLift = true };
}
