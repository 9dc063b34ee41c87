using Microsoft.Extensions.Logging.Abstractions;
using Rescind.Redis;

namespace Rescind.Simulation;

/// <summary>How a check went.</summary>
/// <param name="Began">When it began.</param>
/// <param name="Verdict">How it ended.</param>
/// <param name="IsFresh">Whether the node was fresh then.</param>
/// <param name="Known">A revocation of the token that stood in the node's index before it and after.</param>
/// <param name="Took">How long it took by the node's monotonic clock, if nothing interrupted it.</param>
internal sealed record Check(long Began, Verdict Verdict, bool IsFresh, Decision? Known, long Took);

/// <summary>A machine of the fleet with the real core on it: it starts, dies, freezes and comes back, with the disk
/// and the clocks that it had.</summary>
internal sealed class Node(
    World world, RedisGroup redis, Ledger ledger, BlacklistOptions first, BlacklistOptions others, int number, bool hasDisk,
    int servers)
{
    /// <summary>How long a check may wait for the log.</summary>
    public static readonly TimeSpan CatchUp = new BlacklistOptions().CatchUpTimeout;

    private static readonly TimeSpan Second = TimeSpan.FromSeconds(1);

    /// <summary>After so long, beside some freshness bounds, a host kills: calls are carried through.</summary>
    private static readonly TimeSpan LongestStop = TimeSpan.FromSeconds(30);

    private Turn? _turn;
    private bool _isChecking;
    private List<string> _open = [];
    private Func<Task> _stop = static () => Task.CompletedTask;
    private bool _wasSuspended;
    private long _hidTimeAt = long.MinValue;
    private readonly List<(long True, long Monotonic, long Wall)> _disturbed = [];

    public int Number => number;

    public NodeClock Clock { get; } = new(world, 0.95 + (world.Random.NextDouble() * 0.1));

    public Disk? Disk { get; } = hasDisk ? new Disk(world) : null;

    public Link? Link { get; private set; }

    public Blacklist? Blacklist { get; private set; }

    public bool IsAlive { get; private set; }

    /// <summary>Whether it was told to end.</summary>
    public bool IsStopping { get; private set; }

    /// <summary>Its key in the registry, drawn at its start.</summary>
    public string Process { get; private set; } = "";

    /// <summary>When a pause ended that none of its clocks shows; a promise makes an exception of that.</summary>
    public long AllClocksStoodUntil { get; private set; } = long.MinValue;

    public bool IsFrozen => _turn!.IsFrozen;

    /// <summary>Whether its wall clock is ahead and it cannot know: it has not read the log since its start, or not for so
    /// long that its clock has drifted away, by more than issuers may differ. The clocks of Redis are up to 300 ms off.</summary>
    public bool IsAhead => !Blacklist!.Feed.IsFresh
        && Clock.Ahead > (Blacklist.Feed.HasLoaded ? Options.IssuerClockDifference - TimeSpan.FromMilliseconds(300) : Second);

    /// <summary>Whether it is started with other settings than the fleet began with.</summary>
    public bool HasOthers { get; set; }

    /// <summary>Whether it ever was.</summary>
    public bool HadOthers { get; private set; }

    private BlacklistOptions Options => Blacklist!.Options;

    /// <summary>Whether it knows everything, and everything it decided is in the log.</summary>
    public bool IsConfirmed => Blacklist!.GetStatus() is { Fresh: true, Log.JournalPending: 0 };

    /// <summary>Whether time passed since it last read the log that none of its clocks shows: both stood, or the one that
    /// went on was set back.</summary>
    private bool HidTime => _hidTimeAt > Link!.Reads.LastGoodAt;

    public override string ToString() => $"node-{number}";

    public void Start()
    {
        var turn = new Turn(world, ToString());
        (_turn, IsAlive, IsStopping, _open) = (turn, true, false, []);
        Link = new Link(world, redis, Clock, turn);
        var names = new RedisNames("sim", ToString(), 0);
        Process = names.Process;
        turn.Do(_ => Build(names), null);
        Clock.Read = null;
    }

    /// <summary>kill -9, for which a machine that was suspended is woken.</summary>
    public void Crash()
    {
        if (IsAlive)
        {
            Clock.Stand(monotonic: false, wall: false);
            IsAlive = false;
            _turn!.End();
            redis.Remove(Link!);
            Disk?.Crash();
        }
    }

    /// <summary>Ends it in order, as its host does: it stops to follow, writes its file, and leaves the fleet. Whoever asks it
    /// meanwhile is answered.</summary>
    /// <param name="then">What follows, unless it dies meanwhile.</param>
    public void Stop(Action then)
    {
        if (!IsAlive || IsStopping)
        {
            return;
        }
        IsStopping = true;
        var (turn, stop, began, pauses) = (_turn!, _stop, Clock.Reading.Monotonic, _turn!.Pauses);
        async Task StopAsync()
        {
            try
            {
                await stop();
            }
            catch (Exception fault)
            {
                world.Break(Checkers.Progress, $"{this} did not end in order: {fault}");
            }
            if (turn.Pauses == pauses && Clock.Reading.Monotonic - began > (LongestStop + (Options.Freshness * 4)).Ticks)
            {
                world.Break(Checkers.Progress, $"{this} took more than {LongestStop.TotalSeconds} s and four bounds to end");
            }
            world.After(TimeSpan.Zero, () =>
            {
                if (turn == _turn && IsAlive)
                {
                    IsAlive = false;
                    turn.End();
                    Disk?.Crash();
                    then();
                }
            });
        }
        turn.Post(state => _ = StopAsync(), null);
    }

    /// <summary>Sets the wall clock; null: right.</summary>
    public void SetClock(TimeSpan? by)
    {
        Remember();
        if (by is { } step)
        {
            Clock.Step(step);
        }
        else
        {
            Clock.SetRight();
        }
        HideTime(allClocks: false);
        LookForHiddenPause();
    }

    public void Freeze() => _turn!.Freeze();

    public void Resume()
    {
        Clock.Stand(monotonic: false, wall: false);
        LookForHiddenPause();
        _turn!.Resume();
    }

    /// <summary>The machine is suspended for a while: its monotonic clock stands, and under a hypervisor its wall clock
    /// too.</summary>
    public void Suspend(TimeSpan time, bool allClocks)
    {
        Remember();
        Freeze();
        Clock.Stand(monotonic: true, wall: allClocks);
        var turn = _turn;
        world.After(time, () =>
        {
            if (turn == _turn)
            {
                _wasSuspended = true;
                HideTime(allClocks);
                Resume();
            }
        });
    }

    private void HideTime(bool allClocks) =>
        _hidTimeAt = allClocks || (_wasSuspended && Clock.WasSetBack) ? world.Now : _hidTimeAt;

    private void Remember()
    {
        var reading = Clock.Reading;
        _disturbed.RemoveAll(one => reading.Monotonic - one.Monotonic > (Options.Freshness * 1.25).Ticks);
        _disturbed.Add((world.Now, reading.Monotonic, reading.Wall));
    }

    /// <summary>Whether time has passed since a moment that a lease may reach back to which no clock shows: all of them
    /// stood, or the only one that went on was set back by as much. Set back by more, it is seen to be wrong.</summary>
    private void LookForHiddenPause()
    {
        var (monotonic, wall) = Clock.Reading;
        var bound = Options.Freshness.Ticks;
        foreach (var one in _disturbed)
        {
            var (passed, byMonotonic, byWall) = (world.Now - one.True, monotonic - one.Monotonic, wall - one.Wall);
            var shown = Math.Max(byMonotonic, byWall);
            if (shown <= bound && passed - shown > bound / 10 && byMonotonic - byWall <= bound / 4)
            {
                AllClocksStoodUntil = world.Now;
            }
        }
    }

    /// <summary>The calls of this process that have not come back.</summary>
    public IReadOnlyList<string> Open => _open;

    /// <summary>Whether what it was asked since then could be kept on its disk.</summary>
    public bool HasDiskSince(long time) => Disk?.HasWorkedSince(time) == true;

    /// <summary>Does something in the process; never completes when it dies.</summary>
    public async Task<T> DoAsync<T>(string what, Func<Blacklist, Task<T>> work)
    {
        var (blacklist, open) = (Blacklist!, _open);
        open.Add(what);
        try
        {
            return await _turn!.Start(() => work(blacklist));
        }
        finally
        {
            open.Remove(what);
        }
    }

    /// <summary>A check, in the middle of which the thread may lose the processor, or the whole process may.</summary>
    /// <returns>How it went; null for a token that the validator refuses, because it has expired by the wall
    /// clock.</returns>
    public Task<Check?> CheckAsync(Issued token) => DoAsync("check", async blacklist =>
    {
        var (began, presented, turn) = (world.Now, token.Presented(world.Random), _turn!);
        if (IsOver(presented))
        {
            return null;
        }
        var known = token.NamedBy.FindAll(one => one.MayEnd(token) && Knows(one));
        var (isInterrupted, pauses, clock) = (world.Chance(0.05), turn.Pauses, Clock.Reading.Monotonic);
        if (isInterrupted)
        {
            Interrupt();
        }
        var check = blacklist.CheckAsync(presented);
        Clock.Read = null;
        var verdict = await check;
        var took = isInterrupted || turn.Pauses != pauses ? 0 : Clock.Reading.Monotonic - clock;
        return new Check(began, verdict, blacklist.Feed.IsFresh, known.Find(Knows), took);
    });

    /// <summary>A check that nothing interrupts and that waits for nothing; null as above.</summary>
    public Check? CheckAtOnce(Issued token)
    {
        var presented = token.Presented(world.Random);
        return IsOver(presented) ? null : new Check(
            world.Now, Blacklist!.Check(presented), Blacklist.Feed.IsFresh,
            token.NamedBy.Find(one => one.MayEnd(token) && Knows(one)), 0);
    }

    /// <summary>Whether a revocation stands in its index.</summary>
    public bool Knows(Decision decision) =>
        decision.Made is { } made && Blacklist!.Index.EntryOf(made.Id) is not null;

    /// <summary>Whether it holds the lift of a revocation.</summary>
    public bool KnowsLiftOf(Decision decision) =>
        !Knows(decision) && Blacklist!.Index.Knows(decision.Made!.Id);

    private bool Holds(LogEntry entry) =>
        Blacklist!.Index.Knows(entry.Id) && (Blacklist.Index.EntryOf(entry.Id) is null) == entry.IsLift;

    private bool IsOver(TokenFacts token) => token.ExpiresAt + Options.ClockSkew <= Clock.GetUtcNow();

    /// <summary>At the next reading of a clock, the world goes on without this thread.</summary>
    private void Interrupt()
    {
        var (isWhole, time) = (world.Chance(0.5), world.Between(1, Options.Freshness.TotalMilliseconds * 3));
        var turn = _turn!;
        Clock.Read = () =>
        {
            if (_isChecking)
            {
                return;
            }
            (_isChecking, Clock.Read) = (true, null);
            if (isWhole)
            {
                turn.Freeze();
            }
            world.RunTo(world.Now + time.Ticks);
            if (isWhole)
            {
                turn.Resume();
            }
            _isChecking = false;
        };
    }

    private void Build(RedisNames names)
    {
        HadOthers |= HasOthers;
        var options = HasOthers ? others : first;
        var shared = new RedisRevocationLog(Link!, names, options, null, Clock, NullLogger.Instance, servers);
        var journaled = Disk is null ? null : new JournaledLog(shared, Disk, options, Clock, NullLogger.Instance);
        var log = new PatientLog(journaled ?? (IRevocationLog)shared, Link!.Reads, ledger.Appended, Holds);
        Blacklist = new Blacklist(options, log, new Recorder(ledger, this), Clock)
        {
            DrawTag = () => (uint)world.Random.NextInt64(uint.MaxValue),
        };
        var end = new CancellationTokenSource();
        var following = FollowAsync(Blacklist, end.Token);
        _stop = async () =>
        {
            end.Cancel();
            await following;
            await (journaled?.FlushAsync() ?? Task.CompletedTask);
            await (Disk?.CloseAsync() ?? Task.CompletedTask);
            await shared.DisposeAsync();
        };
    }

    private async Task FollowAsync(Blacklist blacklist, CancellationToken end)
    {
        try
        {
            // As Blacklist.RunAsync, whose task ends only when both have.
            _ = new DailyCompaction(blacklist.CompactAsync, Clock, NullLogger.Instance).RunAsync(1, end);
            await blacklist.Feed.RunAsync(end);
            if (!end.IsCancellationRequested)
            {
                world.Break("the feed goes on", $"{this} stopped following");
            }
        }
        catch (Exception fault)
        {
            world.Break("the feed goes on", $"{this} stopped following: {fault}");
        }
    }

    /// <summary>Tells the ledger what was decided, before anything is appended.</summary>
    private sealed class Recorder(Ledger ledger, Node node) : IRevocationRecords
    {
        private readonly RecentRecords _recent = new();

        public ValueTask AddAsync(IReadOnlyList<Revocation> records, CancellationToken cancel)
        {
            var feed = node.Blacklist!.Feed;
            var reads = node.Link!.Reads;
            ledger.Completed(
                records, begun => reads.AreBlind(begun, node.Options.Freshness), node.HidTime,
                !feed.HasLoaded && node.Clock.Ahead < -Second);
            return _recent.AddAsync(records, cancel);
        }

        public ValueTask<IReadOnlyList<Revocation>> FindAsync(
            IReadOnlyList<RevocationId> ids, CancellationToken cancel) => _recent.FindAsync(ids, cancel);

        public ValueTask<RevocationPage> ListAsync(RevocationQuery query, CancellationToken cancel) =>
            _recent.ListAsync(query, cancel);
    }
}
