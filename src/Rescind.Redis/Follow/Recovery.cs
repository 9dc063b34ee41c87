namespace Rescind.Redis;

/// <summary>
/// Whether this process still has to give something back. From the read that did not find its position until
/// the core says that it has reconciled, this process reports nothing; and all of that must have happened in
/// one epoch.
/// </summary>
internal sealed class Recovery
{
    private readonly Lock _gate = new();
    private bool _isOpen;
    private bool _owesJournal;
    private string? _readingIn;
    private LogEntry[] _owed = [];

    public bool IsOpen
    {
        get
        {
            lock (_gate)
            {
                return _isOpen || _owesJournal || _owed.Length != 0;
            }
        }
    }

    /// <summary>Whether the log is being read over from its start.</summary>
    public bool IsReadingOver
    {
        get
        {
            lock (_gate)
            {
                return _isOpen;
            }
        }
    }

    /// <summary>What must be appended again before this process may report.</summary>
    public LogEntry[] Owed
    {
        get
        {
            lock (_gate)
            {
                return _owed;
            }
        }
    }

    /// <summary>Whether the disk keeps entries that a process of before may have had confirmed.</summary>
    public void Owes(bool owes)
    {
        lock (_gate)
        {
            _owesJournal = owes;
        }
    }

    public void Lost()
    {
        lock (_gate)
        {
            (_isOpen, _readingIn) = (true, null);
        }
    }

    /// <summary>Whether a page of the log belongs to another epoch than the first one of this
    /// reading.</summary>
    public bool IsBroken(LogPosition after, string epoch)
    {
        lock (_gate)
        {
            if (_isOpen && after == default)
            {
                _readingIn ??= epoch;
            }
            return _isOpen && _readingIn is not null && _readingIn != epoch;
        }
    }

    public void Over(LogEntry[] owed)
    {
        lock (_gate)
        {
            (_isOpen, _owed) = (false, [.. _owed, .. owed]);
        }
    }

    /// <summary>These are in the log: appended again, or brought by a read that half the servers
    /// confirmed.</summary>
    public void Paid(IReadOnlyCollection<LogEntry> entries)
    {
        lock (_gate)
        {
            if (_owed.Length != 0)
            {
                var paid = entries.Select(entry => (entry.Id, entry.IsLift)).ToHashSet();
                _owed = [.. _owed.Where(entry => !paid.Contains((entry.Id, entry.IsLift)))];
            }
        }
    }
}
