using Microsoft.Data.Sqlite;

namespace Rescind;

/// <summary>Inserts entries of the log with a statement that is compiled once: to compile it costs more than
/// to run it, and most calls bring one entry. For the writer loop alone.</summary>
internal sealed class EntryInsert : IDisposable
{
    private readonly SqliteConnection _writer;
    private readonly SqliteCommand _command;
    private readonly SqliteParameter _expires;
    private readonly SqliteParameter _bytes;

    public EntryInsert(SqliteConnection writer)
    {
        (_writer, _command) = (writer, writer.CreateCommand());
        _command.CommandText =
            "INSERT INTO log (expires, entry) VALUES (@expires, @entry) RETURNING position";
        _expires = _command.Parameters.Add("@expires", SqliteType.Integer);
        _bytes = _command.Parameters.Add("@entry", SqliteType.Blob);
    }

    /// <returns>The position of the last entry.</returns>
    public ulong Insert(ReadOnlySpan<LogEntry> batch)
    {
        using var current = _writer.CreateCommand();
        _command.Transaction = current.Transaction;
        var last = 0L;
        foreach (ref readonly var entry in batch)
        {
            (_expires.Value, _bytes.Value) =
                (SqliteRevocationLog.SecondsOf(entry.ExpiresAt), SqliteRevocationLog.BytesOf(entry));
            last = (long)_command.ExecuteScalar()!;
        }
        return (ulong)last;
    }

    public void Dispose() => _command.Dispose();
}
