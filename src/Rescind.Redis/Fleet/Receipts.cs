namespace Rescind.Redis;

/// <summary>
/// Says of an append how many processes have applied it. Expected are those that the registry listed at the
/// instant of the append and that may hold a lease; whoever joins later reads the entries first.
/// Confirmations arrive by push; when none does, a look at the registry every eighth of a bound replaces it.
/// </summary>
internal sealed class Receipts(FleetWatch watch, Heartbeats heartbeats, Signal confirmed, TimeSpan bound,
    TimeProvider clock)
{
    private readonly Lock _gate = new();
    private readonly Dictionary<LogPosition, Audience> _pending = [];
    private readonly Queue<LogPosition> _order = [];

    /// <summary>Who must confirm an append.</summary>
    /// <param name="Stay">The stay in an epoch that it was made in.</param>
    /// <param name="Others">Other processes with their heartbeat counters then; null: nobody can be
    /// counted.</param>
    /// <param name="Answered">When the append was answered, by the monotonic clock.</param>
    public sealed record Audience(
        (string Epoch, int Number) Stay, Dictionary<string, ulong>? Others, long Answered);

    public void Expect(LogPosition position, Audience audience)
    {
        lock (_gate)
        {
            while (_order.TryPeek(out var oldest)
                && clock.GetElapsedTime(_pending[oldest].Answered) > watch.LongestBound * 3)
            {
                _pending.Remove(_order.Dequeue());
            }
            if (_pending.TryAdd(position, audience))
            {
                _order.Enqueue(position);
            }
        }
    }

    public async ValueTask<(int Confirmed, int Expected)> ReachAsync(LogPosition position,
        CancellationToken cancel)
    {
        while (true)
        {
            var version = confirmed.Version;
            var (done, expected) = Count(position);
            if (done >= expected || (cancel.IsCancellationRequested && !MayBeUnknown(position)))
            {
                return (done, expected);
            }
            if (cancel.IsCancellationRequested)
            {
                await Task.Delay(bound / 8, clock, CancellationToken.None);
            }
            else if (!await confirmed.WaitAsync(version, bound / 8, clock, cancel)
                && !cancel.IsCancellationRequested)
            {
                await LookAsync(cancel);
            }
        }
    }

    private (int Confirmed, int Expected) Count(LogPosition position)
    {
        Audience? audience;
        lock (_gate)
        {
            audience = _pending.GetValueOrDefault(position);
        }
        if (audience?.Others is not { } others || audience.Stay != watch.Stay)
        {
            return (0, Math.Max(1, (audience?.Others?.Count ?? 0) + 1));
        }
        var (done, expected) = (1, 1);
        foreach (var (key, beat) in others)
        {
            var hasConfirmed = watch.HasConfirmed(audience.Stay.Epoch, key, position.Number);
            if (hasConfirmed || !watch.HoldsNoLease(key, beat))
            {
                expected++;
                done += hasConfirmed ? 1 : 0;
            }
        }
        return (done, expected);
    }

    /// <summary>Whether a lease that is longer than the caller's wait may lack an append: this process heard
    /// of it when the append was under way.</summary>
    private bool MayBeUnknown(LogPosition position)
    {
        lock (_gate)
        {
            return watch.IsHeldBack && _pending.GetValueOrDefault(position) is { } audience
                && clock.GetElapsedTime(audience.Answered) < watch.LongestBound * 1.25;
        }
    }

    private async Task LookAsync(CancellationToken cancel)
    {
        try
        {
            await heartbeats.LookAsync(cancel);
        }
        catch (Exception fault) when (
            fault is IOException or OperationCanceledException or FleetSettingsException)
        {
            // The log is away, the wait is over, or the fleet has begun anew with other settings, of which
            // the feed speaks; what is known stands, and the wait has its own end.
        }
    }
}
