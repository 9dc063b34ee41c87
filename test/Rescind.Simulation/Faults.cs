namespace Rescind.Simulation;

/// <summary>What befalls a fleet, drawn anew for each life, and how it ends.</summary>
internal sealed class Faults(World world, RedisGroup redis, IReadOnlyList<Node> nodes, BlacklistOptions options)
{
    private bool _isOver;

    private Random Random => world.Random;

    private double Bound => options.Freshness.TotalMilliseconds;

    /// <summary>Has faults befall the fleet until a time.</summary>
    /// <param name="end">The time.</param>
    /// <param name="share">How likely each kind is among them.</param>
    public void Begin(long end, double share)
    {
        var kinds = All().Where(_ => world.Chance(share)).ToList();
        var pace = world.Between(100, 3_000).TotalMilliseconds;
        void Next()
        {
            if (world.Now < end && !_isOver)
            {
                kinds[Random.Next(kinds.Count)]();
                world.After(world.Between(10, pace), Next);
            }
        }
        if (kinds.Count != 0)
        {
            world.After(world.Between(200, 3_000), Next);
        }
    }

    /// <summary>Everything works again, and every machine is there.</summary>
    public void Heal()
    {
        _isOver = true;
        world.Tell("all faults end");
        redis.Heal();
        foreach (var node in nodes)
        {
            if (node.Disk is { } disk)
            {
                disk.IsFull = false;
            }
            node.SetClock(null);
            if (node.HasOthers || node.IsStopping)
            {
                node.Crash();
                node.HasOthers = false;
            }
            if (!node.IsAlive)
            {
                node.Start();
                continue;
            }
            node.Resume();
            (node.Link!.IsPullCut, node.Link.IsPushCut, node.Link.IsAnswerCut) = (false, false, false);
            (node.Link.Loss, node.Link.SlowMs) = (0, 2);
        }
    }

    private IEnumerable<Action> All() =>
    [
        Crash, Crash, FreezeProcess, SuspendMachine, PauseAllClocks, CutPull, CutPush, CutAnswers, Lossy, Slow, DiskFull, StepClock,
        OtherSettings, Deploy, RedisAway, RedisRestarts, RedisRestartsEmpty, RedisRolledBack, Flush, FailOver, RedisFull,
        ReplicaAway, ReplicaStalls,
    ];

    private Node? Any() => nodes[Random.Next(nodes.Count)] is { IsAlive: true, IsFrozen: false } node ? node : null;

    private void With(string what, Action<Node> begin, Action<Node> end)
    {
        if (Any() is not { } node)
        {
            return;
        }
        var (process, time) = (node.Process, world.Between(Bound / 4, Bound * 6));
        world.Tell($"{node}: {what} for {time.TotalMilliseconds:0} ms");
        begin(node);
        world.After(time, () =>
        {
            if (!_isOver && node.Process == process && node.IsAlive)
            {
                world.Tell($"{node}: {what} is over");
                end(node);
            }
        });
    }

    private void Crash()
    {
        if (Any() is { } node)
        {
            world.Tell($"{node} is killed");
            node.Crash();
            world.After(world.Between(1, Bound * 8), () =>
            {
                if (!node.IsAlive)
                {
                    node.Start();
                    world.Tell($"{node} starts again");
                }
            });
        }
    }

    /// <summary>A node runs with other settings for a while.</summary>
    private void OtherSettings()
    {
        if (Any() is { } node)
        {
            Restart(node, changes: true);
            world.After(world.Between(Bound, Bound * 16), () =>
            {
                if (!_isOver)
                {
                    Restart(node, changes: true);
                }
            });
        }
    }

    /// <summary>All nodes are started again, one after the other, half of the times with other settings.</summary>
    private void Deploy()
    {
        var (at, changes) = (TimeSpan.Zero, world.Chance(0.5));
        foreach (var node in nodes)
        {
            world.After(at, () =>
            {
                if (!_isOver)
                {
                    Restart(node, changes);
                }
            });
            at += world.Between(1, Bound * 4);
        }
    }

    /// <summary>A node is stopped, in order or not, and started.</summary>
    private void Restart(Node node, bool changes)
    {
        void Start()
        {
            node.HasOthers ^= changes;
            node.Start();
            world.Tell($"{node} starts again with {(node.HasOthers ? "other settings" : "the settings of the fleet")}");
        }
        if (!node.IsAlive)
        {
            return;
        }
        var inOrder = world.Chance(0.5);
        world.Tell($"{node} is {(inOrder ? "stopped" : "killed")}");
        if (inOrder)
        {
            node.Stop(Start);
            return;
        }
        node.Crash();
        Start();
    }

    private void FreezeProcess() => With("frozen", node => node.Freeze(), node => node.Resume());

    private void SuspendMachine() => Suspend(allClocks: false);

    private void PauseAllClocks() => Suspend(allClocks: true);

    private void Suspend(bool allClocks)
    {
        if (Any() is { } node)
        {
            var time = world.Between(Bound / 4, Bound * 6);
            world.Tell($"{node} is suspended for {time.TotalMilliseconds:0} ms{(allClocks ? ", all its clocks stand" : "")}");
            node.Suspend(time, allClocks);
        }
    }

    private void CutPull() => With("calls cut", node => node.Link!.IsPullCut = true, node => node.Link!.IsPullCut = false);

    private void CutPush() => With("push cut", node => node.Link!.IsPushCut = true, node => node.Link!.IsPushCut = false);

    private void CutAnswers() =>
        With("answers cut", node => node.Link!.IsAnswerCut = true, node => node.Link!.IsAnswerCut = false);

    private void Lossy() => With("lossy", node => node.Link!.Loss = Random.NextDouble(), node => node.Link!.Loss = 0);

    private void Slow() => With("slow", node => node.Link!.SlowMs = Bound * Random.NextDouble(), node => node.Link!.SlowMs = 2);

    private void DiskFull() => With(
        "disk full",
        node => node.Disk?.IsFull = true,
        node => node.Disk?.IsFull = false);

    private void StepClock()
    {
        if (Any() is { } node)
        {
            var by = world.Between(-1, 1) * (world.Chance(0.5) ? 1_500 : 60_000);
            world.Tell($"{node}: wall clock set by {by.TotalMilliseconds:0} ms");
            node.SetClock(by);
            world.After(world.Between(Bound, Bound * 8), () => node.SetClock(null));
        }
    }

    private void RedisAway()
    {
        var server = redis.Master;
        world.Tell($"{server.Name} goes away");
        server.IsUp = false;
        world.After(world.Between(10, Bound * 8), () =>
        {
            if (!_isOver && !server.IsUp && server.MasterOfIt is null)
            {
                server.IsUp = true;
                world.Tell($"{server.Name} is back, as it was");
            }
        });
    }

    private void RedisRestarts() => Restart("with all it had", writes => writes);

    private void RedisRestartsEmpty() => Restart("empty", _ => 0);

    private void RedisRolledBack() => Restart("with an old file", writes => Random.Next(writes + 1));

    private void Restart(string how, Func<int, int> kept)
    {
        var server = redis.Master;
        server.IsUp = false;
        world.After(world.Between(1, Bound * 2), () =>
        {
            if (!_isOver && server.MasterOfIt is null)
            {
                world.Tell($"{server.Name} was restarted {how}");
                server.Restart(kept(server.Offset));
            }
        });
    }

    private void Flush()
    {
        world.Tell($"{redis.Master.Name} is flushed");
        redis.Master.Flush();
    }

    private void FailOver()
    {
        if (redis.Servers.Count > 1)
        {
            var isOldAlive = world.Chance(0.5);
            world.Tell($"a replica becomes the master, the old one {(isOldAlive ? "goes on" : "is dead")}");
            redis.FailOver(isOldAlive, world.Between(10, Bound * 8));
        }
    }

    private void ReplicaAway() => WithReplica("goes away", replica => replica.IsUp = false);

    private void ReplicaStalls() => WithReplica("takes in nothing", replica => replica.IsStalled = true);

    private void WithReplica(string what, Action<RedisServer> begin)
    {
        if (redis.AnyReplica() is { } replica)
        {
            world.Tell($"{replica.Name} {what}");
            begin(replica);
            world.After(world.Between(10, Bound * 8), () =>
            {
                if (!_isOver && replica.MasterOfIt is not null && (!replica.IsUp || replica.IsStalled))
                {
                    replica.GoOn();
                    redis.Lead(replica);
                    world.Tell($"{replica.Name} follows again");
                }
            });
        }
    }

    private void RedisFull()
    {
        var server = redis.Master;
        world.Tell($"{server.Name} is full");
        server.IsFull = true;
        world.After(world.Between(10, Bound * 6), () => server.IsFull = false);
    }
}
