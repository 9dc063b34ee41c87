using Microsoft.Extensions.Logging.Abstractions;

namespace Rescind.Tests;

/// <summary>What the copy on disk says of itself.</summary>
public sealed class ReplicaWriterTests : IDisposable
{
    private readonly TestFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    /// <summary>Found by the simulation: the file kept its old position while the log was read over; the process died, that
    /// history came back, and what the file had of the history between was not given back.</summary>
    [Fact]
    public async Task A_file_has_no_position_of_any_history_while_the_log_is_read_over()
    {
        using var file = SqliteFile.Open(_folder.PathOf("a.db"));
        await using var commits = new GroupCommit(file);
        var journal = new SqliteJournal(file, commits, new SqliteRevocationLog(file, commits, TimeProvider.System));
        var writer = new ReplicaWriter(journal, TimeSpan.Zero, TimeProvider.System, NullLogger.Instance);
        var (former, next) = (new LogPosition(10, 1), new LogPosition(5, 2));
        writer.Loaded(await journal.LoadAsync(0, 100, CancellationToken.None));
        await ReadAsync(writer, 1, former);
        Assert.Equal(former, await PositionAsync(journal));

        writer.StartOver();
        await ReadAsync(writer, 2, next);
        Assert.DoesNotContain(await PositionAsync(journal), new LogPosition?[] { former, next, default(LogPosition) });

        writer.EndOver();
        await writer.FlushAsync();
        Assert.Equal(next, await PositionAsync(journal));
        var page = await journal.LoadAsync(0, 100, CancellationToken.None);
        Assert.Equal([Entry(2).Id], page.Entries.Select(entry => entry.Id));
    }

    /// <summary>The log was lost, and its horizon with it; what this node forgot stays forgotten.</summary>
    [Fact]
    public async Task A_file_keeps_the_latest_horizon_of_any_history()
    {
        using var file = SqliteFile.Open(_folder.PathOf("a.db"));
        await using var commits = new GroupCommit(file);
        var journal = new SqliteJournal(file, commits, new SqliteRevocationLog(file, commits, TimeProvider.System));
        var writer = new ReplicaWriter(journal, TimeSpan.Zero, TimeProvider.System, NullLogger.Instance);
        writer.Loaded(await journal.LoadAsync(0, 100, CancellationToken.None));
        var horizon = DateTimeOffset.UnixEpoch.AddYears(56);
        await ReadAsync(writer, 1, new LogPosition(10, 1), horizon);
        writer.StartOver();
        await ReadAsync(writer, 2, new LogPosition(5, 2));
        writer.EndOver();
        await writer.FlushAsync();
        Assert.Equal(horizon, (await journal.LoadAsync(0, 100, CancellationToken.None)).Horizon);
    }

    private static async Task<LogPosition?> PositionAsync(SqliteJournal journal) =>
        (await journal.LoadAsync(0, 100, CancellationToken.None)).Position;

    private static async Task ReadAsync(
        ReplicaWriter writer, int number, LogPosition position, DateTimeOffset? horizon = null)
    {
        await writer.AddAsync(new LogBatch
        {
            Entries = new[] { Entry(number) }, Position = position, AtTail = true,
            Time = DateTimeOffset.UtcNow, Horizon = horizon ?? DateTimeOffset.UnixEpoch,
        });
        await writer.FlushAsync();
    }

    private static LogEntry Entry(int number) => new()
    {
        Id = new RevocationId(RuleKind.Token, TokenKey.Of(RuleKind.Token, TestWorld.Issuer, $"t{number}"), 1),
        ExpiresAt = DateTimeOffset.MaxValue,
    };
}
