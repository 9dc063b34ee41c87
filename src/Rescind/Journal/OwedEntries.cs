namespace Rescind;

/// <summary>Entries that were answered as journaled and that the shared log has not confirmed. A set by id,
/// so that what is owed twice is given once.</summary>
internal sealed class OwedEntries
{
    private readonly Lock _gate = new();
    private readonly Dictionary<(RevocationId Id, bool IsLift), LogEntry> _entries = [];

    public long Count
    {
        get
        {
            lock (_gate)
            {
                return _entries.Count;
            }
        }
    }

    public void Add(ReadOnlySpan<LogEntry> entries)
    {
        lock (_gate)
        {
            foreach (ref readonly var entry in entries)
            {
                _entries[(entry.Id, entry.IsLift)] = entry;
            }
        }
    }

    public void Remove(ReadOnlySpan<LogEntry> entries)
    {
        lock (_gate)
        {
            foreach (ref readonly var entry in entries)
            {
                _entries.Remove((entry.Id, entry.IsLift));
            }
        }
    }

    public LogEntry[] Some(int most)
    {
        lock (_gate)
        {
            return [.. _entries.Values.Take(most)];
        }
    }

    /// <summary>What has expired need not be given any more.</summary>
    /// <returns>When the last of the revocations among them expired, or 1970.</returns>
    public DateTimeOffset Forget(DateTimeOffset expiredBefore)
    {
        lock (_gate)
        {
            var dead = _entries.Values
                .Where(entry => entry.Expiry != LogEntry.Never && entry.ExpiresAt < expiredBefore).ToArray();
            Remove(dead);
            return dead.Where(entry => !entry.IsLift).Select(entry => entry.ExpiresAt)
                .Append(DateTimeOffset.UnixEpoch).Max();
        }
    }
}
