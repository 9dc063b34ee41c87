namespace Rescind.Tests;

/// <summary>Records on disk: filters, pages, replacement and forgetting.</summary>
public sealed class SqliteRecordsTests : IAsyncLifetime
{
    private static readonly DateTimeOffset Start = new(2026, 1, 1, 0, 0, 0, TimeSpan.Zero);

    private readonly TestFolder _folder = new();
    private SqliteStore _store = null!;

    private IRevocationRecords Records => _store.Records;

    public ValueTask InitializeAsync()
    {
        _store = SqliteStore.Open(_folder.PathOf("rescind.db"));
        return ValueTask.CompletedTask;
    }

    public async ValueTask DisposeAsync()
    {
        await _store.DisposeAsync();
        _folder.Dispose();
    }

    [Fact]
    public async Task A_record_comes_back_with_every_field()
    {
        var record = Revocation.OfSubject("issuer", "käthe") with
        {
            Id = new RevocationId(RuleKind.Subject, UInt128.MaxValue, uint.MaxValue), Reason = "logout", Actor = "a",
            Note = "n 'quoted' --", MadeAt = Start, IssuedBefore = Start.AddSeconds(2), LiftedAt = Start.AddDays(1),
            LiftedBy = "b", LiftReason = "restored", ExpiresAt = Start.AddHours(1),
        };
        await Records.AddAsync([record, Record(1)], default);
        Assert.Equal([record], await Records.FindAsync([record.Id], default));
        Assert.Empty(await Records.FindAsync([Record(2).Id], default));
    }

    [Fact]
    public async Task Pages_join_without_gap_while_new_records_arrive()
    {
        await Records.AddAsync([.. Enumerable.Range(0, 25).Select(i => Record(i))], default);
        var (seen, cursor, next) = (new List<string>(), (string?)null, 100);
        do
        {
            var page = await Records.ListAsync(new RevocationQuery { Limit = 7, Cursor = cursor }, default);
            seen.AddRange(page.Items.Select(item => item.Value));
            cursor = page.Next;
            await Records.AddAsync([Record(next++)], default);
        }
        while (cursor is not null);
        Assert.Equal(Enumerable.Range(0, 25).Reverse().Select(i => "t" + i), seen);
    }

    [Fact]
    public async Task Every_filter_restricts()
    {
        await Records.AddAsync([Record(1), Record(2, reason: "logout"), Record(3, RuleKind.Session)], default);
        await AssertFoundAsync(["t3"], new RevocationQuery { Kind = RuleKind.Session });
        await AssertFoundAsync(["t2"], new RevocationQuery { Reason = "logout" });
        await AssertFoundAsync(["t1"], new RevocationQuery { Value = "t1" });
        await AssertFoundAsync([], new RevocationQuery { Issuer = "' OR 1=1 --" });
        await AssertFoundAsync(["t3", "t2"], new RevocationQuery { Since = Start.AddSeconds(2) });
        await AssertFoundAsync(["t1"], new RevocationQuery { Until = Start.AddSeconds(2) });

        async Task AssertFoundAsync(string[] expected, RevocationQuery query) =>
            Assert.Equal(expected, (await Records.ListAsync(query, default)).Items.Select(item => item.Value));
    }

    [Theory]
    [InlineData("x")]
    [InlineData("-1")]
    [InlineData("1 OR 1=1")]
    [InlineData("99999999999999999999999")]
    public async Task A_cursor_that_no_page_gave_is_refused(string cursor) =>
        await Assert.ThrowsAsync<ArgumentException>(
            async () => await Records.ListAsync(new RevocationQuery { Cursor = cursor }, default));

    [Fact]
    public async Task A_record_written_again_replaces_the_earlier_one_in_its_place()
    {
        await Records.AddAsync([Record(1), Record(2)], default);
        await Records.AddAsync([Record(1) with { LiftedBy = "admin" }], default);
        var page = await Records.ListAsync(new RevocationQuery(), default);
        Assert.Equal([("t2", null), ("t1", "admin")], page.Items.Select(item => (item.Value, item.LiftedBy)));
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task A_lift_stays_and_what_was_not_recorded_gives_way(bool liftIsFirst)
    {
        var (made, lift) = (Record(1, "logout") with { Actor = "a", Note = "n" }, RecentRecordsTests.LiftOf(1));
        await Records.AddAsync([liftIsFirst ? lift : made, Record(2)], default);
        await Records.AddAsync([liftIsFirst ? made : lift], default);

        var page = await Records.ListAsync(new RevocationQuery(), default);
        Assert.Equal([Record(2), RecentRecordsTests.Lifted(made, lift)], page.Items);
    }

    [Fact]
    public async Task Records_of_tokens_go_after_400_days_and_those_of_users_stay()
    {
        await Records.AddAsync([Record(1), Record(2, RuleKind.Subject)], default);
        await _store.Log.CompactAsync(Start.AddDays(400), default);
        Assert.Equal(2, (await Records.ListAsync(new RevocationQuery(), default)).Items.Count);
        await _store.Log.CompactAsync(Start.AddDays(401), default);
        Assert.Equal("t2", Assert.Single((await Records.ListAsync(new RevocationQuery(), default)).Items).Value);
    }

    [Fact]
    public async Task However_many_records_are_past_their_time_all_of_them_go()
    {
        foreach (var thousand in Enumerable.Range(0, 11))
        {
            await Records.AddAsync([.. Enumerable.Range(thousand * 1000, 1000).Select(number => Record(number))], default);
        }
        await _store.Log.CompactAsync(Start.AddDays(401), default);
        Assert.Empty((await Records.ListAsync(new RevocationQuery(), default)).Items);
    }

    private static Revocation Record(int number, RuleKind kind = RuleKind.Token, string reason = "revoked") =>
        Revocation.Of(kind, "i", "t" + number) with
        {
            Id = new RevocationId(kind, (UInt128)number, 1), MadeAt = Start.AddSeconds(number), Reason = reason,
        };

    private static Revocation Record(int number, string reason) => Record(number, RuleKind.Token, reason);
}
