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
        : IAsyncDisposable
{
    /// <summary>How long one call may take. The check's path has its own, shorter limit in the
    /// core.</summary>
    public static readonly TimeSpan Limit = TimeSpan.FromSeconds(2);

    private const int ReplicationLimitMs = 500;

    private readonly SemaphoreSlim _connecting = new(1, 1);
    private ConnectionMultiplexer? _pool;
    private int _away;

    public RedisKey Stream => keys[0];

    public RedisKey Fleet => keys[1];

    public int Database => configuration.DefaultDatabase ?? 0;

    /// <summary>Runs a script on the master.</summary>
    /// <exception cref="IOException">No answer in time, or a refusal.</exception>
    public Task<RedisResult> RunAsync(string script, RedisValue[] arguments, CancellationToken cancel) =>
        CallAsync(
            database =>
                database.ScriptEvaluateAsync(script, keys, arguments, CommandFlags.DemandMaster), cancel);

    /// <summary>As <c>RunAsync</c>, and says whether half the servers have what the script wrote.</summary>
    /// <param name="script">The script.</param>
    /// <param name="arguments">Its arguments.</param>
    /// <param name="servers">How many servers there are, from the answer.</param>
    /// <param name="cancel">Gives up.</param>
    public async Task<(RedisResult Answer, bool IsReplicated)> RunAsync(
        string script, RedisValue[] arguments, Func<RedisResult, int> servers, CancellationToken cancel)
    {
        await ConnectAsync(cancel);
        var sockets = Sockets;
        var answer = await RunAsync(script, arguments, cancel);
        var needed = servers(answer) / 2;
        return (answer, needed == 0 || await IsReplicatedAsync(needed, sockets, cancel));
    }

    /// <summary>Calls the server.</summary>
    /// <exception cref="IOException">No answer in time, or a refusal.</exception>
    public async Task<T> CallAsync<T>(Func<IDatabase, Task<T>> call, CancellationToken cancel)
    {
        try
        {
            var pool = await ConnectAsync(cancel);
            var result = await call(pool.GetDatabase()).WaitAsync(Limit, clock, cancel);
            if (Interlocked.Exchange(ref _away, 0) == 1)
            {
                Log.Restored(logger);
            }
            return result;
        }
        catch (Exception fault) when (IsOfRedis(fault))
        {
            throw Explained(fault);
        }
    }

    /// <summary>Subscribes; the client does so again whenever its connection comes back.</summary>
    /// <exception cref="IOException">Refused, or the server is away.</exception>
    public async Task SubscribeAsync(string channel, Action<byte[]> received, CancellationToken cancel)
    {
        try
        {
            var pool = await ConnectAsync(cancel);
            await pool.GetSubscriber()
                .SubscribeAsync(RedisChannel.Literal(channel), (_, message) => received((byte[])message!))
                .WaitAsync(Limit, clock, cancel);
        }
        catch (Exception fault) when (IsOfRedis(fault))
        {
            throw new IOException(SentenceOf(fault), fault);
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

    /// <summary>How many sockets this pool has ever opened. <c>WAIT</c> says something about the writes of
    /// its own connection only; on a new one it confirms at once, though no replica has anything.</summary>
    private long Sockets => _pool?.GetCounters().Interactive.SocketCount ?? 0;

    private async Task<bool> IsReplicatedAsync(int needed, long sockets, CancellationToken cancel)
    {
        var confirmed = await CallAsync(
            database => database.ExecuteAsync(
                "WAIT", new object[] { needed, ReplicationLimitMs }, CommandFlags.DemandMaster),
            cancel);
        return (int)confirmed >= needed && Sockets == sockets;
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
                if (pool.IsConnected)
                {
                    Log.Connected(logger, string.Join(", ", pool.GetEndPoints().Select(one =>
                        one.ToString())));
                }
                Volatile.Write(ref _pool, pool);
            }
            return _pool;
        }
        catch (Exception fault) when (IsOfRedis(fault))
        {
            throw Explained(fault);
        }
        finally
        {
            _connecting.Release();
        }
    }

    private IOException Explained(Exception fault)
    {
        var sentence = SentenceOf(fault);
        if (fault is not RedisServerException && Interlocked.Exchange(ref _away, 1) == 0)
        {
            Log.Lost(logger, sentence);
        }
        return new IOException(sentence, fault);
    }

    private static bool IsOfRedis(Exception fault) =>
        fault is RedisException or RedisCommandException or TimeoutException or ObjectDisposedException;

    /// <summary>The client's own messages run to a page of counters; a server's refusal is one line, and
    /// names no secret.</summary>
    private static string SentenceOf(Exception fault) => fault switch
    {
        TimeoutException => $"Redis did not answer within {Limit.TotalSeconds:0} s.",
        RedisServerException => $"Redis refused: {fault.Message.Split('\n')[0]}",
        RedisConnectionException { FailureType: ConnectionFailureType.AuthenticationFailure } =>
            "Redis refused the user or password.",
        RedisConnectionException connection => $"Redis cannot be reached ({connection.FailureType}).",
        _ => "The connection to Redis is closed.",
    };
}
