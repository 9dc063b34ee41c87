namespace Rescind.Redis;

/// <summary>
/// Collects what callers append while one call is under way and sends it with the next: many callers then
/// share one script call, one confirmation by replicas and one announcement. Each caller gets the position of
/// its own last entry.
/// </summary>
internal sealed class AppendQueue(Func<LogEntry[], Task<AppendQueue.Flight>> append)
{
    /// <summary>At most so many entries go together, unless one caller brings more.</summary>
    private const int MostEntries = 16_384;

    private readonly Lock _gate = new();
    private readonly Queue<Caller> _waiting = [];
    private bool _isFlying;

    /// <summary>What one call brought: the packs' positions with the numbers of entries in them, in
    /// order.</summary>
    public sealed record Flight(IReadOnlyList<(LogPosition Id, int Count)> Packs, Receipts.Audience Audience)
    {
        /// <summary>The position of an entry by its place in the call, from 1.</summary>
        public LogPosition PositionOf(int place)
        {
            var end = 0;
            foreach (var (id, count) in Packs)
            {
                end += count;
                if (place <= end)
                {
                    return new LogPosition(id.Number - (ulong)(end - place), id.History);
                }
            }
            throw new ArgumentOutOfRangeException(nameof(place), place, "There are not so many entries.");
        }
    }

    private sealed record Caller(ReadOnlyMemory<LogEntry> Batch)
    {
        public TaskCompletionSource<(LogPosition, Receipts.Audience)> Done { get; } =
            new(TaskCreationOptions.RunContinuationsAsynchronously);
    }

    public Task<(LogPosition Position, Receipts.Audience Audience)> AddAsync(ReadOnlyMemory<LogEntry> batch)
    {
        var caller = new Caller(batch);
        lock (_gate)
        {
            _waiting.Enqueue(caller);
            if (!_isFlying)
            {
                _isFlying = true;
                _ = FlyAsync();
            }
        }
        return caller.Done.Task;
    }

    private async Task FlyAsync()
    {
        while (true)
        {
            List<Caller> aboard;
            lock (_gate)
            {
                aboard = Board_NeedsLock();
                if (aboard.Count == 0)
                {
                    _isFlying = false;
                    return;
                }
            }
            await FlyAsync(aboard);
        }
    }

    private async Task FlyAsync(List<Caller> aboard)
    {
        try
        {
            var entries = new LogEntry[aboard.Sum(caller => caller.Batch.Length)];
            var used = 0;
            foreach (var caller in aboard)
            {
                caller.Batch.CopyTo(entries.AsMemory(used));
                used += caller.Batch.Length;
            }
            var flight = await append(entries);
            var place = 0;
            foreach (var caller in aboard)
            {
                place += caller.Batch.Length;
                caller.Done.SetResult((flight.PositionOf(place), flight.Audience));
            }
        }
        catch (Exception fault)
        {
            foreach (var caller in aboard)
            {
                caller.Done.TrySetException(fault);
            }
        }
    }

    private List<Caller> Board_NeedsLock()
    {
        var (aboard, entries) = (new List<Caller>(), 0);
        while (_waiting.TryPeek(out var next)
            && (aboard.Count == 0 || entries + next.Batch.Length <= MostEntries))
        {
            aboard.Add(_waiting.Dequeue());
            entries += next.Batch.Length;
        }
        return aboard;
    }
}
