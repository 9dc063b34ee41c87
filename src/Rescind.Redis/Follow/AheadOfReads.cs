namespace Rescind.Redis;

/// <summary>
/// What this process has applied ahead of its reads: its own appends, and entries that were announced. Two
/// questions are answered from it. How far do announcements reach without a gap, so that one heartbeat
/// confirms them? And is something that was applied missing in the log, now that it was read to its end? A
/// position that is still found does not prove the latter: entries behind it may be lost with their
/// acknowledgement already given.
/// </summary>
internal sealed class AheadOfReads
{
    private const int Most = 10_000;

    private readonly Lock _gate = new();
    private readonly Dictionary<LogPosition, Item> _ahead = [];
    private readonly Dictionary<LogPosition, (LogPosition Last, LogEntry[] Entries)> _next = [];
    private string _epoch = "";
    private string? _forgottenIn;
    private ulong _readTo;
    private int _entriesNext;
    private long _order;
    private long _orderBeforeReadingOver;

    private sealed record Item(string Epoch, long Order, LogEntry[] Own);

    /// <summary>A read that begins.</summary>
    /// <param name="From">Everything up to here is applied.</param>
    /// <param name="Walked">Announced positions on the way there.</param>
    /// <param name="Entries">What was announced with them: the answer does not bring it again.</param>
    /// <param name="Order">What is added later than this need not be in the answer.</param>
    public readonly record struct Start(
        LogPosition From, IReadOnlyList<LogPosition> Walked, IReadOnlyList<LogEntry> Entries, long Order);

    /// <summary>Entries that this process appended, answered by the log.</summary>
    public void Appended(string epoch, LogPosition last, LogEntry[] entries) => Add(epoch, last, entries);

    /// <summary>Entries that were announced and are applied.</summary>
    public void Announced(PushMessage message)
    {
        Add(message.Epoch, message.Last, []);
        lock (_gate)
        {
            _entriesNext += message.Entries.Length;
            if (_entriesNext > Most)
            {
                _next.Clear(); // reads bring them
                _entriesNext = message.Entries.Length;
            }
            _next[message.Before] = (message.Last, message.Entries);
        }
    }

    /// <summary>From where a read may go on although only <paramref name="after"/> was read: everything up to
    /// there was announced without a gap, and is applied.</summary>
    /// <param name="after">What was read.</param>
    /// <param name="max">Fewer entries than these are walked over.</param>
    /// <param name="walks">Whether to go on from there; whoever gives something back wants to see what stands
    /// in the log already.</param>
    public Start StartAfter(LogPosition after, int max, bool walks = true)
    {
        lock (_gate)
        {
            if (after == default)
            {
                _orderBeforeReadingOver = _order;
            }
            var (walked, entries) = (new List<LogPosition>(), new List<LogEntry>());
            while (walks && _next.TryGetValue(after, out var next)
                && entries.Count + next.Entries.Length < max)
            {
                _next.Remove(after);
                _entriesNext -= next.Entries.Length;
                walked.Add(next.Last);
                entries.AddRange(next.Entries);
                after = next.Last;
            }
            return new Start(after, walked, entries, _order);
        }
    }

    /// <summary>Takes in what a read brought that did find its position. What the answer holds behind
    /// <paramref name="readTo"/> was not read, and stays ahead: were it forgotten, its loss would go
    /// unnoticed.</summary>
    /// <returns>Whether something is missing that was applied before the read was sent, or in another
    /// epoch.</returns>
    public bool IsIncomplete(Start start, HeartbeatAnswer answer, LogPosition readTo, bool isAtTail)
    {
        lock (_gate)
        {
            _epoch = answer.Epoch;
            _readTo = readTo.Number;
            var read = answer.Packs.Select(pack => pack.Id).Where(id => id.Number <= readTo.Number);
            foreach (var seen in start.Walked.Concat(read))
            {
                _ahead.Remove(seen);
            }
            foreach (var (position, _) in _ahead.Where(one =>
                one.Value.Epoch == answer.Epoch && one.Key.Number <= start.From.Number).ToList())
            {
                _ahead.Remove(position);
            }
            if (!isAtTail)
            {
                return false;
            }
            var hasForgotten = _forgottenIn is { } epoch && epoch != answer.Epoch;
            _forgottenIn = null;
            // What came in later need not be in the answer, unless the log has begun a new epoch since.
            return hasForgotten
                || _ahead.Values.Any(one => one.Order <= start.Order || one.Epoch != answer.Epoch);
        }
    }

    /// <summary>The log was read over, and the core has given back what its index held and the log lacked.
    /// What was announced or given back since that reading began stays: the log may have lost it since. The
    /// next read tells.</summary>
    /// <returns>Own entries of before that no read has brought: an append that was answered a moment ago may
    /// not have been in the index yet when the core gave back.</returns>
    public LogEntry[] TakeUnreadOwn()
    {
        lock (_gate)
        {
            var over = _ahead.Where(one => one.Value.Order <= _orderBeforeReadingOver
                || (one.Value.Own.Length != 0 && one.Value.Epoch != _epoch)).ToList();
            foreach (var (position, _) in over)
            {
                _ahead.Remove(position);
            }
            _next.Clear();
            _entriesNext = 0;
            return [.. over.SelectMany(one => one.Value.Own)];
        }
    }

    private void Add(string epoch, LogPosition last, LogEntry[] own)
    {
        lock (_gate)
        {
            if (epoch == _epoch && last.Number <= _readTo)
            {
                return;
            }
            if (_ahead.Count >= Most)
            {
                // Somebody appends and never reads. From here on a new epoch counts as a loss.
                _ahead.Clear();
                _forgottenIn ??= epoch;
            }
            if (!_ahead.TryGetValue(last, out var known) || known.Own.Length == 0)
            {
                _ahead[last] = new Item(epoch, ++_order, own);
            }
        }
    }
}
