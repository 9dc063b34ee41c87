using Microsoft.Extensions.Logging;

namespace Rescind;

/// <summary>
/// Carries the log to the index: reads on from the last position, applies, and after a read that reached the
/// tail publishes a lease. One read is under way at a time; whoever needs one shares it.
/// Guarantees: a lease only after its entries are in the index; an entry that cannot be applied stops the
/// feed, and with it the lease. Trades away: nothing is known of entries that other processes append until
/// the next read.
/// </summary>
internal sealed class FeedFollower(
    IRevocationLog log, RevocationIndex index, BlacklistOptions options, TimeProvider clock, ILogger logger)
{
    public const int ReadSize = 4096;

    /// <summary>How many bounds a start waits for a lease. A node that does not start at all is worse than
    /// one that knows only what its disk has.</summary>
    private const int MostBounds = 8;

    /// <summary>A rest that is cut short by shutdown is no error.</summary>
    private const ConfigureAwaitOptions RestQuietly =
        ConfigureAwaitOptions.SuppressThrowing | ConfigureAwaitOptions.ContinueOnCapturedContext;

    private readonly Reconciliation _reconciliation =
        new(log, index, new LogClock(clock, log.IsShared, options.ClockSkew), options, clock);

    private readonly Lock _gate = new();
    private Task? _step;
    private Lease? _lease;
    private string? _fault;
    private LogPosition _position;
    private int _nextPart;
    private bool _lost;
    private bool _recovering;
    private bool _isBehind;
    private bool _hasLoaded;
    private bool _hasLeft;
    private long _noWaitUntil = long.MinValue;

    /// <summary>The newest lease; null before the log was first read to its end.</summary>
    public Lease? Lease => Volatile.Read(ref _lease);

    /// <summary>What is known of the log's clock.</summary>
    public LogClock Time => _reconciliation.Time;

    /// <summary>The last position applied; the default value while nothing was.</summary>
    public LogPosition Position
    {
        get
        {
            lock (_gate)
            {
                return _position;
            }
        }

        private set
        {
            lock (_gate)
            {
                _position = value;
            }
        }
    }

    /// <summary>Why the last read failed, or null.</summary>
    public string? Fault => Volatile.Read(ref _fault);

    /// <summary>Whether the log was read to its end once.</summary>
    public bool HasLoaded => Volatile.Read(ref _hasLoaded);

    public bool IsFresh => Lease?.Covers(clock) ?? false;

    /// <summary>Reads to the end of the log, once.</summary>
    /// <exception cref="IOException">The log cannot be read, or has been read and grants no lease for eight
    /// bounds.</exception>
    public async ValueTask LoadAsync(CancellationToken cancel)
    {
        Leave(false);
        long? since = null;
        while (Lease is null)
        {
            await StepAsync(cancel);
            if (Lease is null && _recovering)
            {
                // Since all was read, by the clock: each announcement ends a pause at once.
                since ??= clock.GetTimestamp();
                if (clock.GetElapsedTime(since.Value) > options.Freshness * MostBounds)
                {
                    throw new IOException("The log recovers, or half its servers do not confirm.");
                }
                await PauseAsync(options.Freshness / 4, cancel);
                cancel.ThrowIfCancellationRequested();
            }
        }
    }

    /// <summary>One read, applied; joins the one that is under way.</summary>
    public Task StepAsync(CancellationToken cancel)
    {
        lock (_gate)
        {
            if (_step is null or { IsCompleted: true })
            {
                _step = ReadAndApplyAsync(cancel);
            }
            return _step;
        }
    }

    /// <summary>Waits for a read on behalf of a check, within the time a check may wait. After a read that
    /// failed, whoever sent it, checks do not wait for a while: an outage must not cost requests their time
    /// limit.</summary>
    public async ValueTask CatchUpAsync(CancellationToken cancel)
    {
        if (clock.GetTimestamp() < Volatile.Read(ref _noWaitUntil))
        {
            return;
        }
        try
        {
            await StepAsync(CancellationToken.None).WaitAsync(options.CatchUpTimeout, clock, cancel);
        }
        catch (Exception fault) when (!cancel.IsCancellationRequested)
        {
            StopWaiting();
            Log.CatchUpFailed(logger, fault.Message);
        }
    }

    /// <summary>Learns what stands in the log now, if it can be read in time: a log-in may have stepped over
    /// a cutoff made elsewhere, and the next cutoff must reach past that. A read that is under way may have
    /// been sent before; so there are two.</summary>
    public async ValueTask ReadNewestAsync(CancellationToken cancel)
    {
        for (var reads = log.IsShared ? 2 : 0; reads > 0; reads--)
        {
            await CatchUpAsync(cancel);
        }
    }

    /// <summary>Follows the log until cancelled; then lets go of the lease, so that others need not wait for
    /// this process.</summary>
    public async Task RunAsync(CancellationToken cancel)
    {
        Leave(false);
        while (!cancel.IsCancellationRequested)
        {
            await FollowAsync(options.Freshness / 4, cancel);
        }
        Leave(log.IsShared);
    }

    private void Leave(bool isOver)
    {
        lock (_gate)
        {
            _hasLeft = isOver;
            Volatile.Write(ref _lease, isOver ? null : _lease);
        }
    }

    private async ValueTask FollowAsync(TimeSpan heartbeat, CancellationToken cancel)
    {
        try
        {
            await StepAsync(cancel);
            ForgetSome();
            if (!Volatile.Read(ref _isBehind))
            {
                await PauseAsync(heartbeat, cancel);
            }
        }
        catch (Exception fault)
        {
            // ReadAndApplyAsync has logged it once and keeps it visible as Fault; here is only the rest.
            Log.FeedRetries(logger, fault.Message);
            await Task.Delay(heartbeat, clock, cancel).ConfigureAwait(RestQuietly);
        }
    }

    /// <summary>Forgets what both clocks say has expired, a 64th of the index at a time.</summary>
    private void ForgetSome()
    {
        var dead = Time.DeadBefore;
        for (var i = 0; i < TokenTable.ShardCount / 64; i++)
        {
            index.Forget(_nextPart, dead);
            _nextPart = _nextPart == TokenTable.ShardCount ? 0 : _nextPart + 1;
        }
    }

    /// <summary>What has expired was not given back to a log that lacks it; so the log must know up to when.
    /// </summary>
    private void TellHorizon()
    {
        var dead = Time.DeadBefore;
        for (var part = 0; part <= TokenTable.ShardCount; part++)
        {
            index.Forget(part, dead);
        }
        if (index.Horizon < dead)
        {
            log.Forgot(DateTimeOffset.FromUnixTimeSeconds(index.Horizon));
        }
    }

    private void StopWaiting() => Volatile.Write(ref _noWaitUntil,
        clock.GetTimestamp() + (long)(options.Freshness.TotalSeconds * clock.TimestampFrequency));

    private async Task ReadAndApplyAsync(CancellationToken cancel)
    {
        try
        {
            var sent = Moment.Now(clock);
            var batch = _lost ? null : await log.ReadAsync(Position, ReadSize, cancel);
            if (batch is not { Found: true })
            {
                _lost = true;
                await ReconcileAsync(cancel);
                return;
            }
            Apply(batch);
            Volatile.Write(ref _isBehind, !batch.AtTail);
            _recovering = batch is { AtTail: true, GrantsLease: false };
            if (batch.AtTail)
            {
                Time.Note(sent, batch.Time);
            }
            if (batch is { AtTail: true, GrantsLease: true })
            {
                Publish(new Lease(sent, log.IsShared ? options.Freshness : null));
            }
        }
        catch (Exception fault) when (!cancel.IsCancellationRequested)
        {
            if (fault is InvalidOperationException)
            {
                // Refused: the others go by other settings, and wait for no lease of this node.
                Volatile.Write(ref _lease, null);
            }
            Volatile.Write(ref _isBehind, false);
            StopWaiting();
            if (Fault is null)
            {
                Log.FeedStopped(logger, fault.Message);
            }
            Volatile.Write(ref _fault, fault.Message);
            throw;
        }
    }

    /// <summary>The log is not the one that was read: it was trimmed, rolled back or replaced. Only after a
    /// reconciliation may a read give a lease.</summary>
    private async Task ReconcileAsync(CancellationToken cancel)
    {
        Volatile.Write(ref _lease, null);
        Log.ReconcileStarted(logger, Position);
        var (position, found, given) = await _reconciliation.RunAsync(cancel);
        Position = position;
        _lost = false;
        TellHorizon();
        log.Reconciled();
        Log.Reconciled(logger, found, given);
    }

    private void Apply(LogBatch batch)
    {
        index.Apply(batch.Entries.Span);
        index.RaiseHorizon(batch.Horizon.ToUnixTimeSeconds());
        Position = batch.Position;
    }

    private void Publish(Lease lease)
    {
        Lease? before;
        lock (_gate)
        {
            // A check that came late had it read once more; the others do not wait for this process now.
            before = _lease;
            Volatile.Write(ref _lease, _hasLeft ? null : lease);
        }
        if (before is null || Fault is not null)
        {
            Log.FeedFresh(logger, index.Count);
        }
        Volatile.Write(ref _hasLoaded, true);
        Volatile.Write(ref _fault, null);
        Volatile.Write(ref _noWaitUntil, long.MinValue);
    }

    private async ValueTask PauseAsync(TimeSpan heartbeat, CancellationToken cancel)
    {
        using var over = new CancellationTokenSource(heartbeat, clock);
        using var pause = CancellationTokenSource.CreateLinkedTokenSource(cancel, over.Token);
        await log.WaitAsync(Position, pause.Token);
    }
}
