using System.Security.Cryptography;

namespace Rescind;

/// <summary>
/// A log in this process's memory: the default when no store is chosen, and the shortest example of the
/// contract. Guarantees what the contract says while the process lives; at its end everything is lost, which
/// health reports.
/// </summary>
internal sealed class MemoryLog(TimeProvider clock) : IRevocationLog
{
    private readonly Lock _gate = new();
    private readonly ulong _history = BitConverter.ToUInt64(RandomNumberGenerator.GetBytes(8));
    private List<(ulong Number, LogEntry Entry)> _entries = [];
    private ulong _last;
    private uint _horizon;
    private TaskCompletionSource _appended = NewSignal();

    public bool IsShared => false;

    public LogStatus Status { get; } = new()
    {
        Store = "memory",
        Warnings =
        [
            "Revocations are kept in memory only: they are lost at a restart and no other process sees them. "
            + "Choose a store, for example AddTokenBlacklist().UseSqlite(\"rescind.db\").",
        ],
    };

    public ValueTask<LogPosition> AppendAsync(ReadOnlyMemory<LogEntry> batch, CancellationToken cancel)
    {
        cancel.ThrowIfCancellationRequested();
        lock (_gate)
        {
            foreach (ref readonly var entry in batch.Span)
            {
                _entries.Add((++_last, entry));
            }
            _appended.SetResult();
            _appended = NewSignal();
            return ValueTask.FromResult(new LogPosition(_last, _history));
        }
    }

    public ValueTask<LogBatch> ReadAsync(LogPosition after, int max, CancellationToken cancel)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(max, 1);
        cancel.ThrowIfCancellationRequested();
        lock (_gate)
        {
            var found = after == default || (after.History == _history && after.Number <= _last);
            var first = found ? FirstAfter(after.Number) : _entries.Count;
            var taken = _entries.Skip(first).Take(max).ToList();
            return ValueTask.FromResult(new LogBatch
            {
                Entries = taken.Select(line => line.Entry).ToArray(),
                Position = taken.Count == 0 ? after : new LogPosition(taken[^1].Number, _history),
                AtTail = found && first + taken.Count == _entries.Count,
                Found = found,
                Time = clock.GetUtcNow(),
                Horizon = DateTimeOffset.FromUnixTimeSeconds(_horizon),
            });
        }
    }

    public async ValueTask WaitAsync(LogPosition after, CancellationToken cancel)
    {
        Task appended;
        lock (_gate)
        {
            if (after.Number < _last || (after != default && after.History != _history))
            {
                return;
            }
            appended = _appended.Task;
        }
        await appended.WaitAsync(cancel).ConfigureAwait(
            ConfigureAwaitOptions.SuppressThrowing | ConfigureAwaitOptions.ContinueOnCapturedContext);
    }

    public ValueTask<CompactionResult> CompactAsync(DateTimeOffset now, CancellationToken cancel)
    {
        lock (_gate)
        {
            var before = _entries.Count;
            var dead = _entries.Where(line => IsDead(line.Number, line.Entry, now)).ToList();
            foreach (var (_, entry) in dead.Where(line => !line.Entry.IsLift))
            {
                _horizon = Math.Max(_horizon, entry.Expiry);
            }
            _entries = _entries.Where(line => !IsDead(line.Number, line.Entry, now)).ToList();
            return ValueTask.FromResult(
                new CompactionResult(dead.Count, before * EntrySize, _entries.Count * EntrySize));
        }
    }

    private static long EntrySize => System.Runtime.CompilerServices.Unsafe.SizeOf<(ulong, LogEntry)>();

    private bool IsDead(ulong number, in LogEntry entry, DateTimeOffset now) =>
        number != _last && entry.Expiry != LogEntry.Never && entry.ExpiresAt < now;

    /// <summary>Where the entries after a number begin; numbers have gaps once compaction ran.</summary>
    private int FirstAfter(ulong number)
    {
        var (low, high) = (0, _entries.Count);
        while (low < high)
        {
            var middle = (low + high) / 2;
            (low, high) = _entries[middle].Number <= number ? (middle + 1, high) : (low, middle);
        }
        return low;
    }

    private static TaskCompletionSource NewSignal() =>
        new(TaskCreationOptions.RunContinuationsAsynchronously);
}
