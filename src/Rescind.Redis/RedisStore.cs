using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Logging.Abstractions;
using Rescind.Redis;

namespace Rescind;

/// <summary>A log in Redis that a fleet of nodes shares. For programs without dependency injection; with it,
/// <c>UseRedis</c> does the same.</summary>
public sealed class RedisStore : IAsyncDisposable
{
    private readonly RedisRevocationLog _log;

    private RedisStore(RedisRevocationLog log) => _log = log;

    /// <summary>The revocations.</summary>
    public IRevocationLog Log => _log;

    /// <summary>Prepares the log; nothing is connected yet, and a Redis that is away is no error
    /// here.</summary>
    /// <param name="configuration"><c>redis://[user:pass@]host[:port][/db]</c>, <c>rediss://…</c> with TLS,
    /// or a connection string of StackExchange.Redis.</param>
    /// <param name="blacklist">The options of the blacklist that uses the log; its freshness, longest
    /// lifetime and clock skew must be the same on all nodes.</param>
    /// <param name="redis">Names. Default: <see cref="RedisOptions"/> as it is made.</param>
    /// <param name="clock">The clock. Default: the system's.</param>
    /// <param name="logger">Where to log. Default: nowhere.</param>
    /// <exception cref="ArgumentException">The configuration or an option is malformed; the message says how
    /// to write it and repeats no password.</exception>
    public static RedisStore Open(
        string configuration,
        BlacklistOptions? blacklist = null,
        RedisOptions? redis = null,
        TimeProvider? clock = null,
        ILogger<RedisStore>? logger = null)
    {
        ArgumentException.ThrowIfNullOrEmpty(configuration);
        redis ??= new RedisOptions();
        if (redis.Fault() is { } fault)
        {
            throw new ArgumentException(fault, nameof(redis));
        }
        var parsed = RedisAddress.Parse(configuration);
        var names = new RedisNames(redis.Prefix, redis.Node, parsed.DefaultDatabase ?? 0);
        var seal = redis.LogKey is { } key ? new LogSeal(key, redis.Prefix) : null;
        var lines = (ILogger?)logger ?? NullLogger.Instance;
        clock ??= TimeProvider.System;
        var link = new RedisLink(parsed, names.Keys, clock, lines);
        return new RedisStore(new RedisRevocationLog(
            link, names, blacklist ?? new(), seal, clock, lines, redis.Servers));
    }

    /// <summary>Looks at the server as a careful operator would: eviction, persistence, version, replicas,
    /// encryption. The log does so too, with its first read and every hour, and reports what is unsafe in
    /// <see cref="IRevocationLog.Status"/>.</summary>
    /// <param name="cancel">Gives up.</param>
    /// <returns>What was found; empty: nothing to mend.</returns>
    /// <exception cref="IOException">The server is away or refuses this user.</exception>
    public Task<IReadOnlyList<RedisFinding>> InspectAsync(CancellationToken cancel = default) =>
        _log.InspectAsync(cancel);

    /// <summary>Leaves the fleet and closes the connections.</summary>
    public ValueTask DisposeAsync() => _log.DisposeAsync();
}
