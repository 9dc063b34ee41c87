using Microsoft.Extensions.Logging;

namespace Rescind.Redis;

/// <summary>
/// The log in Redis, shared by a fleet: one stream, and one hash with the epoch, the settings and the
/// registry of processes. Guarantees that an answered append is on half the servers (rounded down); that a
/// read grants a lease only in a closed epoch; that a process is counted as having confirmed only for what it
/// has applied. Trades away: Redis may lose what it holds, so every node reconciles after each loss, and
/// nobody is fresh meanwhile.
/// </summary>
internal sealed class RedisRevocationLog : IRevocationLog, IAsyncDisposable
{
    /// <summary>Heartbeats that announcements ask for keep this distance: what they carry is applied already,
    /// and confirmations of many entries go together.</summary>
    private static readonly TimeSpan Coalescing = TimeSpan.FromMilliseconds(1);

    /// <summary>Four to the longer bound, its own or that of the others: longer than
    /// <see cref="FleetWatch"/> watches before it gives somebody up.</summary>
    private const int MostRefusals = 32;

    private readonly IRedisLink _link;
    private readonly RedisNames _names;
    private readonly BlacklistOptions _options;
    private readonly TimeProvider _clock;
    private readonly ILogger _logger;
    private readonly FleetWatch _watch;
    private readonly Heartbeats _heartbeats;
    private readonly AheadOfReads _ahead = new();
    private readonly AppendQueue _appends;
    private readonly Receipts _receipts;
    private readonly Compactor _compactor;
    private readonly Announcements _announcements;
    private readonly SelfCheck _check;
    private readonly Recovery _recovery = new();
    private readonly PageReader _pages;
    private readonly Signal _news = new();
    private readonly Signal _confirmed = new();
    private bool _isHalfAway;
    private bool _hasRead;
    private long _sentAt;
    private long _lastRead;
    private long _roundTrip;

    public RedisRevocationLog(
        IRedisLink link, RedisNames names, BlacklistOptions options, LogSeal? seal, TimeProvider clock,
        ILogger logger, int servers = 1)
    {
        (_link, _names, _options, _clock, _logger) = (link, names, options, clock, logger);
        _watch = new FleetWatch(names.Process, options.Freshness, clock, servers);
        var settings = FleetSettings.Of(options, seal);
        _heartbeats = new Heartbeats(link, _watch, settings, names, logger);
        var codec = new PackCodec(seal);
        _pages = new PageReader(codec, logger);
        var appender = new Appender(link, _watch, _heartbeats, _ahead, codec, names, settings, clock);
        _appends = new AppendQueue(appender.AppendAsync);
        _receipts = new Receipts(_watch, _heartbeats, _confirmed, options.Freshness, clock);
        _announcements = new Announcements(link, names, _watch, _heartbeats, _ahead, codec, _news,
            _confirmed, logger);
        _check = new SelfCheck(link, clock, logger);
        _compactor = new Compactor(
            link, names, _watch, _heartbeats, this, codec, options.Freshness / 4, clock, logger);
    }

    public bool IsShared => true;

    public LogStatus Status => new()
    {
        Store = "redis",
        Connected = _link.IsConnected,
        RoundTrip = Interlocked.Read(ref _roundTrip) is > 0 and var ticks ? TimeSpan.FromTicks(ticks) : null,
        ErrorsInLastHour = _link.FaultsInLastHour,
        Nodes = _watch.Nodes,
        Warnings = [.. _check.Warnings, .. _pages.Warnings],
    };

    public void Listen(Action<ReadOnlyMemory<LogEntry>> apply) => _announcements.Apply = apply;

    public async ValueTask<LogPosition> AppendAsync(ReadOnlyMemory<LogEntry> batch, CancellationToken cancel)
    {
        if (batch.IsEmpty)
        {
            throw new ArgumentException("A batch holds at least one entry.", nameof(batch));
        }
        cancel.ThrowIfCancellationRequested();
        var (position, audience) = await _appends.AddAsync(batch).WaitAsync(cancel);
        _receipts.Expect(position, audience);
        _news.Set();
        return position;
    }

    public async ValueTask<LogBatch> ReadAsync(LogPosition after, int max, CancellationToken cancel)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(max, 1);
        cancel.ThrowIfCancellationRequested();
        await _announcements.SubscribeAsync(cancel);
        var hasPaid = await GiveBackAsync(cancel);
        Volatile.Write(ref _sentAt, _news.Version);
        var start = _ahead.StartAfter(after, max, walks: !_recovery.IsOpen);
        max -= start.Entries.Count;
        var sent = _clock.GetTimestamp();
        var (answer, isReplicated) = await BeatAsync(start.From, max, cancel);
        _isHalfAway = !isReplicated;
        Interlocked.Exchange(ref _roundTrip, _clock.GetElapsedTime(sent).Ticks);
        Volatile.Write(ref _lastRead, _clock.GetTimestamp());
        _confirmed.Set();
        _check.Begin();
        if (!answer.Found || _recovery.IsBroken(after, answer.Epoch))
        {
            return Lost(answer, after);
        }
        var (page, wasStuck) = Read(answer, start.From, max);
        var isAtTail = answer.AtTail && page.IsWhole;
        // While the log is read over, what it lacks is known, and is given back at the end.
        if (_ahead.IsIncomplete(start, answer, page.Position, isAtTail) && !_recovery.IsReadingOver)
        {
            return Lost(answer, after);
        }
        if (isReplicated)
        {
            _recovery.Paid(page.Entries);
        }
        // Without half the servers this may be a master beside another one, which still confirms what is
        // missing here.
        if (isAtTail && isReplicated && !_recovery.IsOpen)
        {
            Report(answer);
        }
        return Batch(answer, [.. start.Entries, .. page.Entries], page.Position, isAtTail,
            answer.IsClosed && isReplicated && !wasStuck && hasPaid) with { IsConfirmed = isReplicated };
    }

    public void Reconciled()
    {
        var own = _ahead.TakeUnreadOwn();
        _recovery.Over(own);
        _news.Set();
    }

    public void Owes(bool owes) => _recovery.Owes(owes);

    public void Forgot(DateTimeOffset horizon) => _heartbeats.Forgot(horizon);

    public async ValueTask WaitAsync(LogPosition after, CancellationToken cancel)
    {
        if (!await _news.WaitAsync(Volatile.Read(ref _sentAt), _options.Freshness / 4, _clock, cancel))
        {
            return;
        }
        var rest = Coalescing - _clock.GetElapsedTime(Volatile.Read(ref _lastRead));
        if (rest > TimeSpan.Zero)
        {
            await Task.Delay(rest, _clock, cancel).ConfigureAwait(
                ConfigureAwaitOptions.SuppressThrowing | ConfigureAwaitOptions.ContinueOnCapturedContext);
        }
    }

    public ValueTask<(int Confirmed, int Expected)> ReachAsync(LogPosition position,
        CancellationToken cancel) =>
        _receipts.ReachAsync(position, cancel);

    /// <summary>Looks at the server now.</summary>
    public Task<IReadOnlyList<RedisFinding>> InspectAsync(CancellationToken cancel) =>
        _check.LookAsync(cancel);

    public ValueTask<CompactionResult> CompactAsync(DateTimeOffset now, CancellationToken cancel) =>
        _compactor.CompactAsync(now, cancel);

    /// <summary>Leaves the fleet, so that nobody waits for this process. The caller has let go of its
    /// lease.</summary>
    public async ValueTask DisposeAsync()
    {
        try
        {
            await _link.ExecuteAsync(
                "HDEL", [_link.Fleet, "p:" + _names.Process], CancellationToken.None);
        }
        catch (IOException fault)
        {
            // The log is away. The others notice by its silence, which is what the registry is made for.
            Log.NotLeft(_logger, fault.Message);
        }
        await _link.DisposeAsync();
    }

    /// <summary>Own appends that were answered in a history that is gone, and were perhaps not yet in the
    /// index when the core gave everything back. Not while half the servers are away: nothing would confirm
    /// them, and each attempt leaves them in the stream once more.</summary>
    /// <returns>Whether nothing is left.</returns>
    private async Task<bool> GiveBackAsync(CancellationToken cancel)
    {
        var owed = _recovery.Owed;
        if (owed.Length != 0 && _isHalfAway)
        {
            return false;
        }
        foreach (var part in owed.Chunk(_options.LargestBatch))
        {
            try
            {
                await AppendAsync(part, cancel);
            }
            catch (IOException fault)
            {
                // Whether half the servers are away is what the read that follows finds out.
                Log.NotGivenBack(_logger, fault.Message);
                _isHalfAway = true;
                return false;
            }
            _recovery.Paid(part);
        }
        return true;
    }

    /// <summary>A process that starts with other settings than those in force may have found what others left
    /// behind when they died. It is refused once somebody is seen to live there, or after so long that
    /// whoever died was given up.</summary>
    private async Task<(HeartbeatAnswer Answer, bool IsReplicated)> BeatAsync(
        LogPosition from, int max, CancellationToken cancel)
    {
        for (var refusals = 1; ; refusals++)
        {
            try
            {
                var answer = await _heartbeats.BeatAsync(from, max, cancel);
                _hasRead = true;
                return answer;
            }
            catch (FleetSettingsException) when (
                !_hasRead && !_watch.SeesOthers && refusals < MostRefusals)
            {
                await Task.Delay(_watch.LongestBound / 4, _clock, cancel);
            }
        }
    }

    private LogBatch Lost(HeartbeatAnswer answer, LogPosition after)
    {
        _recovery.Lost();
        return Batch(answer, [], after, isAtTail: false, grantsLease: false) with { Found = false };
    }

    private void Report(HeartbeatAnswer answer)
    {
        if (_heartbeats.Report(answer.Epoch) && !answer.IsClosed)
        {
            _news.Set();
        }
    }

    private (PageReader.Page Page, bool WasStuck) Read(HeartbeatAnswer answer, LogPosition from, int max)
    {
        try
        {
            var page = _pages.Read(answer.Packs, from, max);
            var wasStuck = _heartbeats.SetStuck(false);
            return (page, wasStuck);
        }
        catch (IOException)
        {
            _heartbeats.SetStuck(true);
            throw;
        }
    }

    private static LogBatch Batch(
        HeartbeatAnswer answer, LogEntry[] entries, LogPosition position, bool isAtTail,
            bool grantsLease) => new()
        {
            Entries = entries,
            Position = position,
            AtTail = isAtTail,
            GrantsLease = grantsLease,
            Time = answer.Time,
            Horizon = answer.Horizon,
        };
}
