using Microsoft.Data.Sqlite;

namespace Rescind;

/// <summary>Inserts entries of the log with statements that are compiled once: to compile one costs more than
/// to run it, and most calls bring one entry. What comes in bulk goes in by many rows a statement, because
/// each statement writes the sequence of positions anew. For the writer loop alone.</summary>
internal sealed class EntryInsert : IDisposable
{
    private const int Many = 64;

    private readonly SqliteConnection _writer;
    private readonly Statement _one;
    private readonly Statement _many;
    private readonly SqliteCommand _last;

    public EntryInsert(SqliteConnection writer)
    {
        (_writer, _one, _many) = (writer, new Statement(writer, 1), new Statement(writer, Many));
        _last = writer.CreateCommand();
        _last.CommandText = "SELECT last_insert_rowid()";
    }

    /// <returns>The position of the last entry; 0 when there is none.</returns>
    public ulong Insert(ReadOnlySpan<LogEntry> batch)
    {
        if (batch.IsEmpty)
        {
            return 0;
        }
        using var current = _writer.CreateCommand();
        while (!batch.IsEmpty)
        {
            var statement = batch.Length < Many ? _one : _many;
            statement.Run(batch, current.Transaction);
            batch = batch[statement.Rows..];
        }
        _last.Transaction = current.Transaction;
        return (ulong)(long)_last.ExecuteScalar()!;
    }

    public void Dispose()
    {
        _one.Dispose();
        _many.Dispose();
        _last.Dispose();
    }

    private sealed class Statement : IDisposable
    {
        private readonly SqliteCommand _command;
        private readonly SqliteParameter[] _expires;
        private readonly SqliteParameter[] _entry;

        public Statement(SqliteConnection writer, int rows)
        {
            Rows = rows;
            _command = writer.CreateCommand();
            _command.CommandText = "INSERT INTO log (expires, entry) VALUES "
                + string.Join(", ", Enumerable.Range(0, rows).Select(row => $"(@expires{row}, @entry{row})"));
            SqliteParameter[] Each(string name, SqliteType type) =>
                [.. Enumerable.Range(0, rows).Select(row => _command.Parameters.Add($"@{name}{row}", type))];
            (_expires, _entry) = (Each("expires", SqliteType.Integer), Each("entry", SqliteType.Blob));
        }

        public int Rows { get; }

        public void Run(ReadOnlySpan<LogEntry> entries, SqliteTransaction? transaction)
        {
            for (var row = 0; row < Rows; row++)
            {
                ref readonly var entry = ref entries[row];
                (_expires[row].Value, _entry[row].Value) =
                    (SqliteRevocationLog.SecondsOf(entry.ExpiresAt), SqliteRevocationLog.BytesOf(entry));
            }
            _command.Transaction = transaction;
            _command.ExecuteNonQuery();
        }

        public void Dispose() => _command.Dispose();
    }
}
