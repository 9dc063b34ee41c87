using Microsoft.Data.Sqlite;

namespace Rescind;

/// <summary>
/// The local file of a node on a shared log. Table <c>log</c> is the copy of what the shared log brought,
/// with the position it reaches to; table <c>journal</c> holds own entries until they come back from the
/// shared log. The same file serves as the log of a single node: opened so, what is left in the journal joins
/// the log; opened here for the first time, its entries have no position in the shared log, so the node gives
/// them all to it.
/// </summary>
internal sealed class SqliteJournal(
    SqliteFile file, GroupCommit commits, SqliteRevocationLog copy, int rowsToSort = 500_000) : IJournal
{
    private const int DropStep = 5000;
    private const int FewRows = 10_000;

    /// <summary>Makes a file that was a node's copy the log of a single node.</summary>
    public static void MakeSingle(SqliteFile file) => SqliteFile.Run(
        file.Writer,
        """
        BEGIN IMMEDIATE;
        INSERT INTO log (expires, entry) SELECT expires, entry FROM journal;
        DELETE FROM journal;
        UPDATE meta SET value = max(value, coalesce(
            (SELECT value FROM meta WHERE name = 'shared_horizon'), 0)) WHERE name = 'horizon';
        DELETE FROM meta WHERE name IN ('shared_number', 'shared_history', 'shared_horizon');
        COMMIT;
        """);

    public async ValueTask<JournalPage> LoadAsync(long after, int max, CancellationToken cancel)
    {
        var from = after == 0 ? default : new LogPosition((ulong)after, copy.History);
        var batch = await copy.ReadAsync(from, max, cancel);
        return batch.AtTail
            ? copy.Look(connection => LastPage(connection, batch))
            : new JournalPage(
                batch.Entries.ToArray(), [], (long)batch.Position.Number, null, batch.Horizon);
    }

    public async ValueTask KeepAsync(ReadOnlyMemory<LogEntry> own) =>
        await commits.DoAsync(connection => Keep(connection, own.Span), CancellationToken.None);

    public async ValueTask<long> JoinAsync(JournalUpdate update)
    {
        var last = await commits.DoAsync(connection => Join(connection, update), CancellationToken.None);
        copy.Announce((ulong)last);
        if (update.DropTo != 0)
        {
            // A crash between these steps leaves rows of the old history: known entries once more.
            while (await commits.DoAsync(
                connection => DropSome(connection, update.DropTo), CancellationToken.None) == DropStep)
            {
                // each step leaves room for appends
            }
        }
        return last;
    }

    public async ValueTask CompactAsync(DateTimeOffset now, CancellationToken cancel)
    {
        await commits.DoAsync(connection => DropOwn(connection, now.ToUnixTimeSeconds()), cancel);
        await copy.CompactAsync(now, cancel);
        await DropRepeatedAsync(cancel);
    }

    /// <summary>What a compaction of the shared log carries forward is read again, and stands in the file
    /// once more. Dropped are rows that a later one makes up for: an earlier history may go as a whole.
    /// Looking for them sorts all rows, so it waits until there are twice as many as the last time.
    /// </summary>
    private async ValueTask DropRepeatedAsync(CancellationToken cancel)
    {
        var (rows, kept) = copy.Look(connection =>
            (SqliteFile.Number(connection, "SELECT count(*) FROM log"), Meta(connection, "rows_kept") ?? 0));
        if (rows < (kept * 2) + FewRows)
        {
            if (rows < kept)
            {
                await commits.DoAsync(connection => Set(connection, "rows_kept", rows), cancel);
            }
            return;
        }
        var (parts, dropped) = ((int)Math.Min(256, (rows / rowsToSort) + 1), 0);
        for (var part = 0; part < parts; part++)
        {
            var (from, to) = (256 * part / parts, 256 * (part + 1) / parts);
            var repeated = await Task.Run(() => Repeated(from, to), cancel);
            repeated.Sort(); // rows of one page together
            foreach (var some in repeated.Chunk(DropStep))
            {
                await commits.DoAsync(connection => DropRows(connection, some), cancel);
            }
            dropped += repeated.Count;
        }
        await commits.DoAsync(connection => Set(connection, "rows_kept", rows - dropped), cancel);
        await commits.DoAsync(SqliteRevocationLog.GiveBackSpace, cancel);
    }

    /// <param name="from">The least last byte of the keys to look at: not all at once, so that sorting needs
    /// little space, and an end need not wait for it.</param>
    /// <param name="to">The first byte that is too large.</param>
    private List<long> Repeated(int from, int to)
    {
        try
        {
            using var reader = file.OpenReader();
            using var command = reader.CreateCommand();
            command.Parameters.AddWithValue("@from", $"{from:X2}");
            command.Parameters.AddWithValue("@to", $"{to - 1:X2}");
            command.CommandText =
                """
                SELECT position FROM (
                    SELECT position, expires, max(expires) OVER (
                        PARTITION BY substr(entry, 2, 21) ORDER BY position
                        ROWS BETWEEN 1 FOLLOWING AND UNBOUNDED FOLLOWING) AS later
                    FROM log WHERE hex(substr(entry, 18, 1)) BETWEEN @from AND @to)
                WHERE later >= expires
                """;
            using var rows = command.ExecuteReader();
            var found = new List<long>();
            while (rows.Read())
            {
                found.Add(rows.GetInt64(0));
            }
            return found;
        }
        catch (SqliteException fault)
        {
            throw SqliteFile.Explained(file.Path, fault);
        }
    }

    private static int DropRows(SqliteConnection connection, long[] positions)
    {
        using var command = connection.CreateCommand();
        command.CommandText = "DELETE FROM log WHERE position = @position";
        var position = command.Parameters.Add("@position", SqliteType.Integer);
        foreach (var one in positions)
        {
            position.Value = one;
            command.ExecuteNonQuery();
        }
        return positions.Length;
    }

    /// <summary>The id of an entry and whether it is a lift, as the first bytes of its binary form have
    /// them.</summary>
    private static byte[] KeyOf(byte[] entry) => entry[1..22];

    private static bool Keep(SqliteConnection connection, ReadOnlySpan<LogEntry> own)
    {
        using var command = connection.CreateCommand();
        command.CommandText =
            "INSERT OR REPLACE INTO journal (id, expires, entry) VALUES (@id, @expires, @entry)";
        var id = command.Parameters.Add("@id", SqliteType.Blob);
        var expires = command.Parameters.Add("@expires", SqliteType.Integer);
        var bytes = command.Parameters.Add("@entry", SqliteType.Blob);
        foreach (ref readonly var entry in own)
        {
            var buffer = SqliteRevocationLog.BytesOf(entry);
            (id.Value, expires.Value, bytes.Value) =
                (KeyOf(buffer), SqliteRevocationLog.SecondsOf(entry.ExpiresAt), buffer);
            command.ExecuteNonQuery();
        }
        return true;
    }

    private long Join(SqliteConnection connection, JournalUpdate update)
    {
        file.Entries.Insert(update.Entries);
        if (SqliteFile.Number(connection, "SELECT EXISTS (SELECT 1 FROM journal)") != 0)
        {
            DropReturned(connection, update.Entries);
        }
        if (update.Position is { } position)
        {
            Set(connection, "shared_number", (long)position.Number);
            Set(connection, "shared_history", (long)position.History);
        }
        else
        {
            Drop(connection, "shared_number", "shared_history");
        }
        Set(connection, "shared_horizon", update.Horizon.ToUnixTimeSeconds());
        return (long)SqliteRevocationLog.LastOf(connection);
    }

    private static void DropReturned(SqliteConnection connection, LogEntry[] entries)
    {
        using var command = connection.CreateCommand();
        command.CommandText = "DELETE FROM journal WHERE id = @id";
        var id = command.Parameters.Add("@id", SqliteType.Blob);
        foreach (var entry in entries)
        {
            id.Value = KeyOf(SqliteRevocationLog.BytesOf(entry));
            command.ExecuteNonQuery();
        }
    }

    private static int DropSome(SqliteConnection connection, long mark)
    {
        using var command = connection.CreateCommand();
        command.CommandText =
            $"""
            DELETE FROM log WHERE position IN (
                SELECT position FROM log WHERE position <= @mark ORDER BY position LIMIT {DropStep})
            """;
        command.Parameters.AddWithValue("@mark", mark);
        return command.ExecuteNonQuery();
    }

    private static int DropOwn(SqliteConnection connection, long now)
    {
        using var command = connection.CreateCommand();
        command.CommandText =
            """
            UPDATE meta SET value = max(value, coalesce(
                (SELECT max(expires) FROM journal
                 WHERE expires < @now AND expires <> 4294967295 AND substr(id, 1, 1) < x'80'), 0))
            WHERE name = 'horizon';
            DELETE FROM journal WHERE expires < @now AND expires <> 4294967295;
            """;
        command.Parameters.AddWithValue("@now", now);
        return command.ExecuteNonQuery();
    }

    private static bool Set(SqliteConnection connection, string name, long value)
    {
        using var command = connection.CreateCommand();
        command.CommandText = "INSERT OR REPLACE INTO meta (name, value) VALUES (@name, @value)";
        command.Parameters.AddWithValue("@name", name);
        command.Parameters.AddWithValue("@value", value);
        return command.ExecuteNonQuery() == 1;
    }

    private static void Drop(SqliteConnection connection, string one, string other)
    {
        using var command = connection.CreateCommand();
        command.CommandText = "DELETE FROM meta WHERE name IN (@one, @other)";
        command.Parameters.AddWithValue("@one", one);
        command.Parameters.AddWithValue("@other", other);
        command.ExecuteNonQuery();
    }

    private JournalPage LastPage(SqliteConnection connection, LogBatch batch)
    {
        var shared = Meta(connection, "shared_number") is { } number
            && Meta(connection, "shared_history") is { } history
                ? new LogPosition((ulong)number, (ulong)history)
                : batch.Position;
        var horizon = Math.Max(
            batch.Horizon.ToUnixTimeSeconds(), Meta(connection, "shared_horizon") ?? 0);
        return new JournalPage(
            batch.Entries.ToArray(), Own(connection), (long)batch.Position.Number, shared,
            DateTimeOffset.FromUnixTimeSeconds(horizon));
    }

    private static long? Meta(SqliteConnection connection, string name)
    {
        using var command = connection.CreateCommand();
        command.CommandText = "SELECT value FROM meta WHERE name = @name";
        command.Parameters.AddWithValue("@name", name);
        return (long?)command.ExecuteScalar();
    }

    private LogEntry[] Own(SqliteConnection connection)
    {
        using var command = connection.CreateCommand();
        command.CommandText = "SELECT entry FROM journal";
        using var rows = command.ExecuteReader();
        var own = new List<LogEntry>();
        while (rows.Read())
        {
            own.Add(SqliteRevocationLog.EntryOf(rows.GetFieldValue<byte[]>(0), file.Path, "of the journal"));
        }
        return [.. own];
    }
}
