namespace Rescind.Simulation;

/// <summary>The log of a node whose end cancels its waits, but neither a read nor an append: the product waits for an append
/// so that giving up is noticed on a thread of the pool, of which this world has none. It also sees how long the feed takes,
/// which reads and gives back.</summary>
/// <param name="log">The log.</param>
/// <param name="reads">Is told of what the feed begins.</param>
/// <param name="isHeld">Whether the node holds an entry: what its callers append it does not hold yet. Nor can it be
/// cancelled; but what is given back for a check that waits cannot either.</param>
internal sealed class PatientLog(IRevocationLog log, Reads reads, Func<LogEntry, bool> isHeld) : IRevocationLog
{
    public bool IsShared => log.IsShared;

    public LogStatus Status => log.Status;

    public ValueTask<LogPosition> AppendAsync(ReadOnlyMemory<LogEntry> batch, CancellationToken cancel)
    {
        cancel.ThrowIfCancellationRequested();
        var isGivenBack = cancel.CanBeCanceled || batch.ToArray().Any(isHeld);
        var append = log.AppendAsync(batch, CancellationToken.None);
        return isGivenBack ? reads.BegunAsync(append) : append;
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
