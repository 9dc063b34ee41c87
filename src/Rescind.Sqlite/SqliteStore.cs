using Microsoft.Data.Sqlite;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Logging.Abstractions;

namespace Rescind;

/// <summary>A log and its records in one SQLite file, or beside a shared log the copy that a node keeps on
/// its disk. For programs without dependency injection; with it, <c>UseSqlite</c> and <c>KeepLocally</c> do
/// the same.</summary>
public sealed class SqliteStore : IAsyncDisposable
{
    private readonly SqliteFile _file;
    private readonly GroupCommit _commits;
    private readonly JournaledLog? _journaled;

    private SqliteStore(SqliteFile file, TimeProvider clock, Func<IJournal, JournaledLog>? beside)
    {
        _file = file;
        _commits = new GroupCommit(file);
        Records = new SqliteRecords(file, _commits);
        var log = new SqliteRevocationLog(file, _commits, clock);
        _journaled = beside?.Invoke(new SqliteJournal(file, _commits, log));
        Log = _journaled ?? (IRevocationLog)log;
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
        return OpenFile(path, clock ?? TimeProvider.System, beside: null);
    }

    /// <summary>Keeps a node's copy of a shared log on its disk: own revocations are committed there while
    /// they are appended, so they outlive any outage of the shared log, and a start without it knows what
    /// this node knew.</summary>
    /// <param name="path">The file, as for <see cref="Open"/>. A file that was a log of its own is given to
    /// the shared log.</param>
    /// <param name="shared">The shared log; disposed by its owner, after this.</param>
    /// <param name="options">The options of the blacklist that will use <see cref="Log"/>.</param>
    /// <param name="clock">The clock. Default: the system's.</param>
    /// <param name="logger">Where to log. Default: nowhere.</param>
    /// <exception cref="IOException">As for <see cref="Open"/>.</exception>
    public static SqliteStore KeepLocally(
        string path, IRevocationLog shared, BlacklistOptions options, TimeProvider? clock = null,
        ILogger<SqliteStore>? logger = null)
    {
        ArgumentException.ThrowIfNullOrEmpty(path);
        ArgumentNullException.ThrowIfNull(shared);
        ArgumentNullException.ThrowIfNull(options);
        var time = clock ?? TimeProvider.System;
        return OpenFile(path, time, journal => new JournaledLog(
            shared, journal, options, time, logger ?? (ILogger)NullLogger.Instance));
    }

    private static SqliteStore OpenFile(string path, TimeProvider clock, Func<IJournal, JournaledLog>? beside)
    {
        var file = SqliteFile.Open(path);
        try
        {
            if (beside is null)
            {
                SqliteJournal.MakeSingle(file);
            }
            return new SqliteStore(file, clock, beside);
        }
        catch (Exception fault) when (SqliteFile.IsOfFile(fault, file.Writer))
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
        await (_journaled?.FlushAsync() ?? Task.CompletedTask);
        await _commits.DisposeAsync();
        _file.Dispose();
    }
}
