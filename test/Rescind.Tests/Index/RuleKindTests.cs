namespace Rescind.Tests;

/// <summary>What each kind of rule hits, what is said of it, and when it is forgotten.</summary>
public sealed class RuleKindTests
{
    private const uint Expiry = 2_000_000_000;
    private const long Cutoff = 1_000;

    private readonly RevocationIndex _index = new();

    public static TheoryData<RuleKind> Kinds => [.. RevocationIndex.Kinds()];

    public static TheoryData<RuleKind> Cutoffs => [RuleKind.Subject, RuleKind.Client, RuleKind.Key, RuleKind.Issuer];

    [Theory]
    [MemberData(nameof(Kinds))]
    public void A_rule_hits_what_it_names_until_it_is_lifted(RuleKind kind)
    {
        var (rule, other) = (Rule(kind, Named(kind)), Rule(kind, "another"));
        _index.Apply([rule, other]);

        Assert.True(_index.Matches(Token));
        Assert.False(_index.Matches(Stranger));
        Assert.Equal([rule.Id], _index.FindMatches(Token));
        Assert.Empty(_index.FindMatches(Stranger));
        Assert.Equal([rule.Id], _index.Find(kind, "i", Named(kind)));
        Assert.Equal((2, 2), (_index.CountOf(kind), _index.Count));
        Assert.Equal(Expiry, _index.EntryOf(rule.Id)?.Expiry);
        Assert.Null(_index.EntryOf(rule.Id with { Tag = 9 })?.Expiry);

        _index.Apply([Lift(rule, Expiry), Lift(rule, Expiry)]);
        Assert.False(_index.Matches(Token));
        Assert.Empty(_index.FindMatches(Token));
        Assert.Empty(_index.Find(kind, "i", Named(kind)));
        Assert.Equal((1, 1), (_index.CountOf(kind), _index.Count));
        Assert.Null(_index.EntryOf(rule.Id)?.Expiry);

        _index.Apply([rule, Lift(other, Expiry)]);
        Assert.False(_index.Matches(Token));
        Assert.Equal(0, _index.Count);
    }

    [Theory]
    [MemberData(nameof(Cutoffs))]
    public void A_cutoff_hits_what_was_issued_or_logged_in_until_then(RuleKind kind)
    {
        _index.Apply([Rule(kind, Named(kind))]);

        Assert.Equal(Cutoff, _index.LatestCutoff(Token));
        Assert.Equal(long.MinValue, _index.LatestCutoff(Stranger));
        Assert.True(Matches(Cutoff, null));
        Assert.False(Matches(Cutoff + 1, null));
        Assert.True(Matches(Cutoff + 1, Cutoff));
        Assert.False(Matches(Cutoff + 2, Cutoff + 1));
        Assert.True(Matches(Cutoff, Cutoff + 1));
        Assert.True(Matches(null, Cutoff + 1));

        // Two cutoffs of one target: the later one counts, and once it is lifted the earlier one.
        var later = Rule(kind, Named(kind)) with { Cutoff = Cutoff + 50 };
        later = later with { Id = later.Id with { Tag = 2 } };
        _index.Apply([later]);
        Assert.Equal(Cutoff + 50, _index.LatestCutoff(Token));
        var since = Token with { IssuedAt = At(Cutoff + 1), AuthenticatedAt = null };
        Assert.Equal([later.Id], _index.FindMatches(since));
        Assert.Equal(2, _index.FindMatches(Token with { IssuedAt = At(Cutoff) }).Count);
        _index.Apply([Lift(later, Expiry)]);
        Assert.Equal(Cutoff, _index.LatestCutoff(Token));

        bool Matches(long? issued, long? login)
        {
            var token = Token with
            {
                IssuedAt = issued is { } one ? At(one) : null, AuthenticatedAt = login is { } two ? At(two) : null,
            };
            Assert.Equal(_index.Matches(token), _index.FindMatches(token).Count != 0);
            return _index.Matches(token);
        }
    }

    /// <summary>Which cutoffs an issuer may have stepped over with a token that a new rule must hit.</summary>
    [Theory]
    [InlineData(RuleKind.Subject, RuleKind.Subject, true)]
    [InlineData(RuleKind.Subject, RuleKind.Client, true)]
    [InlineData(RuleKind.Subject, RuleKind.Issuer, true)]
    [InlineData(RuleKind.Subject, RuleKind.Key, false)]
    [InlineData(RuleKind.Client, RuleKind.Subject, true)]
    [InlineData(RuleKind.Client, RuleKind.Client, true)]
    [InlineData(RuleKind.Client, RuleKind.Issuer, true)]
    [InlineData(RuleKind.Client, RuleKind.Key, false)]
    [InlineData(RuleKind.Issuer, RuleKind.Subject, true)]
    [InlineData(RuleKind.Issuer, RuleKind.Issuer, true)]
    public void A_new_rule_reaches_past_what_stepped_over_earlier_ones(RuleKind made, RuleKind before, bool reaches)
    {
        var (rule, revocation) = (Rule(before, Named(before)), Revocation.Of(made, "i", Named(made)));
        var untouched = _index.LatestCutoffBefore(revocation);
        _index.Apply([rule]);
        Assert.Equal(reaches ? Cutoff : untouched, _index.LatestCutoffBefore(revocation));

        // A lift does not take the tokens back.
        _index.Apply([Lift(rule, Expiry)]);
        Assert.Equal(reaches ? Cutoff : untouched, _index.LatestCutoffBefore(revocation));

        // Nor does it where only the lift was heard of, nor where the rule comes after it, nor where this index gave it back.
        var late = new RevocationIndex();
        late.Apply([Lift(rule, Expiry)]);
        Assert.Equal(reaches ? Cutoff : untouched, late.LatestCutoffBefore(revocation));
        late.Apply([rule]);
        var third = new RevocationIndex();
        third.Apply([.. late.Entries(TokenTable.ShardCount)]);
        Assert.Equal((reaches ? Cutoff : untouched, 0), (third.LatestCutoffBefore(revocation), third.Count));
    }

    [Theory]
    [InlineData(0, 5)]
    [InlineData(5, 0)]
    public void The_latest_cutoff_that_was_lifted_counts_whichever_was_lifted_first(int first, int second)
    {
        var (rule, other) = (Rule(RuleKind.Subject, "u"), Rule(RuleKind.Subject, "another"));
        _index.Apply([Lift(rule with { Cutoff = Cutoff + first }, Expiry), Lift(other with { Cutoff = Cutoff + second }, Expiry)]);
        Assert.Equal(Cutoff + 5, _index.LatestCutoffBefore(Revocation.OfSubject("i", "u")));
    }

    [Fact]
    public void A_subjects_rule_does_not_reach_past_another_subjects()
    {
        _index.Apply([Rule(RuleKind.Subject, "another")]);
        Assert.True(_index.LatestCutoffBefore(Revocation.OfSubject("i", "u")) < Cutoff);
        Assert.Equal(Cutoff, _index.LatestCutoffBefore(Revocation.OfClient("i", "c")));
    }

    [Theory]
    [MemberData(nameof(Kinds))]
    public void A_rule_is_forgotten_a_second_after_its_end_and_the_horizon_says_so(RuleKind kind)
    {
        var rule = Rule(kind, Named(kind));
        var eternal = Rule(kind, "another") with { Expiry = LogEntry.Never };
        _index.Apply([rule, eternal]);

        Assert.Equal(0, Forget(0));
        Assert.Equal(0, Forget(Expiry));
        Assert.Equal((2, 0), (_index.CountOf(kind), _index.Horizon));
        Assert.Equal(1, Forget(Expiry + 1));
        Assert.Equal((1, (long)Expiry), (_index.CountOf(kind), _index.Horizon));
        Assert.False(_index.Matches(Token));
        Assert.Equal(0, Forget(long.MaxValue));
        Assert.Equal([eternal.Id], _index.Find(kind, "i", "another"));
    }

    [Fact]
    public void The_horizon_never_goes_back()
    {
        _index.RaiseHorizon(50);
        _index.RaiseHorizon(40);
        Assert.Equal(50, _index.Horizon);
        _index.Apply([
            Rule(RuleKind.Token, "t") with { Expiry = 30 }, Rule(RuleKind.Token, "t2") with { Expiry = 70 },
            Rule(RuleKind.Subject, "u") with { Expiry = 20 }, Rule(RuleKind.Subject, "u2") with { Expiry = 60 },
        ]);
        Assert.Equal(2, Forget(40));
        Assert.Equal(50, _index.Horizon);
        Assert.Equal(2, Forget(80));
        Assert.Equal(70, _index.Horizon);
    }

    [Theory]
    [InlineData(Expiry, Expiry - 100)]
    [InlineData(Expiry - 100, Expiry)]
    public void A_lift_lives_as_long_as_the_longest_that_was_heard_of(uint first, uint second)
    {
        var rule = Rule(RuleKind.Token, "t");
        _index.Apply([Lift(rule, first), Lift(rule, second)]);
        Forget(Expiry);
        _index.Apply([rule]);
        Assert.False(_index.Matches(Token));

        Forget(Expiry + 1);
        _index.Apply([rule]);
        Assert.True(_index.Matches(Token));
    }

    [Fact]
    public void A_lift_that_never_ends_is_never_forgotten()
    {
        var rule = Rule(RuleKind.Token, "t") with { Expiry = LogEntry.Never };
        _index.Apply([Lift(rule, LogEntry.Never)]);
        Forget(long.MaxValue);
        _index.Apply([rule]);
        Assert.False(_index.Matches(Token));
    }

    [Fact]
    public void An_entry_whose_key_is_of_another_kind_is_not_taken()
    {
        var rule = Rule(RuleKind.Token, "t");
        var wrong = rule with { Id = rule.Id with { Kind = RuleKind.Session } };
        Assert.Throws<InvalidDataException>(() => _index.Apply([wrong]));
        Assert.Equal(0, _index.Count);
    }

    [Fact]
    public void Bytes_follow_what_is_held()
    {
        var empty = _index.Bytes;
        _index.Apply([Rule(RuleKind.Subject, "u")]);
        Assert.Equal(empty + 400 + 48, _index.Bytes);
        _index.Apply([Lift(Rule(RuleKind.Subject, "u"), Expiry)]);
        Assert.Equal(empty + 72 + 48 + 48, _index.Bytes);
        _index.Apply([Rule(RuleKind.Token, "t")]);
        Assert.InRange(_index.Bytes, empty + 168 + 24, empty + 168 + 1_000);
    }

    private static TokenFacts Token => new()
    {
        Issuer = "i", TokenId = "t", Session = "s", Subject = "u", Client = "c", KeyId = "k", IssuedAt = At(Cutoff),
        AuthenticatedAt = At(Cutoff),
    };

    private static TokenFacts Stranger => new()
    {
        Issuer = "j", TokenId = "t", Session = "s", Subject = "u", Client = "c", KeyId = "k", IssuedAt = At(Cutoff),
    };

    private static DateTimeOffset At(long seconds) => DateTimeOffset.FromUnixTimeSeconds(seconds);

    private static string Named(RuleKind kind) => kind switch
    {
        RuleKind.Token => "t", RuleKind.Session => "s", RuleKind.Subject => "u", RuleKind.Client => "c",
        RuleKind.Key => "k", _ => "i",
    };

    private static LogEntry Rule(RuleKind kind, string value) => new()
    {
        Id = new RevocationId(kind, TokenKey.Of(kind, "i", value), 1), Expiry = Expiry,
        Cutoff = kind is RuleKind.Token or RuleKind.Session ? 0 : Cutoff,
        Issuer = kind is RuleKind.Token or RuleKind.Session ? null : "i",
        Value = kind is RuleKind.Token or RuleKind.Session ? null : value,
    };

    private static LogEntry Lift(LogEntry rule, uint expiry) => rule.Lift with { Expiry = expiry };

    private int Forget(long expiredBefore) =>
        Enumerable.Range(0, TokenTable.ShardCount + 1).Sum(part => _index.Forget(part, expiredBefore));
}
