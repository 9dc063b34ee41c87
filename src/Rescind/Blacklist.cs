using System.Diagnostics.Metrics;
using System.Security.Cryptography;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Logging.Abstractions;

namespace Rescind;

/// <summary>Ends tokens before they expire, and says of each token whether it still counts. One object a
/// process and log; all members may be called from any thread at any time.</summary>
/// <remarks>A revocation is appended to the log; the feed carries the log to the index on every node; a check
/// asks the index. Call <see cref="LoadAsync"/> before the first check and keep <see cref="RunAsync"/>
/// running; <c>AddTokenBlacklist()</c> does both.</remarks>
public sealed class Blacklist
{
    private readonly IRevocationLog _log;
    private readonly TimeProvider _clock;
    private readonly ILogger _logger;
    private readonly RevocationIndex _index = new();
    private readonly FeedFollower _feed;
    private readonly Judging _judging;
    private readonly Revoking _revoking;
    private readonly RecordKeeper _records;
    private readonly ReceiptWait _receipts;
    private readonly CheckTally _tally = new();
    private readonly BlacklistMetrics _metrics;

    /// <summary>Makes a blacklist; nothing is read or written yet.</summary>
    /// <param name="options">How it behaves. Default: <see cref="BlacklistOptions"/> as it is made.</param>
    /// <param name="log">Where revocations are kept. Default: this process's memory; they end with
    /// it.</param>
    /// <param name="records">Where who, why and when are kept. Default: the last 10,000, in memory.</param>
    /// <param name="clock">The clock. Default: the system's.</param>
    /// <param name="logger">Where to log. Default: nowhere.</param>
    /// <param name="meters">Where to measure, meter <c>Rescind</c>. Default: nowhere.</param>
    /// <exception cref="ArgumentException">An option is out of its range; the message names it.</exception>
    public Blacklist(
        BlacklistOptions? options = null,
        IRevocationLog? log = null,
        IRevocationRecords? records = null,
        TimeProvider? clock = null,
        ILogger<Blacklist>? logger = null,
        IMeterFactory? meters = null)
    {
        Options = options ?? new BlacklistOptions();
        if (OptionsRules.Fault(Options) is { } fault)
        {
            throw new ArgumentException(fault, nameof(options));
        }
#pragma warning disable RS0030 // the one place that may choose the system's clock
        _clock = clock ?? TimeProvider.System;
#pragma warning restore RS0030
        _log = log ?? new MemoryLog(_clock);
        _logger = logger ?? (ILogger)NullLogger.Instance;
        Records = records ?? new RecentRecords();
        _records = new RecordKeeper(Records, _logger);
        _feed = new FeedFollower(_log, _index, Options, _clock, _logger);
        _log.Listen(entries => _index.Apply(entries.Span));
        _receipts = new ReceiptWait(_log, Options, _clock);
        _judging = new Judging(_index, _feed, Options, _clock, _tally);
        _revoking = new Revoking(Options);
        _metrics = new BlacklistMetrics(meters, _tally, _index, _feed);
    }

    /// <summary>The options. Changes after the start have no defined effect.</summary>
    public BlacklistOptions Options { get; }

    /// <summary>Who, why and when of the revocations.</summary>
    public IRevocationRecords Records { get; }

    /// <summary>Draws the tag of an id; a simulation draws it from its seed.</summary>
    internal Func<uint> DrawTag { get; init; } =
        static () => BitConverter.ToUInt32(RandomNumberGenerator.GetBytes(sizeof(uint)));

    internal RevocationIndex Index => _index;

    internal FeedFollower Feed => _feed;

    /// <summary>Says whether a token still counts, from memory: no I/O, no lock, no allocation.</summary>
    /// <param name="token">What a token says whose signature has been verified.</param>
    /// <returns><see cref="Verdict.Unknown"/> when this node is not fresh; see
    /// <see cref="CheckAsync"/>.</returns>
    public Verdict Check(in TokenFacts token)
    {
        var verdict = _judging.JudgeSampled(token, out var cell);
        _tally.Count(cell, verdict);
        return verdict;
    }

    /// <summary>As <see cref="Check"/>; when this node is not fresh, first waits for a read of the log that
    /// all waiting checks share, at most <see cref="BlacklistOptions.CatchUpTimeout"/>.</summary>
    /// <param name="token">What a token says whose signature has been verified.</param>
    /// <param name="cancel">Gives up.</param>
    public ValueTask<Verdict> CheckAsync(in TokenFacts token, CancellationToken cancel = default)
    {
        var verdict = _judging.JudgeSampled(token, out var cell);
        if (verdict == Verdict.Unknown && !_feed.IsFresh)
        {
            return CatchUpAndCheckAsync(token, cancel);
        }
        _tally.Count(cell, verdict);
        return ValueTask.FromResult(verdict);
    }

    /// <summary>Says what is wrong with a revocation.</summary>
    /// <param name="revocation">The revocation.</param>
    /// <returns>One sentence, or null when it can be made.</returns>
    public string? Validate(Revocation revocation)
    {
        ArgumentNullException.ThrowIfNull(revocation);
        return _revoking.Fault(revocation, _clock.GetUtcNow());
    }

    /// <summary>Revokes. When the call returns, the receipt says how far the revocation got.</summary>
    /// <param name="revocation">What ends, who decided and why.</param>
    /// <param name="cancel">Gives up before anything is written; a revocation that has begun is carried
    /// through.</param>
    /// <exception cref="ArgumentException">What <see cref="Validate"/> says.</exception>
    /// <exception cref="IOException">No store confirmed it. Repeat the call; that is harmless.</exception>
    public ValueTask<Receipt> RevokeAsync(Revocation revocation, CancellationToken cancel = default) =>
        RevokeAsync([revocation], cancel);

    /// <summary>Revokes several at once: all of them are stored, or the call fails.</summary>
    /// <param name="revocations">1 to <see cref="BlacklistOptions.LargestBatch"/> revocations.</param>
    /// <param name="cancel">Gives up before anything is written.</param>
    /// <exception cref="ArgumentException">One is not valid, or the batch is empty or too large.</exception>
    /// <exception cref="IOException">No store confirmed it. Repeat the call; that is harmless.</exception>
    /// <exception cref="InvalidOperationException">There are already too many.</exception>
    public async ValueTask<Receipt> RevokeAsync(
        IReadOnlyList<Revocation> revocations, CancellationToken cancel = default)
    {
        cancel.ThrowIfCancellationRequested();
        _revoking.CheckBatch(revocations, _clock.GetUtcNow(), _index.Count);
        var started = _clock.GetTimestamp();
        await (revocations.Any(Revoking.HasCutoff) ? _feed.ReadNewestAsync(cancel) : ValueTask.CompletedTask);
        var now = _clock.GetUtcNow();
        var logTime = _feed.Time.CutoffTime;
        var completed = revocations.Select(one => _revoking.Complete(
            one, now, logTime, _index.LatestCutoffBefore(one), Revoking.NewId(one, DrawTag, _index.Knows)))
            .ToArray();
        var entries = completed.Select(one => _revoking.Entry(one, now > logTime ? now : logTime)).ToArray();

        // Side by side, so that a store which keeps both commits them together.
        var records = _records.WriteAsync(completed).AsTask();
        var position = await AppendAsync(entries);
        await records;
        var receipt = await _receipts.WaitAsync(entries[0].Id, position, started);
        _metrics.Revoked(entries, receipt);
        return receipt;
    }

    /// <summary>The live revocations with exactly this target, as this node knows them.</summary>
    /// <param name="kind">The kind of rule.</param>
    /// <param name="issuer">The issuer.</param>
    /// <param name="value">The value; for an issuer rule the issuer.</param>
    public IReadOnlyList<RevocationId> Find(RuleKind kind, string issuer, string value) =>
        _index.Find(kind, issuer, value);

    /// <summary>Undoes revocations. Exactly those named: a revocation of the same target that was made by
    /// somebody else stays.</summary>
    /// <param name="ids">1 to <see cref="BlacklistOptions.LargestBatch"/> ids; those that are not live here
    /// are passed over.</param>
    /// <param name="reason">A word of <c>[a-z0-9_]{1,64}</c>.</param>
    /// <param name="actor">Who decided.</param>
    /// <param name="cancel">Gives up before anything is written.</param>
    /// <returns>The receipt, or null when none of the ids is live here.</returns>
    /// <exception cref="ArgumentException">Reason, actor or number of ids is not as stated.</exception>
    /// <exception cref="IOException">No store confirmed it. Repeat the call; that is harmless.</exception>
    public async ValueTask<Receipt?> LiftAsync(
        IReadOnlyList<RevocationId> ids, string reason, string actor, CancellationToken cancel = default)
    {
        cancel.ThrowIfCancellationRequested();
        _revoking.CheckLift(ids, reason, actor);
        var started = _clock.GetTimestamp();
        var lifted = ids.Select(_index.EntryOf).OfType<LogEntry>().ToArray();
        if (lifted.Length == 0)
        {
            return null;
        }
        var position = await AppendAsync([.. lifted.Select(live => live.Lift)]);
        await _records.WriteLiftsAsync(lifted, reason, actor, _clock.GetUtcNow());
        _metrics.Lifted(lifted.Length);
        return await _receipts.WaitAsync(lifted[0].Id, position, started);
    }

    /// <summary>Says why a token is or is not accepted: every rule that matches, who made it, when and
    /// why.</summary>
    /// <param name="token">The token.</param>
    /// <param name="cancel">Gives up.</param>
    public async ValueTask<Explanation> ExplainAsync(TokenFacts token, CancellationToken cancel = default)
    {
        var verdict = _judging.Judge(token);
        var because = _judging.Because(token, verdict);
        if (verdict != Verdict.Revoked)
        {
            return new Explanation(verdict, because, []);
        }
        var ids = _index.FindMatches(token);
        var known = (await _records.ReadAsync(ids, cancel)).ToDictionary(record => record.Id);
        var rules = ids.Select(id => known.GetValueOrDefault(id) ?? RecordKeeper.Unrecorded(id, token));
        return new Explanation(verdict, because, [.. rules]);
    }

    /// <summary>The earliest time an issuer may stamp on a new token so that no live cutoff hits it: now, or
    /// one second after the latest cutoff. Stamp it as <c>iat</c> and, at log-in, as <c>auth_time</c>: one
    /// right after "revoke everything" works at once. A refresh: not before a log-in seconds ahead.</summary>
    /// <param name="token">The token that is about to be issued; its times are not looked at.</param>
    /// <returns>Whole seconds; the maximum value: issue nothing now, the key or the like is revoked for good,
    /// or so many cutoffs were made in a row that the next second they leave is over 20 seconds away, or
    /// clocks differ by more than <see cref="BlacklistOptions.IssuerClockDifference"/>.</returns>
    public DateTimeOffset EarliestIssueTime(in TokenFacts token)
    {
        var now = _clock.GetUtcNow();
        var cutoff = _index.LatestCutoff(token);
        var furthest = (now + Options.IssuerClockDifference + Revoking.FurthestStep).ToUnixTimeSeconds();
        return cutoff >= furthest || _feed.Time.Ahead?.Duration() > Options.IssuerClockDifference
            ? DateTimeOffset.MaxValue
            : DateTimeOffset.FromUnixTimeSeconds(Math.Max(now.ToUnixTimeSeconds(), cutoff + 1));
    }

    /// <summary>How this blacklist is doing. Cheap enough to ask every second.</summary>
    public BlacklistStatus GetStatus()
    {
        var (lease, log) = (_feed.Lease, _log.Status);
        return new BlacklistStatus
        {
            Fresh = _feed.IsFresh,
            Loaded = _feed.HasLoaded || (log.JournalLoaded == true && !Options.RefuseWhenUnknown),
            Shared = _log.IsShared,
            Log = log,
            Lag = lease is { Bound: not null } ? lease.Age(_clock) : TimeSpan.Zero,
            ClockAhead = _feed.Time.Ahead,
            Position = _feed.Position,
            Fault = _feed.Fault,
            Rules = RevocationIndex.Kinds().ToDictionary(kind => kind, _index.CountOf),
            IndexBytes = _index.Bytes,
            Checks = _tally.Accepted + _tally.Revoked + _tally.Unknown,
            Revoked = _tally.Revoked,
            Unknown = _tally.Unknown,
            CatchUps = _tally.CatchUps,
            MeanCheckMs = _tally.MeanMs(),
            P99CheckMs = _tally.P99Ms(),
        };
    }

    /// <summary>Reads the log to its end once, so that the first check is answered from all that is
    /// known.</summary>
    /// <param name="cancel">Gives up.</param>
    /// <exception cref="IOException">The log cannot be read, or grants no lease for eight bounds.</exception>
    public async ValueTask LoadAsync(CancellationToken cancel = default)
    {
        await _feed.LoadAsync(cancel);
        // Compiles the check's path now: the first request should not wait for it, nor spoil the mean.
        _judging.Judge(new TokenFacts { Issuer = "", TokenId = "warm-up", ExpiresAt = _clock.GetUtcNow() });
    }

    /// <summary>Follows the log until cancelled, and compacts it daily; absorbs faults, which
    /// <see cref="GetStatus"/> shows or the log tells.</summary>
    /// <param name="cancel">Ends it.</param>
    public Task RunAsync(CancellationToken cancel) => Task.WhenAll(_feed.RunAsync(cancel),
        new DailyCompaction(CompactAsync, _clock, _logger).RunAsync(DrawTag(), cancel));

    /// <summary>Drops what has expired, from the log, this node's file and memory.</summary>
    /// <param name="cancel">Stops between two steps.</param>
    /// <exception cref="IOException">The log cannot be compacted.</exception>
    public async ValueTask<CompactionResult> CompactAsync(CancellationToken cancel = default)
    {
        var deadBefore = _feed.Time.DeadBefore;
        var result = await _log.CompactAsync(DateTimeOffset.FromUnixTimeSeconds(deadBefore), cancel);
        for (var part = 0; part <= TokenTable.ShardCount; part++)
        {
            _index.Forget(part, deadBefore);
        }
        Log.Compacted(_logger, result.EntriesDropped, result.BytesBefore, result.BytesAfter);
        return result;
    }

    private async ValueTask<Verdict> CatchUpAndCheckAsync(TokenFacts token, CancellationToken cancel)
    {
        _tally.CountCatchUp();
        await _feed.CatchUpAsync(cancel);
        return Check(token);
    }

    /// <summary>Appends, then applies here, so that this node refuses before the call returns. Not cancelled:
    /// the log may keep what a caller has given up.</summary>
    private async ValueTask<LogPosition> AppendAsync(LogEntry[] entries)
    {
        try
        {
            var position = await _log.AppendAsync(entries, CancellationToken.None);
            _index.Apply(entries);
            return position;
        }
        catch (IOException fault)
        {
            Log.RevocationNotStored(_logger, entries.Length, fault.Message);
            throw;
        }
    }
}
