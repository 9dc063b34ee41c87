using Rescind.Tests.Redis;

namespace Rescind.EndToEnd.Chaos;

/// <summary>Something that can go wrong, and be put right.</summary>
/// <param name="Name">What, and to whom.</param>
/// <param name="Takes">What no other fault may touch meanwhile.</param>
internal sealed record Fault(string Name, string[] Takes, Func<Task> Begin, Func<Task> End);

/// <summary>All that can go wrong in a world.</summary>
internal static class Faults
{
    public static IReadOnlyList<Fault> Of(World world) =>
    [
        .. world.All.SelectMany(node => OfNode(world, node)), .. OfRedis(world), .. OfPostgres(world), .. OfFront(world),
    ];

    private static IEnumerable<Fault> OfNode(World world, ChaosNode node)
    {
        yield return new Fault($"killed {node.Name}", [node.Name], async () =>
        {
            world.MarkDown(node.Name);
            await node.Server.KillAsync();
        }, () =>
        {
            world.Start(node.Name, node.Server.Launch);
            return Task.CompletedTask;
        });
        yield return new Fault(
            $"frozen {node.Name}", [node.Name], node.Server.FreezeAsync, node.Server.ResumeAsync);
        foreach (var fault in OfLinks($"{node.Name} to redis", [node.Name + " redis"], node.LogLinks)
            .Concat(OfLinks($"{node.Name} to postgres", [node.Name + " postgres"], [node.DatabaseLink]))
            .Concat(OfLinks($"front to {node.Name}", [node.Name + " front"], [node.FrontLink])))
        {
            yield return fault;
        }
        yield return new Fault($"disk full of {node.Name}", ["disk", node.Name], node.FillDiskAsync, () =>
        {
            node.Disk.Free();
            return Task.CompletedTask;
        });
        foreach (var minutes in new[] { 5, -5 })
        {
            yield return new Fault(
                $"clock {(minutes > 0 ? "ahead" : "behind")} of {node.Name}", [node.Name, "clock"],
                async () =>
                {
                    await StartAtAsync(TimeSpan.FromMinutes(minutes));
                    await node.ListensAsync();
                }, () => StartAtAsync(TimeSpan.Zero));
        }
        async Task StartAtAsync(TimeSpan ahead)
        {
            world.MarkDown(node.Name);
            await node.Server.KillAsync();
            world.Start(node.Name, () => node.LaunchAt(ahead));
        }
    }

    private static IEnumerable<Fault> OfLinks(string name, string[] takes, IEnumerable<TcpProxy> links)
    {
        var all = links.ToList();
        yield return Of($"cut {name}", takes, () => all.ForEach(link => link.Cut()), Restore);
        yield return Of($"stalled {name}", takes, () => all.ForEach(link => link.Stall()), Restore);
        yield return Of($"half open {name}", takes, () => all.ForEach(link => link.HalfOpen()), Restore);
        yield return Of($"slow {name}", takes, () => all.ForEach(link => link.Slow()), Restore);
        void Restore() => all.ForEach(link => link.Restore());
    }

    private static IEnumerable<Fault> OfRedis(World world)
    {
        RedisServer? hit = null;
        object[] role = [];
        var group = world.Redis;
        foreach (var isMaster in new[] { true, false })
        {
            var who = isMaster ? "master" : "replica";
            async Task<RedisServer> FindAsync() => hit = await world.OldData.OneAsync(isMaster);
            yield return new Fault($"killed redis {who}", ["redis", "disk"], async () =>
            {
                role = await OldData.RoleAsync(await FindAsync());
                await hit!.KillAsync();
            }, async () =>
            {
                // What sentinels have written into the file of a server since it was first started.
                await hit!.StartProcessAsync();
                await hit.CommandAsync("REPLICAOF", role);
            });
            yield return new Fault(
                $"frozen redis {who}", ["redis"], async () => await (await FindAsync()).FreezeAsync(), () => hit!.ResumeAsync());
        }
        yield return new Fault(
            "rolled back redis", ["redis", "disk"], world.OldData.KillAllAsync, world.OldData.StartAllAsync);
        foreach (var (number, sentinel) in group.Sentinels.Index())
        {
            yield return new Fault(
                $"killed sentinel {number}", ["sentinels"], sentinel.KillAsync, sentinel.StartProcessAsync);
            yield return new Fault(
                $"frozen sentinel {number}", ["sentinels"], sentinel.FreezeAsync, sentinel.ResumeAsync);
        }
    }

    private static IEnumerable<Fault> OfPostgres(World world)
    {
        yield return new Fault("killed postgres", ["postgres"], async () =>
        {
            world.MarkDown("postgres");
            await world.Postgres.KillAsync();
        }, async () =>
        {
            world.Start("postgres", world.Postgres.Launch);
            await world.Postgres.UntilItAnswersAsync();
        });
        yield return new Fault("frozen postgres", ["postgres"], world.Postgres.FreezeAsync, world.Postgres.ResumeAsync);
        yield return new Fault("disk full of postgres", ["postgres"], () =>
        {
            world.DatabaseDisk.Fill();
            return Task.CompletedTask;
        }, async () =>
        {
            world.DatabaseDisk.Free();
            await Eventually.TrueAsync(world.Postgres.AnswersAsync, "PostgreSQL answers again");
        });
    }

    private static IEnumerable<Fault> OfFront(World world)
    {
        yield return new Fault("killed nginx", ["nginx"], world.Front.KillAsync, world.Front.StartProcessAsync);
        yield return new Fault("frozen nginx", ["nginx"], world.Front.FreezeAsync, world.Front.ResumeAsync);
    }

    private static Fault Of(string name, string[] takes, Action begin, Action end) => new(name, takes,
        () =>
        {
            begin();
            return Task.CompletedTask;
        },
        () =>
        {
            end();
            return Task.CompletedTask;
        });
}
