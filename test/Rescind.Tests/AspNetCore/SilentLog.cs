namespace Rescind.Tests.AspNetCore;

/// <summary>A shared log whose answers a test can hold back or turn into faults. Keeps nothing but a
/// count.</summary>
internal sealed class SilentLog : IRevocationLog
{
    private readonly List<LogEntry> _entries = [];
    private readonly TaskCompletionSource _never = new(TaskCreationOptions.RunContinuationsAsynchronously);

    public enum Mood
    {
        /// <summary>Answers.</summary>
        Well,

        /// <summary>Throws at once.</summary>
        Failing,

        /// <summary>Answers when it is cancelled, and not before.</summary>
        Hanging,
    }

    public Mood Reads { get; set; }

    public Mood Appends { get; set; }

    public bool IsShared { get; init; } = true;

    public LogStatus Status { get; init; } = new() { Store = "silent" };

    public async ValueTask<LogPosition> AppendAsync(ReadOnlyMemory<LogEntry> batch, CancellationToken cancel)
    {
        await Be(Appends, cancel);
        lock (_entries)
        {
            _entries.AddRange(batch.ToArray());
            return new LogPosition((ulong)_entries.Count, 1);
        }
    }

    public async ValueTask<LogBatch> ReadAsync(LogPosition after, int max, CancellationToken cancel)
    {
        await Be(Reads, cancel);
        lock (_entries)
        {
            var some = _entries.Skip((int)after.Number).Take(max).ToArray();
            var position = (ulong)some.Length + after.Number;
            return new LogBatch
            {
                Entries = some,
                Position = position == 0 ? default : new LogPosition(position, 1),
                AtTail = position == (ulong)_entries.Count,
                Time = DateTimeOffset.UtcNow,
            };
        }
    }

    public async ValueTask WaitAsync(LogPosition after, CancellationToken cancel)
    {
        try
        {
            await _never.Task.WaitAsync(TimeSpan.FromMilliseconds(20), cancel);
        }
        catch (Exception ended) when (ended is TimeoutException or OperationCanceledException)
        {
            // Early or cancelled: the contract lets a wait return for either.
            return;
        }
    }

    public ValueTask<CompactionResult> CompactAsync(DateTimeOffset now, CancellationToken cancel) =>
        Appends == Mood.Failing ? throw new IOException("The disk is away.") : default;

    private async Task Be(Mood mood, CancellationToken cancel)
    {
        switch (mood)
        {
            case Mood.Failing:
                throw new IOException("The log is away.");
            case Mood.Hanging:
                await _never.Task.WaitAsync(cancel);
                break;
            default:
                break;
        }
    }
}
