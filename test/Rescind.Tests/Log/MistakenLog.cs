namespace Rescind.Tests;

/// <summary>The mistakes that whoever writes a log is most likely to make.</summary>
internal enum Mistake
{
    DropsTheNewest,
    DropsTheLiving,
    AlwaysAtTail,
    FindsEverything,
    FindsTheFuture,
    LosesUnderLoad,
    ShortensText,
    ThrowsWhenCancelled,
    SleepsThroughAppends,
    ForgetsTheHorizon,
    SkipsBesideAppenders,
    DropsLifts,
}

/// <summary>A log in memory with one mistake in it.</summary>
internal sealed class MistakenLog(Mistake mistake) : IRevocationLog
{
    private readonly MemoryLog _inner = new(TimeProvider.System);
    private readonly Lock _gate = new();
    private LogPosition _last;
    private int _appends;
    private bool _hasDropped;

    public bool IsShared => false;

    public async ValueTask<LogPosition> AppendAsync(ReadOnlyMemory<LogEntry> batch, CancellationToken cancel)
    {
        if (mistake == Mistake.LosesUnderLoad && Interlocked.Increment(ref _appends) % 500 == 0)
        {
            return _last;
        }
        if (mistake == Mistake.ShortensText)
        {
            batch = batch.ToArray().Select(entry => entry with { Value = entry.Value?[..1] }).ToArray();
        }
        var position = await _inner.AppendAsync(batch, cancel);
        lock (_gate)
        {
            _last = position.Number > _last.Number ? position : _last;
        }
        return position;
    }

    public async ValueTask<LogBatch> ReadAsync(LogPosition after, int max, CancellationToken cancel)
    {
        if (mistake == Mistake.FindsEverything && after != default)
        {
            after = after with { History = _last.History };
        }
        if (mistake == Mistake.FindsTheFuture && after.Number > _last.Number)
        {
            after = _last;
        }
        var batch = await _inner.ReadAsync(after, max, cancel);
        return mistake switch
        {
            Mistake.DropsTheNewest when _hasDropped && after == _last => batch with { Found = false },
            Mistake.AlwaysAtTail => batch with { AtTail = true },
            Mistake.ForgetsTheHorizon => batch with { Horizon = DateTimeOffset.UnixEpoch },
            Mistake.DropsTheLiving when _hasDropped => batch with { Entries = batch.Entries[..^1] },
            Mistake.DropsLifts when _hasDropped => batch with
            {
                Entries = batch.Entries.ToArray().Where(entry => !entry.IsLift).ToArray(),
            },
            Mistake.SkipsBesideAppenders when batch.Entries.Length > 2 => batch with { Entries = batch.Entries[1..] },
            _ => batch,
        };
    }

    public async ValueTask WaitAsync(LogPosition after, CancellationToken cancel)
    {
        if (mistake == Mistake.SleepsThroughAppends)
        {
            // Waits for the next append, whatever lies behind the position already; gives up for the test's sake.
            using var limit = CancellationTokenSource.CreateLinkedTokenSource(cancel);
            limit.CancelAfter(TimeSpan.FromSeconds(1));
            await _inner.WaitAsync(_last, limit.Token);
            if (limit.IsCancellationRequested)
            {
                throw new Rescind.Conformance.ContractException("It slept through.");
            }
            return;
        }
        await _inner.WaitAsync(after, cancel);
        if (mistake == Mistake.ThrowsWhenCancelled)
        {
            cancel.ThrowIfCancellationRequested();
        }
    }

    public async ValueTask<CompactionResult> CompactAsync(DateTimeOffset now, CancellationToken cancel)
    {
        _hasDropped = true;
        return await _inner.CompactAsync(now, cancel);
    }
}
