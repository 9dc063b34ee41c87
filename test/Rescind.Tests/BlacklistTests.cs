namespace Rescind.Tests;

/// <summary>The façade: the six rules, lifts, receipts and what is refused.</summary>
public sealed class BlacklistTests
{
    private const string Issuer = TestWorld.Issuer;

    public static TheoryData<RuleKind, string> EveryRule => new()
    {
        { RuleKind.Token, "token-1" }, { RuleKind.Session, "session-of-user-1" }, { RuleKind.Subject, "user-1" },
        { RuleKind.Client, "app" }, { RuleKind.Key, "key-1" }, { RuleKind.Issuer, Issuer },
    };

    [Theory]
    [MemberData(nameof(EveryRule))]
    public async Task Revoked_token_is_refused_and_a_lift_by_id_undoes_it(RuleKind kind, string value)
    {
        var world = await TestWorld.LoadedAsync();
        Assert.Equal(Verdict.Accepted, world.Blacklist.Check(world.Token()));

        var receipt = await world.Blacklist.RevokeAsync(Revocation.Of(kind, Issuer, value));
        Assert.Equal(Verdict.Revoked, world.Blacklist.Check(world.Token()));
        Assert.Equal(ReceiptState.Everywhere, receipt.State);
        Assert.Equal(1, world.Blacklist.GetStatus().Rules[kind]);

        Assert.NotNull(await world.Blacklist.LiftAsync([receipt.Id], "restored", "admin"));
        Assert.Equal(Verdict.Accepted, world.Blacklist.Check(world.Token()));
        Assert.Equal(0, world.Blacklist.GetStatus().Rules[kind]);
    }

    [Theory]
    [MemberData(nameof(EveryRule))]
    public async Task A_rule_of_another_issuer_or_value_refuses_nothing(RuleKind kind, string value)
    {
        var world = await TestWorld.LoadedAsync();
        await world.Blacklist.RevokeAsync(Revocation.Of(kind, "https://other.example", value));
        if (kind != RuleKind.Issuer)
        {
            await world.Blacklist.RevokeAsync(Revocation.Of(kind, Issuer, value + "x"));
        }
        Assert.Equal(Verdict.Accepted, world.Blacklist.Check(world.Token()));
    }

    [Theory]
    [InlineData(RuleKind.Subject, "user-1")]
    [InlineData(RuleKind.Client, "app")]
    [InlineData(RuleKind.Issuer, Issuer)]
    public async Task A_token_issued_after_the_cutoff_works_at_once(RuleKind kind, string value)
    {
        var world = await TestWorld.LoadedAsync();
        await world.Blacklist.RevokeAsync(Revocation.Of(kind, Issuer, value));

        var earliest = world.Blacklist.EarliestIssueTime(world.Token());
        Assert.Equal(world.Now.AddSeconds(3), earliest);
        var atCutoff = world.Token() with
        {
            IssuedAt = earliest.AddSeconds(-1), AuthenticatedAt = earliest.AddSeconds(-1),
        };
        Assert.Equal(Verdict.Revoked, world.Blacklist.Check(atCutoff));
        var after = world.Token() with { IssuedAt = earliest, AuthenticatedAt = earliest };
        Assert.Equal(Verdict.Accepted, world.Blacklist.Check(after));
    }

    /// <summary>Found end to end: revoke, log in and revoke again within one second let the log-in between them
    /// live, because its stamp had stepped over the first cutoff and so over the second.</summary>
    [Theory]
    [InlineData(RuleKind.Subject, "user-1", RuleKind.Subject, "user-1")]
    [InlineData(RuleKind.Client, "app", RuleKind.Subject, "user-1")]
    [InlineData(RuleKind.Subject, "user-1", RuleKind.Client, "app")]
    [InlineData(RuleKind.Issuer, Issuer, RuleKind.Subject, "user-1")]
    [InlineData(RuleKind.Subject, "user-1", RuleKind.Issuer, Issuer)]
    [InlineData(RuleKind.Client, "app", RuleKind.Issuer, Issuer)]
    [InlineData(RuleKind.Issuer, Issuer, RuleKind.Issuer, Issuer)]
    public async Task A_revocation_right_after_a_revocation_hits_the_log_in_between(
        RuleKind first, string firstValue, RuleKind second, string secondValue)
    {
        var world = await TestWorld.LoadedAsync();
        for (var round = 0; round < 5; round++)
        {
            await world.Blacklist.RevokeAsync(Revocation.Of(first, Issuer, firstValue));
            var earliest = world.Blacklist.EarliestIssueTime(world.Token());
            var between = world.Token() with { IssuedAt = earliest, AuthenticatedAt = earliest };
            Assert.Equal(Verdict.Accepted, world.Blacklist.Check(between));
            await world.Blacklist.RevokeAsync(Revocation.Of(second, Issuer, secondValue));
            Assert.Equal(Verdict.Revoked, world.Blacklist.Check(between));
        }
    }

    /// <summary>Found by the simulation: the cutoff that the log-in had stepped over was lifted meanwhile.</summary>
    [Fact]
    public async Task A_revocation_after_a_lift_hits_the_log_in_that_stepped_over_the_lifted_one()
    {
        var world = await TestWorld.LoadedAsync();
        var first = await world.Blacklist.RevokeAsync(Revocation.OfSubject(Issuer, "user-1"));
        var earliest = world.Blacklist.EarliestIssueTime(world.Token());
        var between = world.Token() with { IssuedAt = earliest, AuthenticatedAt = earliest };
        await world.Blacklist.LiftAsync([first.Id], "mistake", "admin");
        Assert.Equal(Verdict.Accepted, world.Blacklist.Check(between));

        await world.Blacklist.RevokeAsync(Revocation.OfSubject(Issuer, "user-1"));

        Assert.Equal(Verdict.Revoked, world.Blacklist.Check(between));
    }

    /// <summary>Found by the simulation: the second revoker heard of the lift alone, because the log had lost the first
    /// revocation and whoever knew that it was lifted did not give it back.</summary>
    [Fact]
    public async Task A_revocation_hits_the_log_in_that_stepped_over_one_of_which_only_the_lift_is_known()
    {
        var world = await TestWorld.LoadedAsync();
        var first = await world.Blacklist.RevokeAsync(Revocation.OfSubject(Issuer, "user-1"));
        var earliest = world.Blacklist.EarliestIssueTime(world.Token());
        var between = world.Token() with { IssuedAt = earliest, AuthenticatedAt = earliest };
        await world.Blacklist.LiftAsync([first.Id], "mistake", "admin");
        var log = new MemoryLog(world.Clock);
        await log.AppendAsync(world.Blacklist.Index.Entries(TokenTable.ShardCount).ToArray(), default);
        var newcomer = new Blacklist(world.Options, log, clock: world.Clock);
        await newcomer.LoadAsync(TestContext.Current.CancellationToken);
        Assert.Equal(Verdict.Accepted, newcomer.Check(between));

        await newcomer.RevokeAsync(Revocation.OfSubject(Issuer, "user-1"));

        Assert.Equal(Verdict.Revoked, newcomer.Check(between));
    }

    /// <summary>Somebody wrote to the log: a cutoff at the end of the calendar, which nothing can step over.</summary>
    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task A_cutoff_at_the_end_of_time_stops_no_revocation(bool isLift)
    {
        var world = await TestWorld.LoadedAsync(options => options.TokensCarryIssuedAt = true, shared: true);
        var entry = new LogEntry
        {
            Id = new RevocationId(RuleKind.Client, TokenKey.Of(RuleKind.Client, Issuer, "app"), 1), IsLift = isLift,
            ExpiresAt = DateTimeOffset.MaxValue, IssuedBefore = DateTimeOffset.FromUnixTimeSeconds(LogEntry.LatestCutoff),
            Issuer = isLift ? null : Issuer, Value = isLift ? null : "app",
        };
        await world.Log.AppendAsync(new[] { entry }, default);
        await world.Blacklist.LoadAsync();

        await world.Blacklist.RevokeAsync(Revocation.OfSubject(Issuer, "user-1"));

        Assert.Equal(Verdict.Revoked, world.Blacklist.Check(world.Token()));
        Assert.Equal(DateTimeOffset.MaxValue, world.Blacklist.EarliestIssueTime(world.Token()));
    }

    /// <summary>The second revoker is another node that has not yet heard of the first cutoff.</summary>
    [Theory]
    [InlineData(RuleKind.Subject, "user-1")]
    [InlineData(RuleKind.Client, "app")]
    [InlineData(RuleKind.Issuer, Issuer)]
    public async Task A_revocation_on_another_node_hits_a_log_in_that_stepped_over_the_first(RuleKind kind, string value)
    {
        var world = await TestWorld.LoadedAsync(shared: true);
        var other = world.NewNode();
        await other.LoadAsync(TestContext.Current.CancellationToken);
        await world.Blacklist.RevokeAsync(Revocation.OfSubject(Issuer, "user-1"));
        var earliest = world.Blacklist.EarliestIssueTime(world.Token());
        var between = world.Token() with { IssuedAt = earliest, AuthenticatedAt = earliest };
        await other.RevokeAsync(Revocation.Of(kind, Issuer, value));
        await world.Blacklist.LoadAsync(TestContext.Current.CancellationToken);
        Assert.Equal(Verdict.Revoked, other.Check(between));
    }

    [Fact]
    public async Task A_refreshed_token_counts_from_its_log_in()
    {
        var world = await TestWorld.LoadedAsync();
        await world.Blacklist.RevokeAsync(Revocation.OfSubject(Issuer, "user-1"));
        var refreshed = world.Token() with { IssuedAt = world.Now.AddSeconds(3) };
        Assert.Equal(Verdict.Revoked, world.Blacklist.Check(refreshed));
    }

    [Fact]
    public async Task A_key_rule_hits_whatever_time_the_thief_chooses()
    {
        var world = await TestWorld.LoadedAsync();
        await world.Blacklist.RevokeAsync(Revocation.OfKey(Issuer, "key-1"));
        var forged = world.Token() with { IssuedAt = world.Now.AddYears(5), AuthenticatedAt = null };
        Assert.Equal(Verdict.Revoked, world.Blacklist.Check(forged));
        Assert.Equal(DateTimeOffset.MaxValue, world.Blacklist.EarliestIssueTime(world.Token()));
    }

    [Fact]
    public async Task A_lift_undoes_only_what_it_names()
    {
        var world = await TestWorld.LoadedAsync();
        var mistake = await world.Blacklist.RevokeAsync(Revocation.OfSubject(Issuer, "user-1"));
        var incident = await world.Blacklist.RevokeAsync(Revocation.OfSubject(Issuer, "user-1"));
        Assert.Equal(2, world.Blacklist.Find(RuleKind.Subject, Issuer, "user-1").Count);

        await world.Blacklist.LiftAsync([mistake.Id], "restored", "admin");
        Assert.Equal(Verdict.Revoked, world.Blacklist.Check(world.Token()));
        Assert.Equal([incident.Id], world.Blacklist.Find(RuleKind.Subject, Issuer, "user-1"));
        Assert.Null(await world.Blacklist.LiftAsync([mistake.Id], "restored", "admin"));
    }

    [Fact]
    public async Task A_lifted_revocation_stays_lifted_when_it_is_appended_again()
    {
        var world = await TestWorld.LoadedAsync();
        var revocation = Revocation.OfToken(Issuer, "token-1", world.Now.AddMinutes(30));
        var receipt = await world.Blacklist.RevokeAsync(revocation);
        var entry = world.Blacklist.Index.EntryOf(receipt.Id)!.Value;
        await world.Blacklist.LiftAsync([receipt.Id], "restored", "admin");

        await world.Log.AppendAsync(new[] { entry }, TestContext.Current.CancellationToken);
        await world.Blacklist.LoadAsync(TestContext.Current.CancellationToken);
        Assert.Equal(Verdict.Accepted, world.Blacklist.Check(world.Token()));

        var restarted = world.NewNode();
        await restarted.LoadAsync();
        Assert.Equal(Verdict.Accepted, restarted.Check(world.Token()));
    }

    [Fact]
    public async Task A_restarted_node_knows_all_that_the_log_holds()
    {
        var world = await TestWorld.LoadedAsync();
        foreach (var row in EveryRule.Select(row => row.Data))
        {
            await world.Blacklist.RevokeAsync(Revocation.Of(row.Item1, Issuer, row.Item2));
        }
        var restarted = world.NewNode();
        Assert.Equal(Verdict.Unknown, restarted.Check(world.Token("other", "other")));
        await restarted.LoadAsync();
        Assert.Equal(world.Blacklist.GetStatus().Rules, restarted.GetStatus().Rules);
        Assert.Equal(Verdict.Revoked, restarted.Check(world.Token()));
    }

    [Fact]
    public async Task A_batch_is_stored_whole_or_not_at_all()
    {
        var world = await TestWorld.LoadedAsync();
        var good = Revocation.OfToken(Issuer, "token-1");
        await Assert.ThrowsAsync<ArgumentException>(
            async () => await world.Blacklist.RevokeAsync([good, Revocation.OfToken(Issuer, "")]));
        Assert.Equal(Verdict.Accepted, world.Blacklist.Check(world.Token()));

        await world.Blacklist.RevokeAsync([good, Revocation.OfToken(Issuer, "token-2")]);
        Assert.Equal(2, world.Blacklist.GetStatus().Rules[RuleKind.Token]);
    }

    [Fact]
    public async Task A_revocation_the_log_did_not_confirm_fails_and_is_not_claimed()
    {
        var world = await TestWorld.LoadedAsync();
        world.Log.Fault = new IOException("disk full");
        await Assert.ThrowsAsync<IOException>(
            async () => await world.Blacklist.RevokeAsync(Revocation.OfToken(Issuer, "token-1")));
        Assert.Equal(Verdict.Accepted, world.Blacklist.Check(world.Token()));

        world.Log.Fault = null;
        await world.Blacklist.RevokeAsync(Revocation.OfToken(Issuer, "token-1"));
        Assert.Equal(Verdict.Revoked, world.Blacklist.Check(world.Token()));
    }

    [Fact]
    public async Task Explain_names_each_rule_that_matches_with_who_and_why()
    {
        var world = await TestWorld.LoadedAsync();
        await world.Blacklist.RevokeAsync(
            Revocation.OfToken(Issuer, "token-1") with { Reason = "logout", Actor = "user-1" });
        await world.Blacklist.RevokeAsync(
            Revocation.OfSubject(Issuer, "user-1") with { Reason = "security_incident", Actor = "admin", Note = "n" });

        var explanation = await world.Blacklist.ExplainAsync(world.Token());
        Assert.Equal(Verdict.Revoked, explanation.Verdict);
        Assert.Equal(
            [("logout", "user-1", RuleKind.Token), ("security_incident", "admin", RuleKind.Subject)],
            explanation.Rules.Select(rule => (rule.Reason, rule.Actor, rule.Kind)));
        Assert.All(explanation.Rules, rule => Assert.Equal(world.Now, rule.MadeAt));
    }

    [Fact]
    public async Task Explain_works_for_a_rule_without_a_record()
    {
        var world = await TestWorld.LoadedAsync();
        await world.Blacklist.RevokeAsync(Revocation.OfSession(Issuer, "session-of-user-1"));
        var elsewhere = world.NewNode();
        await elsewhere.LoadAsync();

        var rule = Assert.Single((await elsewhere.ExplainAsync(world.Token())).Rules);
        Assert.Equal((RuleKind.Session, "session-of-user-1", "not_recorded"), (rule.Kind, rule.Value, rule.Reason));
    }

    [Fact]
    public async Task A_lift_is_kept_in_the_records_with_who_and_why()
    {
        var world = await TestWorld.LoadedAsync();
        var receipt = await world.Blacklist.RevokeAsync(Revocation.OfToken(Issuer, "token-1"));
        await world.Blacklist.LiftAsync([receipt.Id], "restored", "admin");
        var record = Assert.Single(await world.Blacklist.Records.FindAsync([receipt.Id], default));
        Assert.Equal(("restored", "admin", world.Now), (record.LiftReason, record.LiftedBy, record.LiftedAt!.Value));
    }

    [Fact]
    public async Task More_revocations_than_allowed_are_refused_and_named()
    {
        var world = await TestWorld.LoadedAsync(options => options.MostRevocations = 2);
        await world.Blacklist.RevokeAsync([Revocation.OfToken(Issuer, "a"), Revocation.OfToken(Issuer, "b")]);
        var refused = await Assert.ThrowsAsync<InvalidOperationException>(
            async () => await world.Blacklist.RevokeAsync(Revocation.OfToken(Issuer, "c")));
        Assert.Contains("MostRevocations", refused.Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("", "value must not be empty.")]
    [InlineData("a\nb", "value must not contain control characters.")]
    public void A_value_that_no_token_can_carry_is_refused(string value, string fault) =>
        Assert.Equal(fault, new TestWorld().Blacklist.Validate(Revocation.OfToken(Issuer, value)));

    [Fact]
    public void Limits_of_a_revocation_are_enforced()
    {
        var world = new TestWorld();
        var good = Revocation.OfSubject(Issuer, "user-1");
        Assert.Null(world.Blacklist.Validate(good));
        Assert.Null(world.Blacklist.Validate(Revocation.OfToken("", new string('x', 1024))));
        (Revocation Wrong, string Word)[] wrong =
        [
            (Revocation.OfToken(Issuer, new string('x', 1025)), "value"),
            (Revocation.OfToken(Issuer, "\ud800"), "value"), (Revocation.OfToken(Issuer, "a\udc00b"), "value"),
            (Revocation.OfIssuer(""), "issuer"),
            (good with { Reason = "Log Out" }, "reason"), (good with { Reason = "" }, "reason"),
            (good with { Reason = new string('a', 65) }, "reason"), (good with { Actor = new string('a', 257) }, "actor"),
            (good with { Note = "a\u0007" }, "note"), (good with { Note = new string('a', 1001) }, "note"),
            (good with { IssuedBefore = world.Now.AddSeconds(3) }, "issued_before"),
            (good with { IssuedBefore = DateTimeOffset.MinValue }, "issued_before"),
            (Revocation.OfToken(Issuer, "t", DateTimeOffset.MinValue), "expires_at"),
            (good with { Id = new RevocationId(RuleKind.Token, 1, 1) }, "id"),
        ];
        Assert.All(wrong, pair => Assert.StartsWith(pair.Word, world.Blacklist.Validate(pair.Wrong), StringComparison.Ordinal));
    }

    [Fact]
    public void An_option_outside_its_range_stops_the_start_and_is_named()
    {
        Action<BlacklistOptions>[] wrong =
        [
            options => options.LongestTokenLifetime = TimeSpan.FromSeconds(1),
            options => options.ClockSkew = TimeSpan.FromSeconds(-1),
            options => options.IssuerClockDifference = TimeSpan.FromHours(1),
            options => options.Freshness = TimeSpan.Zero, options => options.CatchUpTimeout = TimeSpan.FromMinutes(1),
            options => options.WaitFor = ReceiptState.Journaled, options => options.LargestBatch = 0,
            options => options.MostRevocations = 0,
        ];
        string[] names =
        [
            "LongestTokenLifetime", "ClockSkew", "IssuerClockDifference", "Freshness", "CatchUpTimeout", "WaitFor",
            "LargestBatch", "MostRevocations",
        ];
        var faults = wrong.Select(change => Assert.Throws<ArgumentException>(() => new TestWorld(change)).Message);
        Assert.All(faults.Zip(names), pair => Assert.StartsWith(pair.Second, pair.First, StringComparison.Ordinal));
    }

    [Fact]
    public async Task Checks_are_counted_by_verdict()
    {
        var world = new TestWorld();
        world.Blacklist.Check(world.Token());
        await world.Blacklist.LoadAsync();
        await world.Blacklist.RevokeAsync(Revocation.OfToken(Issuer, "dead"));
        for (var i = 0; i < 200; i++)
        {
            world.Blacklist.Check(world.Token(i % 4 == 0 ? "dead" : "alive"));
        }
        var status = world.Blacklist.GetStatus();
        Assert.Equal((201, 50, 1), (status.Checks, status.Revoked, status.Unknown));
    }
}
