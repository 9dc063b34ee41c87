using System.Globalization;

namespace Rescind.Simulation;

/// <summary>The Redis servers of a world: a master and its replicas, who is told about what, and what can befall
/// them.</summary>
internal sealed class RedisGroup
{
    private readonly World _world;
    private readonly List<Link> _links = [];
    private readonly double _lagMs;

    public RedisGroup(World world, LuaScripts lua, int replicas)
    {
        (_world, _lagMs) = (world, world.Random.Next(1, 30));
        Servers = [.. Enumerable.Range(0, replicas + 1)
            .Select(number => new RedisServer(world, this, lua, $"redis-{number}"))];
        Master = Servers[0];
        foreach (var replica in Servers.Skip(1))
        {
            replica.MasterOfIt = Master;
        }
    }

    public IReadOnlyList<RedisServer> Servers { get; }

    /// <summary>The server that new connections are led to.</summary>
    public RedisServer Master { get; private set; }

    /// <summary>Whether messages hang somewhere at times.</summary>
    public bool HasHiccups { get; private set; } = true;

    /// <summary>When the last message arrives that was sent before the world was healed.</summary>
    public long UnderWayUntil { get; set; }

    /// <summary>Called after every write that a client made.</summary>
    public Action<RedisServer, Effect> Wrote { get; set; } = static (_, _) => { };

    /// <summary>Called after what a server holds was replaced.</summary>
    public Action<RedisServer> Changed { get; set; } = static _ => { };

    public TimeSpan Lag() => _world.Between(0.1, _lagMs);

    public void Add(Link link) => _links.Add(link);

    public void Remove(Link link) => _links.Remove(link);

    public void Publish(RedisServer server, string channel, string message)
    {
        foreach (var link in _links)
        {
            link.Announce(server, channel, message);
        }
    }

    /// <summary>Whether a master has learned of fewer servers than there are.</summary>
    public bool HasLonelyMaster => Servers.Any(one => one is { IsUp: true, MasterOfIt: null }
        && one.Store.Hash.TryGetValue("servers", out var known)
        && int.Parse(known, CultureInfo.InvariantCulture) < Servers.Count);

    /// <summary>A replica, if there is one that is up.</summary>
    public RedisServer? AnyReplica()
    {
        var replicas = Servers.Where(one => one is { IsUp: true, MasterOfIt: not null }).ToList();
        return replicas.Count == 0 ? null : replicas[_world.Random.Next(replicas.Count)];
    }

    /// <summary>Where a process that starts is led: mostly to the master, at times to one that was the master and does not
    /// know better.</summary>
    public RedisServer Found()
    {
        var masters = Servers.Where(one => one is { IsUp: true, MasterOfIt: null }).ToList();
        return masters.Count < 2 || _world.Chance(0.5) ? Master : masters[_world.Random.Next(masters.Count)];
    }

    /// <summary>Makes a replica the master. The old one goes on for whoever is still connected to it, until it is told
    /// to follow; so does each replica, some time before.</summary>
    public void FailOver(bool isOldAlive, TimeSpan split)
    {
        var chosen = Servers.FirstOrDefault(one => one.MasterOfIt == Master && one.IsUp);
        if (chosen is null)
        {
            return;
        }
        var old = Master;
        Master = chosen;
        chosen.Promote();
        foreach (var other in Servers.Where(one => one != chosen && one != old))
        {
            _world.After(split * _world.Random.NextDouble(), () => Lead(other));
        }
        old.IsUp = isOldAlive;
        _world.After(split, () =>
        {
            if (Master == chosen && HasHiccups)
            {
                old.IsUp = true;
                Lead(old);
            }
        });
    }

    /// <summary>Tells a server which one is the master now. One that is away is told when it comes back.</summary>
    public void Lead(RedisServer server)
    {
        if (HasHiccups && server != Master && server.MasterOfIt != Master && server.IsUp)
        {
            server.Follow(Master);
            _world.Tell($"{server.Name} follows {Master.Name}");
        }
    }

    /// <summary>Everything works again.</summary>
    public void Heal()
    {
        foreach (var server in Servers)
        {
            (server.IsFull, server.IsStalled) = (false, false);
            if (!server.IsUp)
            {
                server.Restart(server.Offset);
            }
        }
        foreach (var server in Servers.Where(one => one != Master))
        {
            server.Follow(Master);
        }
        HasHiccups = false;
    }
}
