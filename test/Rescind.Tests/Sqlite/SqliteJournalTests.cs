namespace Rescind.Tests;

/// <summary>The local file of a node, as its journal.</summary>
public sealed class SqliteJournalTests : IDisposable
{
    private readonly TestFolder _folder = new();

    /// <summary>Found by the simulation: the old history came back, its position was found again, and what the file had
    /// of the history between was never given back.</summary>
    [Fact]
    public async Task The_file_has_no_position_while_the_shared_log_is_read_over()
    {
        using var file = SqliteFile.Open(_folder.PathOf("rescind.db"));
        await using var commits = new GroupCommit(file);
        var journal = new SqliteJournal(file, commits, new SqliteRevocationLog(file, commits, TimeProvider.System));
        var old = new LogPosition(5, 77);
        await journal.JoinAsync(new JournalUpdate([Entry(1)], old, DateTimeOffset.UnixEpoch, 0));
        Assert.Equal(old, (await journal.LoadAsync(0, 100, CancellationToken.None)).Position);

        await journal.JoinAsync(new JournalUpdate([Entry(2)], null, DateTimeOffset.UnixEpoch, 0));

        var page = await journal.LoadAsync(0, 100, CancellationToken.None);
        Assert.Equal(2, page.Entries.Length);
        Assert.NotEqual(old, page.Position);
        Assert.NotEqual(default(LogPosition), page.Position);
    }

    /// <summary>Each compaction of the shared log carries what lives forward: the file grew by as much each day.</summary>
    [Theory]
    [InlineData(500_000)]
    [InlineData(1_000)]
    [InlineData(1)]
    public async Task What_comes_again_and_again_stands_in_the_file_once_or_twice(int rowsToSort)
    {
        using var file = SqliteFile.Open(_folder.PathOf("rescind.db"));
        await using var commits = new GroupCommit(file);
        var journal = new SqliteJournal(
            file, commits, new SqliteRevocationLog(file, commits, TimeProvider.System), rowsToSort);
        LogEntry[] live = [.. Enumerable.Range(1, 4000).Select(i => Entry(1) with
        {
            Id = new RevocationId(RuleKind.Token, TokenKey.Of(RuleKind.Token, TestWorld.Issuer, $"t{i}"), 1),
        })];
        var longer = live[0] with { ExpiresAt = DateTimeOffset.UtcNow.AddDays(9) };
        await journal.JoinAsync(new JournalUpdate([longer], new LogPosition(1, 77), DateTimeOffset.UnixEpoch, 0));
        var rows = new List<long>();
        for (var day = 1; day <= 12; day++)
        {
            await journal.JoinAsync(new JournalUpdate(live, new LogPosition((ulong)day * 4001, 77), DateTimeOffset.UnixEpoch, 0));
            await journal.CompactAsync(DateTimeOffset.UtcNow, TestContext.Current.CancellationToken);
            rows.Add(SqliteFile.Number(file.Reader, "SELECT count(*) FROM log"));
        }
        Assert.InRange(rows.Max(), 4_001, 24_000);
        Assert.Contains(rows.Skip(6), count => count <= 4_001);
        var page = await journal.LoadAsync(0, 100_000, TestContext.Current.CancellationToken);
        Assert.Equal(4000, page.Entries.Select(entry => entry.Id).Distinct().Count());
        Assert.Contains(page.Entries, entry => entry.ExpiresAt == longer.ExpiresAt);
        Assert.Equal(new LogPosition(48_012, 77), page.Position);
    }

    /// <summary>While the shared log is away only this file had it; its token must not revive where a clock goes back.</summary>
    [Fact]
    public async Task An_own_entry_that_expires_leaves_its_horizon()
    {
        using var file = SqliteFile.Open(_folder.PathOf("rescind.db"));
        await using var commits = new GroupCommit(file);
        var journal = new SqliteJournal(file, commits, new SqliteRevocationLog(file, commits, TimeProvider.System));
        var own = Entry(1);
        var ends = own.ExpiresAt;
        await journal.KeepAsync(new[] { (own with { Id = own.Id with { Tag = 2 }, ExpiresAt = ends.AddHours(1) }).Lift, own });
        await journal.CompactAsync(ends.AddHours(2), TestContext.Current.CancellationToken);
        var page = await journal.LoadAsync(0, 100, TestContext.Current.CancellationToken);
        Assert.Empty(page.Kept);
        Assert.Equal(ends, page.Horizon);
    }

    public void Dispose() => _folder.Dispose();

    private static LogEntry Entry(uint tag) => new()
    {
        Id = new RevocationId(RuleKind.Token, (UInt128)8 + (byte)RuleKind.Token, tag),
        ExpiresAt = DateTimeOffset.UtcNow.AddDays(1),
    };
}
