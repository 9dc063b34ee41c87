// Counts that all nodes share: calls within a sliding window, and failures that lock something for a while.
// What it guarantees: one call to Redis each, at most so long; who cannot be counted there is told by an
// IOException, and counts locally. What it trades away: such keys have a time to live, so a Redis that evicts
// may forget a caller; nothing of the log depends on them.
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Logging.Abstractions;
using StackExchange.Redis;

namespace Rescind.Redis;

internal sealed class RedisWindows : IAsyncDisposable
{
    /// <summary>Longer than this nobody waits for a count.</summary>
    private static readonly TimeSpan Limit = TimeSpan.FromMilliseconds(50);

    /// <summary>Redis is left alone for this long after a fault, so that callers do not wait one after
    /// another.</summary>
    private static readonly TimeSpan Pause = TimeSpan.FromSeconds(1);

    private static readonly string Window = RedisScripts.Text("window.lua");

    private readonly RedisLink _link;
    private readonly TimeProvider _clock;
    private readonly string _prefix;
    private long _pausedSince = long.MinValue;

    private RedisWindows(RedisLink link, TimeProvider clock, string prefix) =>
        (_link, _clock, _prefix) = (link, clock, $"{{{prefix}}}:count:");

    public static RedisWindows Open(string configuration, TimeProvider clock, ILogger? logger = null)
    {
        var redis = new RedisOptions();
        var parsed = RedisAddress.Parse(configuration);
        var names = new RedisNames(redis.Prefix, redis.Node, parsed.DefaultDatabase ?? 0);
        return new RedisWindows(
            new RedisLink(parsed, names.Keys, clock, logger ?? NullLogger.Instance), clock, redis.Prefix);
    }

    /// <summary>Takes permits in a caller's window.</summary>
    /// <param name="caller">Who, and for what.</param>
    /// <param name="limit">How many permits a window has.</param>
    /// <param name="window">The window.</param>
    /// <param name="permits">How many are taken; 0: none, it is only looked whether one would be
    /// there.</param>
    /// <returns>Zero when they are granted; else when to ask again.</returns>
    /// <exception cref="IOException">Redis did not answer in time.</exception>
    public async Task<TimeSpan> TakeAsync(string caller, int limit, TimeSpan window, int permits)
    {
        var wait = await CallAsync(database => database.ScriptEvaluateAsync(
            Window, [_prefix + caller], [limit, (long)window.TotalMilliseconds, permits]));
        return TimeSpan.FromMilliseconds((long)wait);
    }

    /// <summary>Counts something that is forgotten a while after the last time.</summary>
    /// <exception cref="IOException">Redis did not answer in time.</exception>
    public async Task<long> CountAsync(string what, TimeSpan life)
    {
        const string Script = """
            local count = redis.call('INCR', KEYS[1])
            redis.call('PEXPIRE', KEYS[1], ARGV[1])
            return count
            """;
        return (long)await CallAsync(database => database.ScriptEvaluateAsync(
            Script, [_prefix + what], [(long)life.TotalMilliseconds]));
    }

    /// <summary>How often it was counted, and when that is forgotten.</summary>
    /// <exception cref="IOException">Redis did not answer in time.</exception>
    public async Task<(long Count, TimeSpan Life)> ReadAsync(string what)
    {
        const string Script = "return {redis.call('GET', KEYS[1]) or 0, redis.call('PTTL', KEYS[1])}";
        var answer = (RedisResult[])(await CallAsync(
            database => database.ScriptEvaluateAsync(Script, [_prefix + what], [])))!;
        return ((long)answer[0], TimeSpan.FromMilliseconds(Math.Max(0, (long)answer[1])));
    }

    /// <summary>Forgets a count.</summary>
    /// <exception cref="IOException">Redis did not answer in time.</exception>
    public Task ForgetAsync(string what) => CallAsync(database => database.KeyDeleteAsync(_prefix + what));

    public ValueTask DisposeAsync() => _link.DisposeAsync();

    private async Task<T> CallAsync<T>(Func<IDatabase, Task<T>> call)
    {
        var since = Interlocked.Read(ref _pausedSince);
        if (since != long.MinValue && _clock.GetElapsedTime(since) < Pause)
        {
            throw new IOException("Redis is left alone for a moment.");
        }
        try
        {
            return await _link.CallAsync(call, CancellationToken.None).WaitAsync(Limit, _clock);
        }
        catch (Exception fault) when (fault is IOException or TimeoutException)
        {
            Interlocked.Exchange(ref _pausedSince, _clock.GetTimestamp());
            throw fault as IOException ?? new IOException("Redis did not answer in time.", fault);
        }
    }
}
