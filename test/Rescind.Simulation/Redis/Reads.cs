namespace Rescind.Simulation;

/// <summary>A process's reads of the log, as the network saw them: when they were sent, and which of them told it what
/// stands there. Times are of its monotonic clock.</summary>
internal sealed class Reads(World world, NodeClock clock)
{
    private readonly List<long> _underWay = [];
    private long _lastSent = long.MinValue;
    private long _newestGood = long.MinValue;
    private long _lastBad = long.MinValue;

    /// <summary>When the last one was sent that told it what stands in the log, by the time of the world.</summary>
    public long LastGoodAt { get; private set; } = long.MinValue;

    private long Now => clock.Reading.Monotonic;

    /// <summary>Whoever reads begins to, which may take giving something back before or after.</summary>
    public async ValueTask<T> BegunAsync<T>(ValueTask<T> read)
    {
        var begun = Now;
        _underWay.Add(begun);
        var hasCome = false;
        try
        {
            var answer = await read;
            hasCome = true;
            return answer;
        }
        finally
        {
            _underWay.Remove(begun);
            _lastBad = hasCome && !IsLate(begun) ? _lastBad : Now;
        }
    }

    /// <summary>A read is sent.</summary>
    /// <param name="read">What completes with it: whether it reached the end of a log that is whole, and half the servers
    /// confirmed it.</param>
    public async Task<T> SentAsync<T>(Func<Task<(T Answer, bool IsGood)>> read)
    {
        var (sent, sentAt) = (Now, world.Now);
        _lastSent = sent;
        var isGood = false;
        try
        {
            (var answer, isGood) = await read();
            return answer;
        }
        finally
        {
            (_newestGood, LastGoodAt) = isGood
                ? (Math.Max(_newestGood, sent), Math.Max(LastGoodAt, sentAt)) : (_newestGood, LastGoodAt);
            _lastBad = isGood ? _lastBad : Now;
        }
    }

    /// <summary>Whether the log cannot have told a call of this process what stands in it: a read that was sent since the
    /// call began has not arrived, or one failed so recently, or takes so long, that nobody waits for another.</summary>
    /// <param name="begun">When the call began.</param>
    /// <param name="bound">The freshness bound.</param>
    public bool AreBlind(long begun, TimeSpan bound) => _newestGood < begun
        && (_lastSent >= begun || _lastBad >= Now - bound.Ticks || _underWay.Exists(IsLate));

    private bool IsLate(long sent) => Now - sent >= Node.CatchUp.Ticks;
}
