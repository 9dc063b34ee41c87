using Microsoft.Extensions.Logging;

namespace Rescind;

/// <summary>
/// Writes what the shared log brought to the local file, behind the reader: a lease must not wait for a disk.
/// Entries and the position they reach to go in one transaction, in the order they were read, so the file is
/// always a true copy of some moment. Trades away: what was read in the last moments before a crash is read
/// again. A disk that fails stops the copy, not the feed; it is tried again while not too much waits, about
/// 64 MB. Then the reader waits for the disk, or the copy is given up.
/// </summary>
internal sealed class ReplicaWriter(
    IJournal journal, TimeSpan rest, TimeProvider clock, ILogger logger, int mostWaiting = 1_000_000)
{
    private readonly Lock _gate = new();
    private List<LogEntry> _waiting = [];
    private LogPosition? _position;
    private DateTimeOffset _horizon = DateTimeOffset.UnixEpoch;
    private Task _writing = Task.CompletedTask;
    private string? _fault;
    private long _written;
    private long _writes;
    private long _mark;
    private long _dropTo;
    private bool _isOver;
    private bool _startsOver;
    private bool _isDirty;
    private bool _isGivenUp;
    private bool _isEnding;

    /// <summary>Why the file cannot be written, or null.</summary>
    public string? Fault => Volatile.Read(ref _fault);

    /// <summary>How often the file was written.</summary>
    public long Writes => Interlocked.Read(ref _writes);

    /// <summary>What the file held when it was loaded.</summary>
    public void Loaded(JournalPage last)
    {
        lock (_gate)
        {
            (_written, _position, _horizon) = (last.Next, last.Position, last.Horizon);
        }
    }

    /// <summary>Takes what a read brought.</summary>
    /// <returns>Completes when there is room for more.</returns>
    public Task AddAsync(LogBatch batch)
    {
        lock (_gate)
        {
            // What was forgotten stays forgotten, whatever a log that was lost still knows of it. Only what
            // is over is forgotten: a later horizon is somebody's mistake, and must not stay.
            var isLater = batch.Horizon > _horizon && batch.Horizon <= batch.Time;
            _isDirty |= batch.Entries.Length != 0 || batch.Position != _position || isLater;
            _waiting.AddRange(batch.Entries.Span);
            (_position, _horizon) = (batch.Position, isLater ? batch.Horizon : _horizon);
            Start_NeedsLock();
            return _waiting.Count > mostWaiting ? _writing : Task.CompletedTask;
        }
    }

    /// <summary>The shared log is read over from its start: the file has no position until all is given back,
    /// so that a crash before that starts over too.</summary>
    public void StartOver()
    {
        lock (_gate)
        {
            (_isOver, _startsOver) = (true, true);
        }
    }

    /// <summary>All is given back: the file may name positions of the new history, and what it holds of the
    /// old one goes.</summary>
    public void EndOver()
    {
        lock (_gate)
        {
            _dropTo = _startsOver ? _written : _mark;
            (_isOver, _startsOver, _isDirty) = (false, false, true);
            Start_NeedsLock();
        }
    }

    /// <summary>Writes what is waiting, before the file is closed. A disk that fails is not tried again then:
    /// it must not hold up the end, and what it lacks is read again at the next start.</summary>
    public async Task FlushAsync()
    {
        Task writing;
        lock (_gate)
        {
            (_isEnding, writing) = (true, _writing);
        }
        await writing;
        await WriteAsync();
    }

    private void Start_NeedsLock()
    {
        if (_isGivenUp)
        {
            _waiting.Clear();
        }
        else if (_isDirty && !_isEnding && _writing.IsCompleted)
        {
            _writing = WriteSoonAsync();
        }
    }

    private async Task WriteSoonAsync()
    {
        do
        {
            await Task.Delay(rest, clock);
            await WriteAsync();
        }
        while (NeedsMore());
    }

    private bool NeedsMore()
    {
        lock (_gate)
        {
            return _isDirty && !_isGivenUp && !_isEnding;
        }
    }

    private async Task WriteAsync()
    {
        if (Take() is not { } update)
        {
            return;
        }
        try
        {
            Wrote(update, await journal.JoinAsync(update));
        }
        catch (Exception fault)
        {
            // Whatever it is: a later position must not be written without these.
            PutBack(update);
            if (Interlocked.Exchange(ref _fault, fault.Message) is null)
            {
                Log.ReplicaStopped(logger, fault.Message);
            }
        }
    }

    private JournalUpdate? Take()
    {
        lock (_gate)
        {
            if (!_isDirty || _isGivenUp)
            {
                return null;
            }
            if (_startsOver)
            {
                (_mark, _startsOver) = (_written, false);
            }
            var entries = _waiting.ToArray();
            (_waiting, _isDirty) = ([], false);

            // The place before the first entry is found in every log, so it says nothing about this file.
            var position = _isOver || _position == default(LogPosition) ? null : _position;
            return new JournalUpdate(entries, position, _horizon, _isOver ? 0 : _dropTo);
        }
    }

    private void Wrote(JournalUpdate update, long mark)
    {
        Interlocked.Increment(ref _writes);
        lock (_gate)
        {
            _written = mark;
            _dropTo = _dropTo == update.DropTo ? 0 : _dropTo;
        }
        if (Interlocked.Exchange(ref _fault, null) is not null)
        {
            Log.ReplicaWorks(logger);
        }
    }

    private void PutBack(JournalUpdate update)
    {
        lock (_gate)
        {
            _waiting.InsertRange(0, update.Entries);
            _isDirty = true;
            if (_waiting.Count > mostWaiting)
            {
                // The file stays the true copy of an earlier moment; the next start reads on from there.
                (_isGivenUp, _waiting) = (true, []);
                Log.ReplicaGivenUp(logger);
            }
        }
    }
}
