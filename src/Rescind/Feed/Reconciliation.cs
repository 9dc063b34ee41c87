namespace Rescind;

/// <summary>
/// Reads all of a log that is not the one that was read, then gives back every live revocation and lift that
/// this node holds and did not find. What has expired by both clocks stays away: its lift may have been
/// forgotten.
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
        var position = default(LogPosition);
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
        return (position, found.Count, await GiveBackAsync(found, cancel));
    }

    private async Task<int> GiveBackAsync(HashSet<(RevocationId, bool)> found, CancellationToken cancel)
    {
        var (given, dead) = (0, time.DeadBefore);
        for (var part = 0; part <= TokenTable.ShardCount; part++)
        {
            var lost = index.Entries(part)
                .Where(entry => entry.Expiry >= dead && !found.Contains((entry.Id, entry.IsLift)))
                .ToArray();
            foreach (var batch in lost.Chunk(options.LargestBatch))
            {
                await log.AppendAsync(batch, cancel);
            }
            given += lost.Length;
        }
        return given;
    }
}
