using Microsoft.Extensions.Logging;

namespace Rescind;

/// <summary>
/// A shared log with a local file beside it. Own entries are committed to the file while they are appended,
/// so an acknowledged revocation outlives this process and any outage of the shared log; what the log brings
/// is copied, so that a start without it knows what this node knew. Guarantees: an answered append is durable
/// on this disk or in the shared log, mostly in both; what only the disk has is given to the log once it is
/// back, before this node reports that it has given everything back. Trades away: while the log is away an
/// append promises nothing about other nodes.
/// </summary>
internal sealed class JournaledLog : IRevocationLog
{
    private readonly IRevocationLog _shared;
    private readonly IJournal _journal;
    private readonly BlacklistOptions _options;
    private readonly TimeProvider _clock;
    private readonly ILogger _logger;
    private readonly OwedEntries _owed = new();
    private readonly ReplicaWriter _replica;
    private readonly Lock _gate = new();
    private Task _replay = Task.CompletedTask;
    private KeepFault? _fault;
    private long _next;
    private bool _isLoaded;
    private bool _isAway;
    private bool _owesReport;

    /// <summary>Holds until the copy is written once more: then the disk works.</summary>
    private sealed record KeepFault(string Message, long Writes);

    public JournaledLog(
        IRevocationLog shared, IJournal journal, BlacklistOptions options, TimeProvider clock, ILogger logger)
    {
        (_shared, _journal, _options, _clock, _logger) = (shared, journal, options, clock, logger);
        _replica = new ReplicaWriter(journal, options.Freshness / 4, clock, logger);
    }

    public bool IsShared => _shared.IsShared;

    public LogStatus Status
    {
        get
        {
            var (shared, kept) = (_shared.Status, Volatile.Read(ref _fault));
            var fault = kept?.Writes == _replica.Writes ? kept.Message : _replica.Fault;
            return shared with
            {
                JournalLoaded = Volatile.Read(ref _isLoaded),
                JournalPending = _owed.Count,
                Warnings = fault is null
                    ? shared.Warnings
                    : [.. shared.Warnings, $"This node's disk cannot keep revocations: {fault}"],
            };
        }
    }

    /// <returns>The position, or the default value when only the local file has the entries.</returns>
    public async ValueTask<LogPosition> AppendAsync(ReadOnlyMemory<LogEntry> batch, CancellationToken cancel)
    {
        if (batch.IsEmpty)
        {
            throw new ArgumentException("A batch holds at least one entry.", nameof(batch));
        }
        cancel.ThrowIfCancellationRequested();
        var append = Volatile.Read(ref _isAway) ? null : StoreAsync(batch);
        var kept = await KeepAsync(batch);
        var position = append is null ? default : await WithinTimeAsync(append);
        if (position == default)
        {
            if (kept is not null)
            {
                throw kept;
            }
            Owe(batch);
        }
        return position;
    }

    public async ValueTask<LogBatch> ReadAsync(LogPosition after, int max, CancellationToken cancel)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(max, 1);
        cancel.ThrowIfCancellationRequested();
        return _isLoaded ? await ReadSharedAsync(after, max, cancel) : await LoadAsync(max, cancel);
    }

    public void Listen(Action<ReadOnlyMemory<LogEntry>> apply) => _shared.Listen(apply);

    /// <summary>The shared log hears of it once it also has what is owed.</summary>
    public void Reconciled()
    {
        lock (_gate)
        {
            _owesReport = true;
        }
        ReportIfPaid();
    }

    public void Forgot(DateTimeOffset horizon) => _shared.Forgot(horizon);

    public ValueTask WaitAsync(LogPosition after, CancellationToken cancel) =>
        _shared.WaitAsync(after, cancel);

    public ValueTask<(int Confirmed, int Expected)> ReachAsync(
        LogPosition position, CancellationToken cancel) => _shared.ReachAsync(position, cancel);

    public async ValueTask<CompactionResult> CompactAsync(DateTimeOffset now, CancellationToken cancel)
    {
        _shared.Forgot(_owed.Forget(now));
        ReportIfPaid(); // what was forgotten may have been the last that was owed
        var own = _journal.CompactAsync(now, cancel).AsTask();
        await Task.WhenAny(own);
        var result = await _shared.CompactAsync(now, cancel);
        await own; // a disk that fails must not keep this node from compacting what all share
        return result;
    }

    /// <summary>Writes what is waiting for the local file.</summary>
    public Task FlushAsync() => _replica.FlushAsync();

    /// <summary>A page of the local file. The last one names the position from which the shared log goes
    /// on; where that is in another history, the reader finds out and gives everything back.</summary>
    private async ValueTask<LogBatch> LoadAsync(int max, CancellationToken cancel)
    {
        var page = await _journal.LoadAsync(_next, max, cancel);
        _next = page.Next;
        _owed.Add(page.Kept);
        if (page.Position is not null)
        {
            _replica.Loaded(page);
            _shared.Forgot(page.Horizon);
            lock (_gate)
            {
                // Whoever pays the last of it meanwhile says so after this, not before.
                _shared.Owes(_owed.Count != 0);
            }
            Volatile.Write(ref _isLoaded, true);
        }
        return new LogBatch
        {
            Entries = (LogEntry[])[.. page.Entries, .. page.Kept],
            Position = page.Position ?? default,
            AtTail = false,
            Time = _clock.GetUtcNow(), Horizon = page.Horizon,
        };
    }

    private async ValueTask<LogBatch> ReadSharedAsync(LogPosition after, int max, CancellationToken cancel)
    {
        LogBatch batch;
        try
        {
            batch = await _shared.ReadAsync(after, max, cancel);
        }
        catch (IOException)
        {
            Volatile.Write(ref _isAway, true);
            throw;
        }
        Volatile.Write(ref _isAway, false);
        if (batch.Found)
        {
            await _replica.AddAsync(batch);
            if (batch.IsConfirmed)
            {
                // What it brought is in the log, whoever appended it.
                _owed.Remove(batch.Entries.Span);
                StartReplay(batch.Time);
                ReportIfPaid();
            }
        }
        else
        {
            StartOver();
        }
        return batch;
    }

    /// <summary>What was reconciled with a history that is gone too counts no more.</summary>
    private void StartOver()
    {
        lock (_gate)
        {
            _owesReport = false;
            _replica.StartOver();
        }
    }

    /// <summary>Commits to the local file.</summary>
    /// <returns>The fault, or null.</returns>
    private async ValueTask<IOException?> KeepAsync(ReadOnlyMemory<LogEntry> batch)
    {
        try
        {
            await _journal.KeepAsync(batch);
            Volatile.Write(ref _fault, null);
            return null;
        }
        catch (IOException fault)
        {
            if (Interlocked.Exchange(ref _fault, new KeepFault(fault.Message, _replica.Writes)) is null)
            {
                Log.JournalStopped(_logger, fault.Message);
            }
            return fault;
        }
    }

    /// <summary>Appends to the shared log, for as long as that takes.</summary>
    /// <returns>The position, or the default value when the log did not confirm.</returns>
    private async Task<LogPosition> StoreAsync(ReadOnlyMemory<LogEntry> batch)
    {
        try
        {
            var position = await _shared.AppendAsync(batch, CancellationToken.None);
            _owed.Remove(batch.Span);
            ReportIfPaid();
            return position;
        }
        catch (Exception fault) when (fault is IOException or InvalidOperationException)
        {
            // Away, or the others run with settings that this node does not have: not confirmed either way.
            Volatile.Write(ref _isAway, true);
            Log.AppendFailed(_logger, fault.Message);
            return default;
        }
    }

    /// <summary>Waits as long as a caller may be kept waiting by a log that says nothing. Whoever comes after
    /// a wait in vain is not kept waiting at all, until a read has succeeded again.</summary>
    private async ValueTask<LogPosition> WithinTimeAsync(Task<LogPosition> append)
    {
        var wait = append.WaitAsync(_options.JournalAfter, _clock);
        await ((Task)wait).ConfigureAwait(
            ConfigureAwaitOptions.SuppressThrowing | ConfigureAwaitOptions.ContinueOnCapturedContext);
        if (append.IsCompleted)
        {
            return await append;
        }
        Volatile.Write(ref _isAway, true);
        return default;
    }

    private void Owe(ReadOnlyMemory<LogEntry> batch)
    {
        if (_owed.Count == 0)
        {
            Log.JournalTakesOver(_logger);
        }
        _owed.Add(batch.Span);
    }

    /// <summary>Gives what is owed, unless it has expired: its lift may have been forgotten.</summary>
    private void StartReplay(DateTimeOffset logTime)
    {
        lock (_gate)
        {
            if (_replay.IsCompleted && _owed.Count != 0)
            {
                var own = _clock.GetUtcNow();
                _shared.Forgot(_owed.Forget((own < logTime ? own : logTime) - _options.ClockSkew));
                _replay = _owed.Count == 0 ? _replay : ReplayAsync();
            }
        }
    }

    private async Task ReplayAsync()
    {
        var given = 0L;
        for (var part = _owed.Some(_options.LargestBatch); part.Length != 0;
            part = _owed.Some(_options.LargestBatch))
        {
            if (await StoreAsync(part) == default)
            {
                return;
            }
            given += part.Length;
        }
        Log.JournalReplayed(_logger, given);
    }

    private void ReportIfPaid()
    {
        lock (_gate)
        {
            if (_owed.Count != 0)
            {
                return;
            }
            _shared.Owes(false);
            if (_owesReport)
            {
                _owesReport = false;
                _replica.EndOver();
                _shared.Reconciled();
            }
        }
    }
}
