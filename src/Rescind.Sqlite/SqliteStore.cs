using Microsoft.Data.Sqlite;

namespace Rescind;

/// <summary>A log and its records in one SQLite file. For programs without dependency injection; with it,
/// <c>UseSqlite</c> does the same.</summary>
public sealed class SqliteStore : IAsyncDisposable
{
    private readonly SqliteFile _file;
    private readonly GroupCommit _commits;

    private SqliteStore(SqliteFile file, TimeProvider clock)
    {
        _file = file;
        _commits = new GroupCommit(file);
        Records = new SqliteRecords(file, _commits);
        Log = new SqliteRevocationLog(file, _commits, clock);
    }

    /// <summary>The revocations.</summary>
    public IRevocationLog Log { get; }

    /// <summary>Who, why and when.</summary>
    public IRevocationRecords Records { get; }

    /// <summary>Opens a file, or makes it; its folder too, for this user alone.</summary>
    /// <param name="path">The file. Beside it SQLite keeps <c>-wal</c> and <c>-shm</c>, and this process
    /// <c>.lock</c>.</param>
    /// <param name="clock">The log's clock. Default: the system's.</param>
    /// <exception cref="IOException">Another process has opened it, or it is corrupt, read-only, of a newer
    /// version or not ours; the message names the remedy.</exception>
    public static SqliteStore Open(string path, TimeProvider? clock = null)
    {
        ArgumentException.ThrowIfNullOrEmpty(path);
        var file = SqliteFile.Open(path);
        try
        {
            return new SqliteStore(file, clock ?? TimeProvider.System);
        }
        catch (SqliteException fault)
        {
            file.Dispose();
            throw SqliteFile.Explained(file.Path, fault);
        }
    }

    /// <summary>Lets the file grow no further than this; how a full disk looks to SQLite.</summary>
    internal async ValueTask LimitPagesAsync(int pages) =>
        await _commits.DoAsync(
            connection => SqliteFile.Number(connection, $"PRAGMA max_page_count={pages}"),
            CancellationToken.None);

    /// <summary>Commits what was accepted, then closes the file.</summary>
    public async ValueTask DisposeAsync()
    {
        await _commits.DisposeAsync();
        _file.Dispose();
    }
}
