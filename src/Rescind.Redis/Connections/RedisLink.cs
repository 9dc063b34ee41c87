using System.Net;
using Microsoft.Extensions.Logging;
using StackExchange.Redis;

namespace Rescind.Redis;

/// <summary>
/// The way to the server: a connection pool of the log's own, because <c>WAIT</c> blocks the connection it
/// runs on. Every call ends within <see cref="Limit"/>, and every fault of the client is an <see
/// cref="IOException"/> whose message carries no password. Commands are never queued for a server that is
/// away: a late append would be kept after its caller was told that it failed.
/// </summary>
internal sealed class RedisLink(
    ConfigurationOptions configuration, RedisKey[] keys, TimeProvider clock, ILogger logger)
        : IRedisLink
{
    /// <summary>How long one call may take. The check's path has its own, shorter limit in the
    /// core.</summary>
    public static readonly TimeSpan Limit = TimeSpan.FromSeconds(2);

    private const int ReplicationLimitMs = 500;

    private readonly SemaphoreSlim _connecting = new(1, 1);
    private readonly FaultTally _faults = new(clock);
    private ConnectionMultiplexer? _pool;
    private volatile ConnectionFailureType _failure;
    private int _away;
    private int _isSaid;
    private long _lookedForMaster;

    public RedisKey Stream => keys[0];

    public RedisKey Fleet => keys[1];

    public int Database => configuration.DefaultDatabase ?? 0;

    public bool IsConnected => _pool is not null && Volatile.Read(ref _away) == 0;

    public long FaultsInLastHour => _faults.InLastHour;

    /// <summary>A Cluster that has moved the slot is not followed within the
    /// call: the client learns the new place, the caller tries again, and it stays known which server
    /// answered.</summary>
    public Task<RedisResult> RunAsync(string script, RedisValue[] arguments, CancellationToken cancel) =>
        CallAsync(
            database => database.ScriptEvaluateAsync(
                script, keys, arguments, CommandFlags.DemandMaster | CommandFlags.NoRedirect),
            cancel);

    public async Task<(RedisResult Answer, bool IsReplicated)> RunAsync(
        string script, RedisValue[] arguments, Func<RedisResult, int> servers, CancellationToken cancel)
    {
        var way = await WayAsync(cancel);
        var answer = await RunAsync(script, arguments, cancel);
        var needed = servers(answer) / 2;
        return (answer, needed == 0 || await IsReplicatedAsync(needed, way, cancel));
    }

    public Task<RedisResult> ExecuteAsync(string command, object[] arguments, CancellationToken cancel) =>
        CallAsync(
            database => database.ExecuteAsync(command, arguments, CommandFlags.DemandMaster), cancel);

    /// <summary>Calls the log's database.</summary>
    /// <exception cref="IOException">No answer in time, or a refusal.</exception>
    public Task<T> CallAsync<T>(Func<IDatabase, Task<T>> call, CancellationToken cancel) =>
        UseAsync(pool => call(pool.GetDatabase()), cancel);

    public DateTimeOffset Now => clock.GetUtcNow();

    /// <summary>All keys of this database that fit a pattern, from every master. Each page has the limit of a
    /// call, the whole has none.</summary>
    /// <exception cref="IOException">No answer in time, or a refusal.</exception>
    public async Task<IReadOnlyList<RedisKey>> ScanAsync(string pattern, CancellationToken cancel)
    {
        var pool = await ConnectAsync(cancel);
        var found = new List<RedisKey>();
        try
        {
            var masters = pool.GetServers().Where(one => one is { IsConnected: true, IsReplica: false });
            foreach (var server in masters)
            {
                var keysHere = server.KeysAsync(Database, pattern, pageSize: 1_000);
                await foreach (var key in keysHere.WithCancellation(cancel))
                {
                    found.Add(key);
                }
            }
            return found;
        }
        catch (Exception fault) when (RedisFaults.AreOf(fault))
        {
            throw Explained(fault);
        }
    }

    public async Task<ServerReport> ReportAsync(CancellationToken cancel)
    {
        await CallAsync(database => database.PingAsync(CommandFlags.DemandMaster), cancel);
        var server = Master(await ConnectAsync(cancel))
            ?? throw new IOException("No master of Redis is connected.");
        var info = await AskAsync(server, "INFO", [], cancel);
        var snapshots = await AskAsync(server, "CONFIG", ["GET", "save"], cancel);
        return ServerReport.OfInfo(info?.ToString()) with
        {
            Snapshots = snapshots is { Length: 2 } ? snapshots[1].ToString() : null,
            IsEncrypted = configuration.Ssl,
            IsLocal = server.EndPoint switch
            {
                IPEndPoint one => IPAddress.IsLoopback(one.Address),
                DnsEndPoint one => one.Host == "localhost",
                _ => true,
            },
        };
    }

    public async Task SubscribeAsync(string channel, Action<byte[]> received, CancellationToken cancel)
    {
        var (name, handler) = (RedisChannel.Literal(channel), new Action<RedisChannel, RedisValue>(
            (_, message) => received((byte[])message!)));
        ISubscriber? subscriber = null;
        try
        {
            subscriber = (await ConnectAsync(cancel)).GetSubscriber();
            await subscriber.SubscribeAsync(name, handler).WaitAsync(Limit, clock, cancel);
        }
        catch (Exception fault)
        {
            // The client keeps the handler of a subscription that failed, and subscribes by itself later: the
            // next attempt would add another.
            subscriber?.Unsubscribe(name, handler, CommandFlags.FireAndForget);
            if (RedisFaults.AreOf(fault))
            {
                // No word of whether Redis is lost: calls have another connection, and tell.
                _faults.Count();
                throw new IOException(RedisFaults.SentenceOf(fault, _failure), fault);
            }
            throw;
        }
    }

    public async ValueTask DisposeAsync()
    {
        if (_pool is { } pool)
        {
            await pool.CloseAsync(allowCommandsToComplete: false);
            await pool.DisposeAsync();
        }
        _connecting.Dispose();
    }

    /// <summary>The log's master; null while none is connected, and then the next call says why.</summary>
    private IServer? Master(ConnectionMultiplexer pool)
    {
        try
        {
            return pool.GetServer(Stream, flags: CommandFlags.DemandMaster);
        }
        catch (InvalidOperationException)
        {
            return null;
        }
    }

    /// <summary>The server that scripts run on, and how many sockets to it there have ever been. <c>WAIT</c>
    /// says something about the writes of its own connection only; on a new one it confirms at once, though
    /// no replica has anything.</summary>
    private async Task<(IServer? Server, long Sockets)> WayAsync(CancellationToken cancel)
    {
        var server = Master(await ConnectAsync(cancel));
        return (server, server?.GetCounters().Interactive.SocketCount ?? 0);
    }

    private async Task<bool> IsReplicatedAsync(
        int needed, (IServer? Server, long Sockets) way, CancellationToken cancel)
    {
        if (way.Server is not { } server)
        {
            return false;
        }
        var confirmed = await UseAsync(_ => server.ExecuteAsync("WAIT", needed, ReplicationLimitMs), cancel);
        var after = await WayAsync(cancel);
        return (int)confirmed >= needed && after.Sockets == way.Sockets
            && Equals(after.Server?.EndPoint, server.EndPoint);
    }

    /// <summary>The answer to a command that a managed service may forbid; null: it does, which is no
    /// fault.</summary>
    private Task<RedisResult?> AskAsync(
        IServer server, string command, object[] arguments, CancellationToken cancel)
    {
        return UseAsync(_ => AnswerAsync(), cancel);

        async Task<RedisResult?> AnswerAsync()
        {
            try
            {
                return await server.ExecuteAsync(command, arguments);
            }
            catch (RedisServerException)
            {
                return null;
            }
        }
    }

    private async Task<T> UseAsync<T>(Func<ConnectionMultiplexer, Task<T>> call, CancellationToken cancel)
    {
        try
        {
            var pool = await ConnectAsync(cancel);
            var result = await call(pool).WaitAsync(Limit, clock, cancel);
            if (Interlocked.Exchange(ref _away, 0) == 1)
            {
                Log.Restored(logger);
            }
            return result;
        }
        catch (Exception fault) when (RedisFaults.AreOf(fault))
        {
            if (RedisFaults.MayBeOfAnotherMaster(fault))
            {
                _ = FindMasterAsync();
            }
            throw Explained(fault);
        }
    }

    /// <summary>The client itself looks once a minute which server is the master; after a fault that is too
    /// late, so it looks at most every second.</summary>
    private async Task FindMasterAsync()
    {
        var (now, last) = (clock.GetTimestamp(), Interlocked.Read(ref _lookedForMaster));
        if (_pool is { } pool && clock.GetElapsedTime(last, now) > TimeSpan.FromSeconds(1)
            && Interlocked.CompareExchange(ref _lookedForMaster, now, last) == last)
        {
            await ((Task)pool.ConfigureAsync()).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }
    }

    private async Task<ConnectionMultiplexer> ConnectAsync(CancellationToken cancel)
    {
        if (_pool is { } known)
        {
            return known;
        }
        await _connecting.WaitAsync(cancel);
        try
        {
            if (_pool is null)
            {
                var pool = await ConnectionMultiplexer.ConnectAsync(configuration);
                pool.ConnectionFailed += (_, failed) => _failure = failed.FailureType;
                pool.ConnectionRestored += (_, _) =>
                {
                    _failure = ConnectionFailureType.None;
                    SayConnected(pool);
                };
                if (pool.IsConnected)
                {
                    SayConnected(pool);
                }
                Volatile.Write(ref _pool, pool);
            }
            return _pool;
        }
        catch (Exception fault) when (RedisFaults.AreOf(fault))
        {
            throw Explained(fault);
        }
        finally
        {
            _connecting.Release();
        }
    }

    /// <summary>Once; a Redis that was away at the start may come later.</summary>
    private void SayConnected(ConnectionMultiplexer pool)
    {
        if (Interlocked.Exchange(ref _isSaid, 1) == 0)
        {
            Log.Connected(logger, string.Join(", ", pool.GetEndPoints().Select(one => one.ToString())));
        }
    }

    private IOException Explained(Exception fault)
    {
        var sentence = RedisFaults.SentenceOf(fault, _failure);
        _faults.Count();
        if (fault is not RedisServerException && Interlocked.Exchange(ref _away, 1) == 0)
        {
            Log.Lost(logger, sentence);
        }
        return new IOException(sentence, fault);
    }
}
