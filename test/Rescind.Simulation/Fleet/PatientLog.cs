namespace Rescind.Simulation;

/// <summary>The log of a node whose end cancels its waits, but neither a read nor an append: the product waits for an append
/// so that giving up is noticed on a thread of the pool, of which this world has none. It also sees how long the feed takes,
/// which reads and gives back, and when appends are answered.</summary>
/// <param name="log">The log.</param>
/// <param name="reads">Is told of what the feed begins.</param>
/// <param name="answered">Is told of entries when their append was answered.</param>
/// <param name="isHeld">Whether the node holds an entry: what its callers append it does not hold yet. Nor can it be
/// cancelled; but what is given back for a check that waits cannot either.</param>
internal sealed class PatientLog(
    IRevocationLog log, Reads reads, Action<LogEntry> answered, Func<LogEntry, bool> isHeld) : IRevocationLog
{
    public bool IsShared => log.IsShared;

    public LogStatus Status => log.Status;

    public async ValueTask<LogPosition> AppendAsync(ReadOnlyMemory<LogEntry> batch, CancellationToken cancel)
    {
        cancel.ThrowIfCancellationRequested();
        var entries = batch.ToArray();
        var isGivenBack = cancel.CanBeCanceled || entries.Any(isHeld);
        var append = log.AppendAsync(batch, CancellationToken.None);
        var position = await (isGivenBack ? reads.BegunAsync(append) : append);
        Array.ForEach(entries, answered);
        return position;
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
