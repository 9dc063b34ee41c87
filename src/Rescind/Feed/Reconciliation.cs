namespace Rescind;

/// <summary>
/// Reads all of a log that is not the one that was read, then gives back every live revocation and lift that
/// this node holds and did not find, and reads on between: others give back the same. What has expired by
/// both clocks stays away: its lift may have been forgotten.
/// </summary>
internal sealed class Reconciliation(
    IRevocationLog log, RevocationIndex index, LogClock time, BlacklistOptions options, TimeProvider clock)
{
    public LogClock Time => time;

    /// <returns>The position that was read to, how many entries were found, how many given back.</returns>
    /// <exception cref="IOException">The log cannot be read or written, or was replaced again.</exception>
    public async Task<(LogPosition Position, int Found, int Given)> RunAsync(CancellationToken cancel)
    {
        var found = new HashSet<(RevocationId, bool)>();
        var position = await ReadOnAsync(default, found, cancel);
        var (read, given, dead, sent) = (found.Count, 0, time.DeadBefore, clock.GetTimestamp());
        var lost = new List<LogEntry>();
        for (var part = 0; part <= TokenTable.ShardCount; part++)
        {
            foreach (var some in index.Entries(part).Chunk(options.LargestBatch))
            {
                lost.AddRange(some.Where(entry =>
                    entry.Expiry >= dead && !found.Contains((entry.Id, entry.IsLift))));

                // A node that only looks and appends is silent to the others: they would give it up, and the
                // recovery would close without what it still holds.
                if (lost.Count >= options.LargestBatch
                    || clock.GetElapsedTime(sent) >= options.Freshness / 4)
                {
                    position = await ReadOnAsync(position, found, cancel);
                    given += await GiveAsync(lost, found, cancel);
                    sent = clock.GetTimestamp();
                }
            }
        }
        if (lost.Count != 0)
        {
            position = await ReadOnAsync(position, found, cancel);
            given += await GiveAsync(lost, found, cancel);
        }
        return (position, read, given);
    }

    /// <returns>How many were given: others may have given some of them meanwhile.</returns>
    private async Task<int> GiveAsync(
        List<LogEntry> lost, HashSet<(RevocationId, bool)> found, CancellationToken cancel)
    {
        var missing = lost.Where(entry => !found.Contains((entry.Id, entry.IsLift))).ToArray();
        lost.Clear();
        foreach (var batch in missing.Chunk(options.LargestBatch))
        {
            await log.AppendAsync(batch, cancel);
        }
        return missing.Length;
    }

    private async Task<LogPosition> ReadOnAsync(
        LogPosition position, HashSet<(RevocationId, bool)> found, CancellationToken cancel)
    {
        for (var atTail = false; !atTail;)
        {
            var sent = Moment.Now(clock);
            var batch = await log.ReadAsync(position, FeedFollower.ReadSize, cancel);
            if (!batch.Found)
            {
                throw new IOException("The log was replaced again while it was read over.");
            }
            foreach (ref readonly var entry in batch.Entries.Span)
            {
                found.Add((entry.Id, entry.IsLift));
            }
            index.Apply(batch.Entries.Span);
            index.RaiseHorizon(batch.Horizon.ToUnixTimeSeconds());
            (position, atTail) = (batch.Position, batch.AtTail);
            time.Note(sent, batch.Time);
        }
        return position;
    }
}
