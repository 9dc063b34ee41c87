// Where events become durable: a file of this node. What it guarantees: when an append completes, the event
// has its place in the chain and is on disk; events of many callers share one commit, so that a disk's few
// thousand flushes a second do not cap the server. What it trades away: the events of a node whose disk is
// lost while the database is away are lost with it. Limit: a million events wait for the database; more are
// refused, and whoever appended them is told.
using System.Security.Cryptography;
using System.Threading.Channels;
using Microsoft.Data.Sqlite;

namespace Rescind.Server.Audit;

internal sealed class AuditSpool : IAsyncDisposable
{
    public const string FileName = "audit.db";
    public const int MostWaiting = 1_000_000;
    private const int LargestBatch = 1_000;
    private const int LongestQueue = 10_000;

    private readonly Lock _gate = new();
    private readonly SqliteConnection _file;
    private readonly AuditKey _key;
    private readonly TimeProvider _clock;
    private readonly Action<IReadOnlyList<AuditRow>> _written;
    private readonly Task _writing;
    private readonly Channel<(AuditEvent Event, DateTime Time, TaskCompletionSource Done)> _queue =
        Channel.CreateBounded<(AuditEvent, DateTime, TaskCompletionSource)>(
            new BoundedChannelOptions(LongestQueue) { SingleReader = true });

    private byte[] _head;
    private string _chain;
    private long _waiting;

    /// <param name="path">The file; made when it is absent.</param>
    /// <param name="node">Begins the name of the chain, when one has to be begun.</param>
    /// <param name="key">The key of the chain.</param>
    /// <param name="clock">The node's clock.</param>
    /// <param name="written">Told what was committed, in order.</param>
    /// <exception cref="SqliteException">The file cannot be used, or another process has it.</exception>
    /// <exception cref="InvalidDataException">It holds what no server has written; the message says
    /// what.</exception>
    public AuditSpool(
        string path, string node, AuditKey key, TimeProvider clock, Action<IReadOnlyList<AuditRow>> written)
    {
        (_key, _clock, _written) = (key, clock, written);
        _file = new SqliteConnection(new SqliteConnectionStringBuilder
        {
            DataSource = path, Pooling = false, DefaultTimeout = 1,
        }.ToString());
        try
        {
            _file.Open();
            Prepare(node);
            (_chain, Number, _head) = ReadHead();
            _waiting = CountWaiting();
        }
        catch
        {
            _file.Dispose();
            throw;
        }
        _writing = WriteAsync();
    }

    /// <summary>The name of this node's chain.</summary>
    public string Chain => Volatile.Read(ref _chain);

    /// <summary>The number of the newest event.</summary>
    public long Number { get; private set; }

    /// <summary>The hash of the newest event.</summary>
    public string Head => Convert.ToHexStringLower(Volatile.Read(ref _head));

    /// <summary>How many events wait for the database.</summary>
    public long Waiting => Interlocked.Read(ref _waiting);

    /// <summary>This node's chain, and the number of its newest event that the database has.</summary>
    public (string Chain, long Number) Carried
    {
        get
        {
            lock (_gate)
            {
                return (_chain, Number - Waiting);
            }
        }
    }

    /// <summary>Keeps an event; completes when it is on disk.</summary>
    /// <exception cref="IOException">It could not be kept.</exception>
    public async Task AppendAsync(AuditEvent happened)
    {
        var done = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        var time = AuditChain.Rounded(_clock.GetUtcNow().UtcDateTime);
        try
        {
            await _queue.Writer.WriteAsync((happened, time, done));
        }
        catch (ChannelClosedException fault)
        {
            throw new IOException("The audit file is closed: the server is stopping.", fault);
        }
        await done.Task;
    }

    /// <summary>The oldest events that wait for the database.</summary>
    public IReadOnlyList<AuditRow> Oldest(int most)
    {
        lock (_gate)
        {
            using var command = Command(
                "SELECT row FROM events ORDER BY number LIMIT $most", ("$most", most));
            using var reader = command.ExecuteReader();
            var rows = new List<AuditRow>();
            while (reader.Read())
            {
                rows.Add(SpooledEvent.Read(reader[0]));
            }
            return rows;
        }
    }

    /// <summary>Forgets what the database has confirmed.</summary>
    public void Forget(long upTo)
    {
        lock (_gate)
        {
            using var command = Command("DELETE FROM events WHERE number <= $number", ("$number", upTo));
            Interlocked.Add(ref _waiting, -command.ExecuteNonQuery());
        }
    }

    /// <summary>Begins a new chain with the events that wait. For a file that was rolled back: the database
    /// has other events under their numbers.</summary>
    public void BeginChain(string node)
    {
        lock (_gate)
        {
            var waiting = Oldest(MostWaiting);
            InTransaction_NeedsLock(() =>
            {
                Run("DELETE FROM events");
                (_chain, Number, _head) = (NewChain(node), 0, AuditChain.Beginning);
                return Insert(waiting.Select(row => (SpooledEvent.Of(row), row.Timestamp)));
            });
        }
    }

    public async ValueTask DisposeAsync()
    {
        _queue.Writer.TryComplete();
        await _writing;
        await _file.DisposeAsync();
    }

    private async Task WriteAsync()
    {
        var batch = new List<(AuditEvent Event, DateTime Time, TaskCompletionSource Done)>();
        while (await _queue.Reader.WaitToReadAsync())
        {
            batch.Clear();
            while (batch.Count < LargestBatch && _queue.Reader.TryRead(out var next))
            {
                batch.Add(next);
            }
            try
            {
                _written(Commit([.. batch.Select(one => (one.Event, one.Time))]));
                batch.ForEach(one => one.Done.SetResult());
            }
            catch (Exception fault)
            {
                // Whatever it is: whoever waits is told, and the next batch is tried.
                var why = new IOException($"The audit file takes no events: {fault.Message}", fault);
                batch.ForEach(one => one.Done.SetException(why));
            }
        }
    }

    private List<AuditRow> Commit(IReadOnlyList<(AuditEvent, DateTime)> events)
    {
        if (Waiting >= MostWaiting)
        {
            throw new IOException($"{MostWaiting} events wait for the database already.");
        }
        lock (_gate)
        {
            var rows = InTransaction_NeedsLock(() => Insert(events));
            Interlocked.Add(ref _waiting, rows.Count);
            return rows;
        }
    }

    /// <summary>What is in memory follows the file, also when the file takes nothing.</summary>
    private List<AuditRow> InTransaction_NeedsLock(Func<List<AuditRow>> write)
    {
        var before = (_chain, Number, _head);
        try
        {
            using var transaction = _file.BeginTransaction();
            var rows = write();
            transaction.Commit();
            return rows;
        }
        catch (SqliteException)
        {
            (_chain, Number, _head) = before;
            throw;
        }
    }

    private List<AuditRow> Insert(IEnumerable<(AuditEvent Event, DateTime Time)> events)
    {
        var rows = new List<AuditRow>();
        foreach (var (one, time) in events)
        {
            var row = RowOf(one, time, Number + 1, hash: []);
            row = RowOf(one, time, row.Number, AuditChain.HashOf(row, _head, _key));
            Run("INSERT INTO events VALUES ($number, $row)",
                ("$number", row.Number), ("$row", SpooledEvent.Write(row)));
            (Number, _head) = (row.Number, row.Hash);
            rows.Add(row);
        }
        Run("UPDATE head SET chain = $chain, number = $number, hash = $hash",
            ("$chain", _chain), ("$number", Number), ("$hash", _head));
        return rows;
    }

    private AuditRow RowOf(AuditEvent one, DateTime time, long number, byte[] hash) => new()
    {
        Chain = _chain, Number = number, EventType = one.EventType, UserId = one.UserId, Jti = one.Jti,
        TokenType = one.TokenType, Reason = one.Reason, Actor = one.Actor, ActorType = one.ActorType,
        Ip = one.Ip, UserAgent = one.UserAgent, RequestId = one.RequestId, Note = one.Note,
        Count = one.Count, Timestamp = time, KeyId = _key.Id, Hash = hash, Record = one.Record,
    };

    private void Prepare(string node)
    {
        Run("""
            PRAGMA locking_mode=EXCLUSIVE; PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL;
            CREATE TABLE IF NOT EXISTS events (number INTEGER PRIMARY KEY, row TEXT NOT NULL);
            CREATE TABLE IF NOT EXISTS head (id INTEGER PRIMARY KEY, chain TEXT, number INTEGER, hash BLOB);
            """);
        Run("INSERT OR IGNORE INTO head VALUES (1, $chain, 0, $hash)",
            ("$chain", NewChain(node)), ("$hash", AuditChain.Beginning));
    }

    /// <summary>SQLite does not look at types, so this does.</summary>
    private (string Chain, long Number, byte[] Hash) ReadHead()
    {
        using var command = Command("SELECT chain, number, hash FROM head");
        using var reader = command.ExecuteReader();
        reader.Read();
        return reader[0] is string { Length: > 0 } chain && reader[1] is long number and >= 0
            && reader[2] is byte[] { Length: HMACSHA256.HashSizeInBytes } hash && !reader.Read()
            ? (chain, number, hash)
            : throw new InvalidDataException("the head of its chain cannot be read");
    }

    /// <summary>All that waits is looked at once: what cannot be read could never be carried over, and a
    /// number that is taken would let no event in any more. Whether an event was changed is not asked here:
    /// its chain says so wherever it is read.</summary>
    private long CountWaiting()
    {
        using var command = Command("SELECT number, row FROM events ORDER BY number");
        using var reader = command.ExecuteReader();
        var (count, last, hash) = (0L, Number, _head);
        while (reader.Read())
        {
            var row = SpooledEvent.Read(reader[1]);
            if (reader[0] is not long number || row.Number != number || row.Chain != _chain
                || (count > 0 && number != last + 1))
            {
                throw new InvalidDataException($"event {row.Number} does not belong into its chain");
            }
            (count, last, hash) = (count + 1, number, row.Hash);
        }
        return last == Number && hash.AsSpan().SequenceEqual(_head)
            ? count
            : throw new InvalidDataException($"its chain ends at event {last}, and its head says {Number}");
    }

    private static string NewChain(string node) => $"{node}/{Guid.NewGuid().ToString("n")[..8]}";

    private SqliteCommand Command(string sql, params ReadOnlySpan<(string Name, object Value)> values)
    {
        var command = _file.CreateCommand();
        command.CommandText = sql;
        foreach (var (name, value) in values)
        {
            command.Parameters.AddWithValue(name, value);
        }
        return command;
    }

    private object? Run(string sql, params ReadOnlySpan<(string Name, object Value)> values)
    {
        using var command = Command(sql, values);
        return command.ExecuteScalar();
    }
}
