using System.Diagnostics;
using StackExchange.Redis;

namespace Rescind.Benchmarks.Faults;

/// <summary>Checks all the time, on a thread of its own, and keeps how long each took in the histogram of the phase
/// in which it began.</summary>
internal sealed class WatchedChecks : IDisposable
{
    private const int ChecksAMillisecond = 50;

    private readonly ManualResetEventSlim _stop = new();
    private readonly Blacklist _blacklist;
    private readonly Thread _thread;
    private volatile Histogram _times = new();

    public WatchedChecks(Blacklist blacklist)
    {
        _blacklist = blacklist;
        _thread = new Thread(Run) { IsBackground = true };
        _thread.Start();
    }

    /// <summary>Goes on in a new histogram, and gives the old one.</summary>
    public Histogram Next() => Interlocked.Exchange(ref _times, new Histogram());

    public void Dispose()
    {
        _stop.Set();
        _thread.Join();
        _stop.Dispose();
    }

    private void Run()
    {
        // They outlive what is forgotten beside them; what ended before that is not accepted any more.
        var tokens = Jtis.Fresh(4096).Select(id =>
            FleetNode.Token(id) with { ExpiresAt = DateTimeOffset.UtcNow.AddDays(3) }).ToArray();
        var next = 0;
        while (!_stop.Wait(TimeSpan.FromMilliseconds(1)))
        {
            for (var i = 0; i < ChecksAMillisecond; i++)
            {
                var times = _times;
                var started = Stopwatch.GetTimestamp();
                var check = _blacklist.CheckAsync(tokens[next++ % tokens.Length]);
                var verdict = check.IsCompletedSuccessfully ? check.Result : check.AsTask().GetAwaiter().GetResult();
                times.Add(Stopwatch.GetElapsedTime(started).TotalNanoseconds, verdict == Verdict.Accepted);
            }
        }
    }
}

/// <summary>The named alternative: an awaited <c>EXISTS</c> each millisecond, with the client's own limits.</summary>
internal sealed class WatchedExists : IAsyncDisposable
{
    private readonly CancellationTokenSource _stop = new();
    private readonly ConnectionMultiplexer _pool;
    private readonly Task _loop;
    private volatile Histogram _times = new();

    private WatchedExists(ConnectionMultiplexer pool)
    {
        _pool = pool;
        _loop = Task.Run(RunAsync);
    }

    public static async Task<WatchedExists> StartAsync(string address) =>
        new(await ConnectionMultiplexer.ConnectAsync($"{address},abortConnect=false"));

    public Histogram Next() => Interlocked.Exchange(ref _times, new Histogram());

    public async ValueTask DisposeAsync()
    {
        await _stop.CancelAsync();
        await _loop;
        await _pool.DisposeAsync();
        _stop.Dispose();
    }

    private async Task RunAsync()
    {
        var (db, ids, next) = (_pool.GetDatabase(), Jtis.Fresh(4096), 0);
        using var pace = new PeriodicTimer(TimeSpan.FromMilliseconds(1));
        while (!_stop.IsCancellationRequested)
        {
            await pace.WaitForNextTickAsync();
            var (times, started, isGood) = (_times, Stopwatch.GetTimestamp(), true);
            try
            {
                await db.KeyExistsAsync("blacklist:" + ids[next++ % ids.Length]);
            }
            catch (Exception fault) when (fault is RedisException or TimeoutException)
            {
                isGood = false;
            }
            times.Add(Stopwatch.GetElapsedTime(started).TotalNanoseconds, isGood);
        }
    }
}
