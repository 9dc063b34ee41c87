using Rescind.Tests.Redis;

namespace Rescind.EndToEnd.Fleet;

/// <summary>Server processes on one Redis.</summary>
internal sealed class ServerFleet : IAsyncDisposable
{
    private readonly (string Name, string? Value)[] _settings;

    private ServerFleet(RedisServer redis, (string, string?)[] settings) => (Redis, _settings) = (redis, settings);

    public RedisServer Redis { get; }

    public List<FleetNode> Nodes { get; } = [];

    /// <summary>Revocations made while waiting for the fleet to be counted.</summary>
    public int WarmUps { get; private set; }

    public static async Task<ServerFleet> StartAsync(int nodes, params (string Name, string? Value)[] settings)
    {
        var fleet = new ServerFleet(await RedisServer.StartAsync(), settings);
        await Task.WhenAll(Enumerable.Range(0, nodes).Select(number => fleet.JoinAsync($"node-{number}")));
        await fleet.UntilCountedAsync();
        return fleet;
    }

    public async Task<FleetNode> JoinAsync(string name)
    {
        var node = FleetNode.Of(Redis.Url, name, _settings);
        lock (Nodes)
        {
            Nodes.Add(node);
        }
        await node.StartAsync();
        return node;
    }

    /// <summary>A writer counts nobody before it has seen the epoch closed for as long as a lease lasts.</summary>
    public async Task UntilCountedAsync()
    {
        foreach (var node in Nodes)
        {
            await Eventually.TrueAsync(async () =>
            {
                WarmUps++;
                var receipt = await node.RevokeAsync(Guid.NewGuid().ToString());
                return (receipt.Confirmed, receipt.Expected) == (Nodes.Count, Nodes.Count);
            }, "the fleet is counted");
        }
    }

    public async ValueTask DisposeAsync()
    {
        foreach (var node in Nodes)
        {
            await node.DisposeAsync();
        }
        await Redis.DisposeAsync();
    }
}
