namespace Rescind.Server.Audit;

/// <summary>Counts events that a caller can repeat at will: a failed log-in, a revoked token in a loop. The
/// first of a minute is an event at once, the others become one event with their count when the minute is
/// over. Limit: so many things a minute; what comes beyond is counted together, by kind.</summary>
internal sealed class AuditTally(TimeProvider clock)
{
    public const int MostEntries = 10_000;
    private static readonly TimeSpan Minute = TimeSpan.FromMinutes(1);

    private readonly Lock _lock = new();
    private readonly Dictionary<(string EventType, string About), Entry> _entries = [];

    private sealed class Entry(AuditEvent first, DateTimeOffset until)
    {
        public AuditEvent First => first;

        public DateTimeOffset Until => until;

        public int Others { get; set; }
    }

    /// <summary>Counts an event.</summary>
    /// <returns>Whether it is the first of its minute, which the caller keeps.</returns>
    public bool IsFirst(AuditEvent happened, string about)
    {
        var now = clock.GetUtcNow();
        lock (_lock)
        {
            if (_entries.Count >= MostEntries && !_entries.ContainsKey((happened.EventType, about)))
            {
                about = "";
                happened = new AuditEvent(happened.EventType) { Note = "of many" };
            }
            if (_entries.TryGetValue((happened.EventType, about), out var entry) && entry.Until > now)
            {
                entry.Others++;
                return false;
            }
            if (entry is { Others: > 0 })
            {
                // Its minute is over and nobody has taken its count yet.
                entry.Others++;
                return false;
            }
            _entries[(happened.EventType, about)] = new Entry(happened, now + Minute);
            return true;
        }
    }

    /// <summary>Takes the counts of the minutes that are over, or of all.</summary>
    public IReadOnlyList<AuditEvent> Take(bool all)
    {
        var now = clock.GetUtcNow();
        lock (_lock)
        {
            var over = _entries.Where(entry => all || entry.Value.Until <= now).ToList();
            over.ForEach(entry => _entries.Remove(entry.Key));
            return [.. over.Where(entry => entry.Value.Others > 0)
                .Select(entry => entry.Value.First with { Count = entry.Value.Others })];
        }
    }
}
