namespace Rescind.Tests;

/// <summary>The ring of records that is used when no store is chosen.</summary>
public sealed class RecentRecordsTests
{
    private static readonly DateTimeOffset Start = new(2026, 1, 1, 0, 0, 0, TimeSpan.Zero);

    [Fact]
    public async Task Pages_come_newest_first_and_join_without_gap()
    {
        var records = new RecentRecords();
        await records.AddAsync([.. Enumerable.Range(0, 25).Select(i => Record(i))], default);
        var (seen, cursor) = (new List<string>(), (string?)null);
        do
        {
            var page = await records.ListAsync(new RevocationQuery { Limit = 10, Cursor = cursor }, default);
            seen.AddRange(page.Items.Select(item => item.Value));
            cursor = page.Next;
        }
        while (cursor is not null);
        Assert.Equal(Enumerable.Range(0, 25).Reverse().Select(i => "t" + i), seen);
    }

    [Fact]
    public async Task A_page_that_holds_all_that_is_left_is_the_last()
    {
        var records = new RecentRecords();
        await records.AddAsync([.. Enumerable.Range(0, 10).Select(i => Record(i))], default);
        Assert.Null((await records.ListAsync(new RevocationQuery { Limit = 10 }, default)).Next);
        Assert.NotNull((await records.ListAsync(new RevocationQuery { Limit = 9 }, default)).Next);
    }

    [Fact]
    public async Task Every_filter_restricts()
    {
        var records = new RecentRecords();
        await records.AddAsync([Record(1), Record(2, reason: "logout"), Record(3, kind: RuleKind.Session)], default);
        await AssertFoundAsync(["t3"], new RevocationQuery { Kind = RuleKind.Session });
        await AssertFoundAsync(["t2"], new RevocationQuery { Reason = "logout" });
        await AssertFoundAsync(["t1"], new RevocationQuery { Value = "t1" });
        await AssertFoundAsync([], new RevocationQuery { Issuer = "other" });
        await AssertFoundAsync(["t3", "t2"], new RevocationQuery { Since = Start.AddSeconds(2) });
        await AssertFoundAsync(["t1"], new RevocationQuery { Until = Start.AddSeconds(2) });

        async Task AssertFoundAsync(string[] expected, RevocationQuery query) => Assert.Equal(
            expected, (await records.ListAsync(query, default)).Items.Select(item => item.Value));
    }

    [Fact]
    public async Task The_oldest_goes_when_the_ring_is_full()
    {
        var records = new RecentRecords();
        await records.AddAsync([.. Enumerable.Range(0, RecentRecords.Capacity + 1).Select(i => Record(i))], default);
        Assert.Empty(await records.FindAsync([Record(0).Id], default));
        Assert.Single(await records.FindAsync([Record(1).Id], default));
    }

    [Fact]
    public async Task A_record_written_again_replaces_the_earlier_one_in_its_place()
    {
        var records = new RecentRecords();
        await records.AddAsync([Record(1), Record(2)], default);
        await records.AddAsync([Record(1) with { LiftedBy = "admin" }], default);
        var page = await records.ListAsync(new RevocationQuery(), default);
        Assert.Equal(["t2", "t1"], page.Items.Select(item => item.Value));
        Assert.Equal("admin", page.Items[1].LiftedBy);
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task A_lift_stays_and_what_was_not_recorded_gives_way(bool liftIsFirst)
    {
        var records = new RecentRecords();
        var (made, lift) = (Record(1, reason: "logout") with { Actor = "a", Note = "n" }, LiftOf(1));
        await records.AddAsync([liftIsFirst ? lift : made, Record(2)], default);
        await records.AddAsync([liftIsFirst ? made : lift], default);

        var page = await records.ListAsync(new RevocationQuery(), default);
        Assert.Equal([Record(2), Lifted(made, lift)], page.Items);
    }

    /// <summary>What a node writes that lifts a rule which it has no record of.</summary>
    internal static Revocation LiftOf(int number) => Revocation.OfToken("", "") with
    {
        Id = Record(number).Id, Reason = "not_recorded", MadeAt = Start.AddDays(1), LiftedAt = Start.AddDays(1),
        LiftedBy = "admin", LiftReason = "restored",
    };

    internal static Revocation Lifted(Revocation made, Revocation lift) =>
        made with { LiftedAt = lift.LiftedAt, LiftedBy = lift.LiftedBy, LiftReason = lift.LiftReason };

    [Theory]
    [InlineData("x")]
    [InlineData("-1")]
    [InlineData("99999999999999999999999")]
    public async Task A_cursor_that_no_page_gave_is_refused(string cursor) =>
        await Assert.ThrowsAsync<ArgumentException>(
            async () => await new RecentRecords().ListAsync(new RevocationQuery { Cursor = cursor }, default));

    [Theory]
    [InlineData(0)]
    [InlineData(-1)]
    [InlineData(1001)]
    public void A_limit_outside_its_range_is_refused(int limit) =>
        Assert.Throws<ArgumentOutOfRangeException>(() => new RevocationQuery { Limit = limit });

    [Fact]
    public async Task Records_that_fail_never_fail_a_revocation()
    {
        var blacklist = new Blacklist(records: new BrokenRecords());
        await blacklist.LoadAsync();
        var receipt = await blacklist.RevokeAsync(Revocation.OfToken("i", "t"));
        var token = new TokenFacts { Issuer = "i", TokenId = "t" };
        Assert.Equal(Verdict.Revoked, blacklist.Check(token));
        Assert.Equal("not_recorded", Assert.Single((await blacklist.ExplainAsync(token)).Rules).Reason);
        Assert.NotNull(await blacklist.LiftAsync([receipt.Id], "restored", "admin"));
        Assert.Equal(Verdict.Unknown, blacklist.Check(token));
    }

    [Fact]
    public async Task A_receipt_waits_for_the_records()
    {
        var records = new BrokenRecords { Written = new TaskCompletionSource() };
        var blacklist = new Blacklist(records: records);
        await blacklist.LoadAsync(TestContext.Current.CancellationToken);
        var revoke = blacklist.RevokeAsync(
            Revocation.OfToken("i", "t"), TestContext.Current.CancellationToken).AsTask();
        Assert.Equal(Verdict.Revoked, blacklist.Check(new TokenFacts { Issuer = "i", TokenId = "t" }));
        Assert.False(revoke.IsCompleted);
        records.Written.SetResult();
        await revoke;
    }

    private static Revocation Record(int number, string reason = "revoked", RuleKind kind = RuleKind.Token) =>
        Revocation.Of(kind, "i", "t" + number) with
        {
            Id = new RevocationId(kind, (UInt128)number, 1), MadeAt = Start.AddSeconds(number), Reason = reason,
        };

    private sealed class BrokenRecords : IRevocationRecords
    {
        /// <summary>Records that are written once this is done, and not broken.</summary>
        public TaskCompletionSource? Written { get; init; }

        public ValueTask AddAsync(IReadOnlyList<Revocation> records, CancellationToken cancel) =>
            Written is { } written ? new ValueTask(written.Task) : throw new IOException("broken");

        public ValueTask<IReadOnlyList<Revocation>> FindAsync(IReadOnlyList<RevocationId> ids, CancellationToken cancel) =>
            throw new IOException("broken");

        public ValueTask<RevocationPage> ListAsync(RevocationQuery query, CancellationToken cancel) => throw new IOException("broken");
    }
}
