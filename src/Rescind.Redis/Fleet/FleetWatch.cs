namespace Rescind.Redis;

/// <summary>
/// What this process has seen of the others, by its own monotonic clock. Two kinds of time are kept apart.
/// For leases time simply passes: a process whose heartbeat counter has not moved for a bound and a quarter
/// holds none. For giving somebody up, only time counts in which this process itself got answers: after an
/// outage nobody has beaten, and that proves nothing.
/// </summary>
internal sealed class FleetWatch(string me, TimeSpan bound, TimeProvider clock, int servers = 1)
{
    public const string NoEpoch = "-";
    private const int BoundsOfSilence = 5;

    private readonly Lock _gate = new();
    private readonly LongerLeases _longer = new(bound, clock);
    private readonly Dictionary<string, ulong> _confirmed = new(StringComparer.Ordinal);
    private Dictionary<string, Seen> _seen = new(StringComparer.Ordinal);
    private string _epoch = NoEpoch;
    private int _epochs;
    private ulong _lastBeat;
    private long? _answered;
    private long? _closed;
    private TimeSpan _watched;
    private int _servers = servers;

    /// <summary>When a heartbeat counter was first seen, for how long it has not moved since while this
    /// process got answers, and whether it ever moved.</summary>
    private sealed record Seen(ProcessRecord Record, long Since, TimeSpan Silence, bool HasMoved);

    /// <summary>What a heartbeat tells the script.</summary>
    public readonly record struct Report(
        string Epoch, TimeSpan Watched, (string Key, ulong Beat)[] Silent, string[] Remembered, int Servers);

    public string Epoch
    {
        get
        {
            lock (_gate)
            {
                return _epoch;
            }
        }
    }

    /// <summary>The epoch, and how many this process has seen: one that it comes back to after another is not
    /// the same stay, and what was on its way meanwhile counts for nothing.</summary>
    public (string Epoch, int Number) Stay
    {
        get
        {
            lock (_gate)
            {
                return (_epoch, _epochs);
            }
        }
    }

    public int Servers
    {
        get
        {
            lock (_gate)
            {
                return _servers;
            }
        }
    }

    public IReadOnlyDictionary<string, ProcessRecord> Processes
    {
        get
        {
            lock (_gate)
            {
                return _seen.ToDictionary(one => one.Key, one => one.Value.Record, StringComparer.Ordinal);
            }
        }
    }

    /// <summary>The processes on the log, for people.</summary>
    public IReadOnlyList<LogNode> Nodes
    {
        get
        {
            lock (_gate)
            {
                return [.. _seen.Values
                    .Select(one => new LogNode(one.Record.Name, one.Record.Confirmed,
                        clock.GetElapsedTime(one.Since), one.Record.Version))
                    .OrderBy(one => one.Name, StringComparer.Ordinal)];
            }
        }
    }

    /// <summary>By which silence is judged. Others may run with a longer bound, and refuse this process for
    /// it; they beat as much more rarely.</summary>
    public TimeSpan LongestBound
    {
        get
        {
            lock (_gate)
            {
                return _longer.Bound;
            }
        }
    }

    /// <summary>Whether others run with other settings, or did until a moment ago, as far as this process saw
    /// or the log remembers: their leases may be longer than this process would wait for, and it counts none
    /// of them.</summary>
    public bool IsHeldBack
    {
        get
        {
            lock (_gate)
            {
                return _longer.MayBeLeft;
            }
        }
    }

    /// <summary>Whether somebody else lives on this log.</summary>
    public bool SeesOthers
    {
        get
        {
            lock (_gate)
            {
                return _seen.Any(one => one.Key != me && one.Value.HasMoved);
            }
        }
    }

    public Report NextReport()
    {
        lock (_gate)
        {
            var others = _seen.Where(one => one.Key != me).ToList();
            return new Report(
                _epoch,
                _watched,
                [.. others.Where(one => one.Value.Silence >= _longer.Bound * BoundsOfSilence)
                    .Select(one => (one.Key, one.Value.Record.Beat))],
                [.. others.Select(one => one.Key)],
                _servers);
        }
    }

    /// <summary>Takes in what an answer that may not be confirmed says of longer leases.</summary>
    public void Warn(ulong beat, HeartbeatAnswer answer)
    {
        lock (_gate)
        {
            if (beat >= _lastBeat)
            {
                _longer.Warn(answer, answer.Epoch != _epoch);
            }
        }
    }

    /// <summary>Takes in the answer to a heartbeat. An answer that was overtaken by a later one changes
    /// nothing. One that half the servers did not confirm may come from the losing side of a split: no time
    /// counts for it, so it neither gives anybody up nor shows the epoch closed.</summary>
    /// <returns>Whether the epoch is new, and whether it was closed just now.</returns>
    public (bool IsNewEpoch, bool IsNewlyClosed) Note(
        ulong beat, HeartbeatAnswer answer, bool isReplicated)
    {
        lock (_gate)
        {
            if (beat < _lastBeat)
            {
                return (false, false);
            }
            _lastBeat = beat;
            var now = clock.GetTimestamp();
            var isNewEpoch = answer.Epoch != _epoch;
            _longer.Note(answer, isNewEpoch, now, isReplicated);
            if (isNewEpoch)
            {
                _epochs++;
                (_epoch, _watched, _closed, _answered) = (answer.Epoch, TimeSpan.Zero, null, null);
                _seen = new(StringComparer.Ordinal);
                _confirmed.Clear();
            }
            var passed = PassedWithAnswers_NeedsLock(now, isReplicated);
            _watched += passed < bound / 2 ? passed : bound / 2;
            var isNewlyClosed = answer.IsClosed && isReplicated && _closed is null;
            _closed ??= isNewlyClosed ? now : null;
            _servers = answer.Servers;
            Note_NeedsLock(answer.Processes, now, passed, removes: true);
            return (isNewEpoch, isNewlyClosed);
        }
    }

    /// <summary>Takes in the registry in the answer to an append.</summary>
    /// <returns>Who may hold a lease that does not know the entries, or null when this process has not seen
    /// the epoch closed for long enough: then leases of the epoch before may be about, and nobody can be
    /// counted.
    /// </returns>
    public Dictionary<string, ulong>? NoteAppend(string epoch, IReadOnlyDictionary<string,
        ProcessRecord> processes)
    {
        lock (_gate)
        {
            if (epoch != _epoch)
            {
                return null;
            }
            Note_NeedsLock(processes, clock.GetTimestamp(), TimeSpan.Zero, removes: false);
            return _closed is { } closed && clock.GetElapsedTime(closed) >= bound * 1.25
                ? processes.Where(one => one.Key != me && one.Value.HasReadTail && one.Value.Epoch == epoch)
                    .ToDictionary(one => one.Key, one => one.Value.Beat, StringComparer.Ordinal)
                : null;
        }
    }

    public void Confirm(string epoch, string key, ulong number)
    {
        lock (_gate)
        {
            if (epoch == _epoch)
            {
                _confirmed[key] = Math.Max(number, _confirmed.GetValueOrDefault(key));
            }
        }
    }

    public bool HasConfirmed(string epoch, string key, ulong number)
    {
        lock (_gate)
        {
            return epoch == _epoch && _confirmed.GetValueOrDefault(key) >= number;
        }
    }

    /// <summary>Whether a process that had beaten so often when the entries were appended holds no lease any
    /// more. Had it beaten since, it would have read them.</summary>
    public bool HoldsNoLease(string key, ulong beat)
    {
        lock (_gate)
        {
            return _seen.GetValueOrDefault(key) is { } seen && seen.Record.Beat == beat
                && clock.GetElapsedTime(seen.Since) >= bound * 1.25;
        }
    }

    /// <summary>The time since the last answer, as far as it counts: a pause without answers counts as
    /// little.
    /// </summary>
    private TimeSpan PassedWithAnswers_NeedsLock(long now, bool isReplicated)
    {
        var passed = _answered is { } before && isReplicated
            ? clock.GetElapsedTime(before, now)
            : TimeSpan.Zero;
        _answered = isReplicated ? now : null;
        var most = (_longer.IsRefused ? _longer.Bound : bound) / 2;
        return passed < most ? passed : most;
    }

    private void Note_NeedsLock(
        IReadOnlyDictionary<string, ProcessRecord> processes, long now, TimeSpan passed, bool removes)
    {
        foreach (var (key, record) in processes)
        {
            var seen = _seen.GetValueOrDefault(key);
            // A counter that went back is a registry that was rolled back; whoever died meanwhile must be
            // given up by the counter that stands there now.
            _seen[key] = seen is not null && record.Beat <= seen.Record.Beat
                ? seen with { Record = record, Silence = seen.Silence + passed }
                : new Seen(record, now, TimeSpan.Zero, seen is not null);
            if (record.Epoch == _epoch)
            {
                _confirmed[key] = Math.Max(record.Confirmed, _confirmed.GetValueOrDefault(key));
            }
        }
        if (removes)
        {
            foreach (var gone in _seen.Keys.Where(key => !processes.ContainsKey(key)).ToList())
            {
                _seen.Remove(gone);
            }
        }
    }
}
