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

    public void Dispose() => _folder.Dispose();

    private static LogEntry Entry(uint tag) => new()
    {
        Id = new RevocationId(RuleKind.Token, (UInt128)8 + (byte)RuleKind.Token, tag),
        ExpiresAt = DateTimeOffset.UtcNow.AddDays(1),
    };
}
