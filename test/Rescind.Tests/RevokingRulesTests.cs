namespace Rescind.Tests;

/// <summary>From a decision to a line of the log, at every edge.</summary>
public sealed class RevokingRulesTests
{
    private static readonly DateTimeOffset Now = new(2026, 1, 1, 12, 0, 0, TimeSpan.Zero);

    private static readonly RevocationId Id = new(RuleKind.Token, 9, 9);

    private static readonly BlacklistOptions Options = new()
    {
        LongestTokenLifetime = TimeSpan.FromDays(3), ClockSkew = TimeSpan.FromMinutes(7),
        IssuerClockDifference = TimeSpan.FromSeconds(2), TokensCarryIssuedAt = true,
    };

    private readonly Revoking _revoking = new(Options);

    [Theory]
    [InlineData("a", true)]
    [InlineData("z", true)]
    [InlineData("0", true)]
    [InlineData("9", true)]
    [InlineData("_", true)]
    [InlineData("stolen_phone_2", true)]
    [InlineData("", false)]
    [InlineData(null, false)]
    [InlineData("`", false)] // before a
    [InlineData("{", false)] // behind z
    [InlineData("/", false)] // before 0
    [InlineData(":", false)] // behind 9
    [InlineData("A", false)]
    [InlineData("two words", false)]
    public void A_reason_is_a_word(string? reason, bool isGood) => Assert.Equal(isGood, Revoking.FaultOfReason(reason) is null);

    [Theory]
    [InlineData(64, true)]
    [InlineData(65, false)]
    public void A_reason_has_at_most_64_letters(int length, bool isGood) =>
        Assert.Equal(isGood, Revoking.FaultOfReason(new string('a', length)) is null);

    [Fact]
    public void Of_several_faults_the_first_in_a_stated_order_is_named()
    {
        var id = new RevocationId(RuleKind.Token, 1, 1);
        Revocation Wrong(string issuer, string value) => Revocation.OfSubject(issuer, value) with
        {
            Actor = "\n", Note = "\n", Reason = "\n", IssuedBefore = Now.AddYears(1), Id = id,
        };
        Assert.StartsWith("issuer ", _revoking.Fault(Wrong("\n", "\n"), Now), StringComparison.Ordinal);
        Assert.StartsWith("value ", _revoking.Fault(Wrong("i", "\n"), Now), StringComparison.Ordinal);
        var wrong = Wrong("i", "u");
        (string Name, Func<Revocation, Revocation> Mend)[] order =
        [
            ("actor", one => one with { Actor = "a" }), ("note", one => one with { Note = null }),
            ("reason", one => one with { Reason = "r" }), ("issued_before", one => one with { IssuedBefore = Now }),
            ("id", one => one with { Id = default }),
        ];
        foreach (var (name, mend) in order)
        {
            Assert.StartsWith(name + " ", _revoking.Fault(wrong, Now), StringComparison.Ordinal);
            wrong = mend(wrong);
        }
        Assert.Null(_revoking.Fault(wrong, Now));
    }

    [Fact]
    public void A_cutoff_lies_between_1970_and_the_difference_that_clocks_may_have()
    {
        var rule = Revocation.OfSubject("i", "u");
        Assert.Null(_revoking.Fault(rule with { IssuedBefore = DateTimeOffset.UnixEpoch }, Now));
        Assert.Null(_revoking.Fault(rule with { IssuedBefore = Now.AddSeconds(2) }, Now));
        Assert.NotNull(_revoking.Fault(rule with { IssuedBefore = DateTimeOffset.UnixEpoch.AddTicks(-1) }, Now));
        Assert.NotNull(_revoking.Fault(rule with { IssuedBefore = Now.AddSeconds(2).AddTicks(1) }, Now));
    }

    [Fact]
    public void An_expiry_may_be_1970_and_not_before()
    {
        Assert.Null(_revoking.Fault(Revocation.OfToken("i", "t", DateTimeOffset.UnixEpoch), Now));
        Assert.Equal(
            "expires_at must not lie before 1970.",
            _revoking.Fault(Revocation.OfToken("i", "t", DateTimeOffset.UnixEpoch.AddTicks(-1)), Now));
    }

    [Fact]
    public void A_lift_may_be_anonymous_and_of_two_faults_the_reason_is_named()
    {
        RevocationId[] ids = [new(RuleKind.Token, 1, 1)];
        _revoking.CheckLift(ids, "restored", "");
        var refused = Assert.Throws<ArgumentException>(() => _revoking.CheckLift(ids, "\n", "\n"));
        Assert.StartsWith("reason ", refused.Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(RuleKind.Token, false)]
    [InlineData(RuleKind.Session, false)]
    [InlineData(RuleKind.Key, false)]
    [InlineData(RuleKind.Subject, true)]
    [InlineData(RuleKind.Client, true)]
    [InlineData(RuleKind.Issuer, true)]
    public void Only_rules_of_issued_before_get_a_cutoff(RuleKind kind, bool hasCutoff)
    {
        var made = Made(kind);
        Assert.Equal(hasCutoff ? Now.AddSeconds(5 + 2) : null, made.IssuedBefore);
        Assert.Equal((Now, Id), (made.MadeAt, made.Id));
        var asked = Rule(kind) with { IssuedBefore = Now.AddDays(-1) };
        Assert.Equal(hasCutoff ? Now.AddDays(-1) : null, _revoking.Complete(asked, Now, Now, 0, Id).IssuedBefore);

        // This node's clock is an hour ahead of the log's.
        var ahead = Rule(kind) with { IssuedBefore = Now };
        Assert.Equal(
            hasCutoff ? Now.AddHours(-1).AddSeconds(2) : null,
            _revoking.Complete(ahead, Now, Now.AddHours(-1), 0, Id).IssuedBefore);
    }

    [Fact]
    public void An_expiry_at_the_end_of_the_calendar_may_be_told_in_any_time_zone()
    {
        var last = new DateTimeOffset(9999, 12, 31, 23, 59, 59, TimeSpan.FromHours(14));
        var rule = Revocation.OfToken("i", "t", last);
        Assert.Null(_revoking.Fault(rule, Now));
        Assert.Equal(DateTimeOffset.MaxValue, _revoking.Entry(_revoking.Complete(rule, Now, Now, 0, Id), Now).ExpiresAt);
    }

    /// <summary>Nothing is stamped further ahead than twice the difference and 20 seconds.</summary>
    [Theory]
    [InlineData(1, 2)]
    [InlineData(2, 3)]
    [InlineData(22, 23)]
    [InlineData(23, 24)]
    [InlineData(24, 24)]
    [InlineData(60, 24)]
    public void A_cutoff_steps_past_the_one_before_it_as_far_as_anything_is_stamped(int before, int reaches)
    {
        var stepped = Now.AddSeconds(before).ToUnixTimeSeconds();
        Assert.Equal(
            Now.AddSeconds(reaches), _revoking.Complete(Rule(RuleKind.Subject), Now, Now, stepped, Id).IssuedBefore);
    }

    [Theory]
    [InlineData(RuleKind.Token)]
    [InlineData(RuleKind.Session)]
    [InlineData(RuleKind.Subject)]
    [InlineData(RuleKind.Client)]
    [InlineData(RuleKind.Issuer)]
    [InlineData(RuleKind.Key)]
    public void A_line_of_the_log_lives_as_long_as_any_token_that_it_may_hit(RuleKind kind)
    {
        var latest = Now.AddSeconds(30);
        var made = Made(kind);
        var entry = _revoking.Entry(made, latest);
        var longest = TimeSpan.FromDays(3) + TimeSpan.FromSeconds(24)
            + (kind == RuleKind.Token ? TimeSpan.Zero : TimeSpan.FromDays(1) + TimeSpan.FromSeconds(2)); // what others refresh unheard
        Assert.Equal(kind == RuleKind.Key ? DateTimeOffset.MaxValue : latest + longest, entry.ExpiresAt);
        var isHashed = kind is RuleKind.Token or RuleKind.Session;
        Assert.Equal((isHashed ? null : made.Issuer, isHashed ? null : made.Value), (entry.Issuer, entry.Value));
        Assert.Equal(
            kind == RuleKind.Key ? DateTimeOffset.MaxValue : made.IssuedBefore ?? DateTimeOffset.UnixEpoch, entry.IssuedBefore);
    }

    /// <summary>With tokens of minutes, session rules would mostly be kept for outages otherwise.</summary>
    [Fact]
    public void A_rule_is_kept_for_an_outage_of_at_most_a_token_lifetime()
    {
        var revoking = new Revoking(new BlacklistOptions
        {
            LongestTokenLifetime = TimeSpan.FromMinutes(15), Freshness = TimeSpan.FromMinutes(1),
        });
        var made = revoking.Complete(Rule(RuleKind.Session), Now, Now, 0, Id);
        Assert.Equal(Now.AddMinutes(15 + 15 + 2).AddSeconds(24), revoking.Entry(made, Now).ExpiresAt);
    }

    [Fact]
    public void A_tokens_own_expiry_counts_without_the_skew()
    {
        var made = _revoking.Complete(Revocation.OfToken("i", "t", Now.AddMinutes(1)), Now, Now, 0, Id);
        Assert.Equal(Now.AddMinutes(1), _revoking.Entry(made, Now).ExpiresAt);
        made = made with { ExpiresAt = DateTimeOffset.MaxValue };
        Assert.Equal(DateTimeOffset.MaxValue, _revoking.Entry(made, Now).ExpiresAt);
    }

    [Fact]
    public void Without_iat_on_every_token_a_cutoff_never_ends()
    {
        var revoking = new Revoking(new BlacklistOptions());
        var made = revoking.Complete(Rule(RuleKind.Subject), Now, Now, 0, Id);
        Assert.Equal(DateTimeOffset.MaxValue, revoking.Entry(made, Now).ExpiresAt);
    }

    /// <summary>The log's clock is five seconds ahead.</summary>
    private Revocation Made(RuleKind kind) => _revoking.Complete(Rule(kind), Now, Now.AddSeconds(5), 0, Id);

    private static Revocation Rule(RuleKind kind) => kind switch
    {
        RuleKind.Token => Revocation.OfToken("i", "t"),
        RuleKind.Session => Revocation.OfSession("i", "s"),
        RuleKind.Subject => Revocation.OfSubject("i", "u"),
        RuleKind.Client => Revocation.OfClient("i", "c"),
        RuleKind.Key => Revocation.OfKey("i", "k"),
        _ => Revocation.OfIssuer("i"),
    };
}
