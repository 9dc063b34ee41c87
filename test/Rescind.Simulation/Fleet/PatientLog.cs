namespace Rescind.Simulation;

/// <summary>The log of a node whose end cancels its waits, but neither a read nor an append: the product waits for an append
/// so that giving up is noticed on a thread of the pool, of which this world has none. Only the feed can be cancelled, so this
/// also sees how long it takes.</summary>
internal sealed class PatientLog(IRevocationLog log, Reads reads) : IRevocationLog
{
    public bool IsShared => log.IsShared;

    public LogStatus Status => log.Status;

    public ValueTask<LogPosition> AppendAsync(ReadOnlyMemory<LogEntry> batch, CancellationToken cancel)
    {
        cancel.ThrowIfCancellationRequested();
        var append = log.AppendAsync(batch, CancellationToken.None);
        return cancel.CanBeCanceled ? reads.BegunAsync(append) : append;
    }

    public ValueTask<LogBatch> ReadAsync(LogPosition after, int max, CancellationToken cancel)
    {
        cancel.ThrowIfCancellationRequested();
        return reads.BegunAsync(log.ReadAsync(after, max, CancellationToken.None));
    }

    public ValueTask WaitAsync(LogPosition after, CancellationToken cancel) => log.WaitAsync(after, cancel);

    public ValueTask<CompactionResult> CompactAsync(DateTimeOffset now, CancellationToken cancel) =>
        log.CompactAsync(now, cancel);

    public ValueTask<(int Confirmed, int Expected)> ReachAsync(LogPosition position, CancellationToken cancel) =>
        log.ReachAsync(position, cancel);

    public void Listen(Action<ReadOnlyMemory<LogEntry>> apply) => log.Listen(apply);

    public void Reconciled() => log.Reconciled();

    public void Owes(bool owes) => log.Owes(owes);

    public void Forgot(DateTimeOffset horizon) => log.Forgot(horizon);
}
