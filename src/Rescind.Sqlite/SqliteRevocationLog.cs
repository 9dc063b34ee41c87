using Microsoft.Data.Sqlite;

namespace Rescind;

/// <summary>
/// The log in a SQLite file: a row an entry, its bytes as the core writes them. A position is the row's
/// number in this file's history. Numbers are never used twice, so a deleted row leaves a gap and nothing
/// else.
/// </summary>
internal sealed class SqliteRevocationLog(SqliteFile file, GroupCommit commits, TimeProvider clock)
    : IRevocationLog
{
    private const int CompactionStep = 5000;

    private readonly Lock _reading = new();
    private readonly ulong _history =
        (ulong)SqliteFile.Number(file.Reader, "SELECT value FROM meta WHERE name = 'history'");
    private ulong _last = LastOf(file.Reader);
    private TaskCompletionSource _appended = NewSignal();

    public bool IsShared => false;

    public ulong History => _history;

    public async ValueTask<LogPosition> AppendAsync(ReadOnlyMemory<LogEntry> batch, CancellationToken cancel)
    {
        if (batch.IsEmpty)
        {
            throw new ArgumentException("A batch holds at least one entry.", nameof(batch));
        }
        var last = await commits.DoAsync(_ => file.Entries.Insert(batch.Span), cancel);
        Announce(last);
        return new LogPosition(last, _history);
    }

    public ValueTask<LogBatch> ReadAsync(LogPosition after, int max, CancellationToken cancel)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(max, 1);
        cancel.ThrowIfCancellationRequested();
        return ValueTask.FromResult(Look(_ => Read_NeedsLock(after, max)));
    }

    /// <summary>Reads what is committed; one reader at a time.</summary>
    /// <exception cref="IOException">The file cannot be read.</exception>
    public T Look<T>(Func<SqliteConnection, T> look)
    {
        try
        {
            lock (_reading)
            {
                return look(file.Reader);
            }
        }
        catch (Exception fault) when (SqliteFile.IsOfFile(fault, file.Reader))
        {
            throw SqliteFile.Explained(file.Path, fault);
        }
    }

    public async ValueTask WaitAsync(LogPosition after, CancellationToken cancel)
    {
        Task appended;
        lock (_reading)
        {
            if (after.Number < _last || (after != default && after.History != _history))
            {
                return;
            }
            appended = _appended.Task;
        }
        await appended.WaitAsync(cancel).ConfigureAwait(
            ConfigureAwaitOptions.SuppressThrowing | ConfigureAwaitOptions.ContinueOnCapturedContext);
    }

    public async ValueTask<CompactionResult> CompactAsync(DateTimeOffset now, CancellationToken cancel)
    {
        var before = new FileInfo(file.Path).Length;
        ulong newest;
        lock (_reading)
        {
            newest = _last;
        }
        var dropped = 0L;
        for (ulong from = 0, end; from < newest; from = end + 1)
        {
            cancel.ThrowIfCancellationRequested();
            var first = from;
            end = Math.Min(Look(connection => EndOfStep(connection, first)), newest - 1);
            var last = end;
            dropped += await commits.DoAsync(
                connection => Drop(connection, first, last, now.ToUnixTimeSeconds()), cancel);
        }
        while (await commits.DoAsync(connection => SqliteRecords.Forget(connection, now), cancel)
            == SqliteRecords.ForgetStep)
        {
            // each step leaves room for appends
        }
        if (dropped != 0)
        {
            await commits.DoAsync(GiveBackSpace, cancel);
        }
        return new CompactionResult(dropped, before, new FileInfo(file.Path).Length);
    }

    private LogBatch Read_NeedsLock(LogPosition after, int max)
    {
        using var snapshot = file.Reader.BeginTransaction(deferred: true);
        var last = LastOf(file.Reader);
        var found = after == default || (after.History == _history && after.Number <= last);
        var (entries, end) = found ? Rows(after.Number, max) : ([], after.Number);
        return new LogBatch
        {
            Entries = entries,
            Position = entries.Length == 0 ? after : new LogPosition(end, _history),
            AtTail = found && (entries.Length == 0 || end == last),
            Found = found,
            Time = clock.GetUtcNow(),
            Horizon = DateTimeOffset.FromUnixTimeSeconds(
                SqliteFile.Number(file.Reader, "SELECT value FROM meta WHERE name = 'horizon'")),
        };
    }

    private (LogEntry[] Entries, ulong End) Rows(ulong after, int max)
    {
        using var command = file.Reader.CreateCommand();
        command.CommandText =
            "SELECT position, entry FROM log WHERE position > @after ORDER BY position LIMIT @max";
        command.Parameters.AddWithValue("@after", (long)after);
        command.Parameters.AddWithValue("@max", max);
        using var rows = command.ExecuteReader();
        var (entries, end) = (new List<LogEntry>(Math.Min(max, 4096)), after);
        while (rows.Read())
        {
            end = (ulong)rows.GetInt64(0);
            entries.Add(EntryOf(rows.GetFieldValue<byte[]>(1), file.Path, $"row {end}"));
        }
        return ([.. entries], end);
    }

    /// <summary>Where a step of compaction ends, counted in rows: numbers may have gaps.</summary>
    private static ulong EndOfStep(SqliteConnection connection, ulong from)
    {
        using var command = connection.CreateCommand();
        command.CommandText =
            "SELECT position FROM log WHERE position >= @from ORDER BY position LIMIT 1 OFFSET @step";
        command.Parameters.AddWithValue("@from", (long)from);
        command.Parameters.AddWithValue("@step", CompactionStep);
        return (ulong?)(long?)command.ExecuteScalar() ?? ulong.MaxValue;
    }

    private static long Drop(SqliteConnection connection, ulong from, ulong end, long now)
    {
        using var command = connection.CreateCommand();
        command.CommandText =
            """
            UPDATE meta SET value = max(value, coalesce(
                (SELECT max(expires) FROM log
                 WHERE position >= @from AND position <= @end
                     AND expires < @now AND expires <> 4294967295), 0))
            WHERE name = 'horizon';
            DELETE FROM log WHERE position >= @from AND position <= @end
                AND expires < @now AND expires <> 4294967295;
            SELECT changes();
            """;
        command.Parameters.AddWithValue("@from", (long)from);
        command.Parameters.AddWithValue("@end", (long)end);
        command.Parameters.AddWithValue("@now", now);
        return Convert.ToInt64(command.ExecuteScalar());
    }

    public static bool GiveBackSpace(SqliteConnection connection)
    {
        using var command = connection.CreateCommand();
        command.CommandText = "PRAGMA incremental_vacuum";
        using var steps = command.ExecuteReader();
        while (steps.Read())
        {
            // each row is a page given back
        }
        return true;
    }

    public static byte[] BytesOf(in LogEntry entry)
    {
        var bytes = new byte[entry.Size];
        entry.Write(bytes);
        return bytes;
    }

    /// <exception cref="IOException">The bytes are none that this version wrote.</exception>
    public static LogEntry EntryOf(byte[] bytes, string path, string place) =>
        LogEntry.TryRead(bytes, out var entry)
            ? entry
            : throw new IOException(
                $"'{path}' holds an entry ({place}) that this version cannot read. It is not skipped: run "
                + "the version that wrote it, or restore the file from a backup.");

    public void Announce(ulong last)
    {
        lock (_reading)
        {
            _last = Math.Max(_last, last);
            _appended.SetResult();
            _appended = NewSignal();
        }
    }

    public static ulong LastOf(SqliteConnection connection) =>
        (ulong)SqliteFile.Number(connection, "SELECT coalesce(max(position), 0) FROM log");

    /// <summary>As in the entry itself; never is the largest number of 32 bits.</summary>
    public static long SecondsOf(DateTimeOffset expires) =>
        expires == DateTimeOffset.MaxValue ? uint.MaxValue : expires.ToUnixTimeSeconds();

    private static TaskCompletionSource NewSignal() =>
        new(TaskCreationOptions.RunContinuationsAsynchronously);
}
