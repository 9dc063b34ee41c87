namespace Rescind.Simulation;

/// <summary>Faults that meet the very moment of a revocation, as chance alone rarely has them do. A life that has
/// scenes has one kind of them, again and again.</summary>
internal sealed class Scenes(
    World world, RedisGroup redis, Clients clients, IReadOnlyList<Node> nodes, BlacklistOptions options)
{
    public const int Kinds = 8;

    /// <summary>The kinds in which a node with a disk does not wait long enough: it answers as journaled.</summary>
    public const int AnswerHeld = 3, LostAgain = 5;

    private long _end;

    private double Bound => options.Freshness.TotalMilliseconds;

    private bool IsOver => world.Now >= _end;

    public void Begin(int kind, long end)
    {
        _end = end;
        void Next()
        {
            if (!IsOver)
            {
                world.After(Act(kind) + world.Between(50, 600), Next);
            }
        }
        world.After(world.Between(300, 1_000), Next);
    }

    private TimeSpan Act(int kind)
    {
        var able = nodes.Where(node => node is { IsAlive: true, IsFrozen: false }).ToList();
        if (able.Count < 2 || clients.Recent() is not { } token)
        {
            return TimeSpan.Zero;
        }
        var writer = able[world.Random.Next(able.Count)];
        able.Remove(writer);
        var other = able[world.Random.Next(able.Count)];
        return kind switch
        {
            0 => SetClockInTheWait(writer, other, token),
            1 => AppendFromAnotherEpoch(writer, other, token),
            2 => RollBackBehindNewcomer(writer, other),
            AnswerHeld => HoldTheAnswer(writer, other, token),
            4 => SetBackAndSuspend(writer, other, token),
            LostAgain => LoseAgain(writer, other, token),
            6 => ComeLate(writer, able, token),
            _ => RevokeUnheard(writer, other, token),
        };
    }

    /// <summary>Another node cannot be reached and has a lease; the writer's wall clock is set forward while it waits
    /// for that to end.</summary>
    private TimeSpan SetClockInTheWait(Node writer, Node other, Issued token)
    {
        var time = world.Between(Bound * 1.5, Bound * 3);
        world.Tell($"scene: {writer}'s clock is set while it waits for {other}");
        Cut(other, time);
        clients.Revoke(writer, token, RuleKind.Token);
        During(world.Between(1, Bound * 0.7), () => writer.SetClock(world.Between(2_000, 20_000)));
        world.After(time, () => writer.SetClock(null));
        AskOften(other, token, Bound * 1.3);
        return time;
    }

    /// <summary>The writer stands still while the log goes into another epoch without it; the first thing it does then
    /// is an append.</summary>
    private TimeSpan AppendFromAnotherEpoch(Node writer, Node other, Issued token)
    {
        var time = world.Between(Bound * 6, Bound * 8);
        world.Tell($"scene: {writer} stands still for {time.TotalMilliseconds:0} ms while the log recovers");
        writer.Freeze();
        During(world.Between(1, Bound / 2), () => RollBack(redis.Master, redis.Master.Offset));
        During(time - TimeSpan.FromMilliseconds(1), () =>
        {
            other.Link!.IsPushCut = true;
            clients.Revoke(writer, token, RuleKind.Token);
        });
        world.After(time, () =>
        {
            writer.Resume();
            AskOften(other, token, Bound);
        });
        world.After(time + options.Freshness, () => other.Link!.IsPushCut = false);
        return time;
    }

    /// <summary>A node joins, has a lease, and is cut off; the log is rolled back to before it joined, so nobody
    /// remembers it.</summary>
    private TimeSpan RollBackBehindNewcomer(Node writer, Node newcomer)
    {
        var away = world.Between(Bound * 6, Bound * 7);
        world.Tell($"scene: {newcomer} is killed; when it comes back, the log forgets it");
        newcomer.Crash();
        world.After(away, () =>
        {
            if (!newcomer.IsAlive)
            {
                var (master, kept) = (redis.Master, redis.Master.Offset);
                newcomer.Start();
                Joined(writer, newcomer, () => RollBack(master, kept), looks: 100);
            }
        });
        return away + (options.Freshness * 2);
    }

    private void Joined(Node writer, Node newcomer, Action forget, int looks) => During(
        TimeSpan.FromMilliseconds(1), () =>
        {
            if (!newcomer.IsAlive || !newcomer.Blacklist!.Feed.IsFresh)
            {
                if (looks > 0)
                {
                    Joined(writer, newcomer, forget, looks - 1);
                }
                return;
            }
            Cut(newcomer, options.Freshness * 2);
            forget();
            for (var times = 1; times < 6; times++)
            {
                During(options.Freshness * 0.15 * times, () =>
                {
                    if (writer.IsAlive && clients.Recent() is { } token)
                    {
                        clients.Revoke(writer, token, RuleKind.Token);
                        AskOften(newcomer, token, Bound);
                    }
                });
            }
        });

    /// <summary>The answer to an append hangs while the log loses the append and recovers; then the writer is cut
    /// off.</summary>
    private TimeSpan HoldTheAnswer(Node writer, Node other, Issued token)
    {
        var hold = world.Between(15, Bound);
        var (master, kept) = (redis.Master, redis.Master.Offset);
        world.Tell($"scene: the answer to an append of {writer} hangs for {hold.TotalMilliseconds:0} ms");
        writer.Link!.AppendsHeldUntil = world.Now + hold.Ticks;
        clients.Revoke(writer, token, RuleKind.Token);
        During(world.Between(3, 8), () => RollBack(master, kept));
        During(world.Between(9, 12), () =>
        {
            if (other.IsAlive && clients.Recent() is { } second)
            {
                clients.Revoke(other, second, RuleKind.Token);
            }
        });
        During(hold + world.Between(0.1, 2), () => Cut(writer, options.Freshness * 3));
        AskOften(other, token, Bound * 4);
        return hold + (options.Freshness * 3);
    }

    /// <summary>A machine is cut off and suspended with a lease; its wall clock, which alone could tell, was set
    /// back.</summary>
    private TimeSpan SetBackAndSuspend(Node writer, Node other, Issued token)
    {
        var time = world.Between(Bound * 2, Bound * 4);
        world.Tell($"scene: {other}'s wall clock is set back, then it is suspended for {time.TotalMilliseconds:0} ms");
        other.SetClock(-world.Between(6_000, 60_000));
        Cut(other, time + options.Freshness);
        other.Suspend(time, allClocks: false);
        clients.Revoke(writer, token, RuleKind.Token);
        During(time, () => AskOften(other, token, Bound));
        world.After(time + options.Freshness, () => other.SetClock(null));
        return time + (options.Freshness * 2);
    }

    /// <summary>The log loses something, and to give that back takes a node long; meanwhile it hears of a revocation, the
    /// log loses that as well, and its writer dies.</summary>
    private TimeSpan LoseAgain(Node writer, Node other, Issued token)
    {
        var hold = world.Between(Bound * 1.5, Bound * 3);
        var (master, kept) = (redis.Master, redis.Master.Offset);
        world.Tell($"scene: {other} gives back slowly, the log loses again");
        other.Link!.AppendsHeldUntil = world.Now + hold.Ticks;
        clients.Revoke(writer, token, RuleKind.Token);
        During(world.Between(5, 10), () => RollBack(master, kept));
        During(world.Between(Bound * 0.4, Bound), () =>
        {
            if (writer.IsAlive && clients.Recent() is { } second)
            {
                var before = master.Offset;
                clients.Revoke(writer, second, RuleKind.Token);
                During(world.Between(4, 8), () =>
                {
                    RollBack(master, before);
                    writer.Crash();
                });
            }
        });
        world.After(hold + options.Freshness, () =>
        {
            if (!writer.IsAlive)
            {
                writer.Start();
            }
        });
        return TimeSpan.FromMinutes(1); // once: another loss would have the node give back what it forgot
    }

    /// <summary>A node alone knows of a revocation when the log loses it, and stands still until all others have reported:
    /// the first that is heard of it is of the epoch before.</summary>
    private TimeSpan ComeLate(Node writer, List<Node> others, Issued token)
    {
        var (late, master, kept) = (world.Between(Bound * 2.6, Bound * 4), redis.Master, redis.Master.Offset);
        world.Tell($"scene: the log loses what {writer} alone knows, which comes {late.TotalMilliseconds:0} ms late");
        others.ForEach(other => Cut(other, options.Freshness * 1.6));
        clients.Revoke(writer, token, RuleKind.Token);
        During(options.Freshness * 1.5, () =>
        {
            RollBack(master, kept);
            writer.Freeze();
        });
        world.After((options.Freshness * 1.5) + late, writer.Resume);
        return (options.Freshness * 3.5) + late;
    }

    /// <summary>A user is revoked, logs in again at once, and is revoked on a node that has not heard of the first time.
    /// </summary>
    private TimeSpan RevokeUnheard(Node writer, Node other, Issued token)
    {
        var (user, link) = (token.Facts.Subject!, other.Link!);
        world.Tell($"scene: {user} is revoked on {writer}, logs in there, and is revoked on {other}, which is told nothing");
        link.IsPushCut = true;
        clients.Revoke(writer, token, RuleKind.Subject);
        During(world.Between(2, 6), () =>
        {
            if (writer.IsAlive)
            {
                clients.LogIn(writer, user, issued => During(world.Between(1, 12), () =>
                {
                    if (other.IsAlive)
                    {
                        clients.Revoke(other, issued, RuleKind.Subject);
                        AskOften(writer, issued, Bound * 3);
                    }
                }));
            }
        });
        world.After(options.Freshness, () => link.IsPushCut = false);
        return options.Freshness * 2;
    }

    private void RollBack(RedisServer server, int kept)
    {
        if (server.MasterOfIt is null && server.Offset >= kept)
        {
            world.Tell($"{server.Name} was restarted, {server.Offset - kept} writes are lost");
            server.Restart(kept);
        }
    }

    private void Cut(Node node, TimeSpan time)
    {
        if (node.IsAlive)
        {
            var link = node.Link!;
            (link.IsPullCut, link.IsPushCut) = (true, true);
            world.After(time, () => (link.IsPullCut, link.IsPushCut) = (false, false));
        }
    }

    private void AskOften(Node node, Issued token, double milliseconds)
    {
        for (var at = 0.0; at < milliseconds; at += Bound / 16)
        {
            world.After(world.Between(at, at + (Bound / 16)), () => clients.Ask(node, token));
        }
    }

    private void During(TimeSpan delay, Action act) => world.After(delay, () =>
    {
        if (!IsOver)
        {
            act();
        }
    });
}
