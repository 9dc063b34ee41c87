using System.Diagnostics;
using StackExchange.Redis;

namespace Rescind.Tests.Redis;

/// <summary>A Cluster of three masters.</summary>
internal sealed class RedisCluster : IAsyncDisposable
{
    private RedisCluster()
    {
    }

    public List<RedisServer> Masters { get; } = [];

    public string Address => string.Join(',', Masters.Select(one => one.Address));

    public static async Task<RedisCluster> StartAsync()
    {
        var cluster = new RedisCluster();
        for (var i = 0; i < 3; i++)
        {
            cluster.Masters.Add(await RedisServer.StartAsync(
                "--cluster-enabled", "yes", "--cluster-node-timeout", "30000", "--cluster-port", $"{RedisServer.FreePort()}",
                "--appendonly", "yes", "--appendfsync", "always"));
        }
        await RunAsync("--cluster", "create", cluster.Address.Split(','), "--cluster-yes");
        await Eventually.TrueAsync(cluster.IsWholeAsync, "the cluster is whole");
        return cluster;
    }

    /// <summary>The master that holds a key.</summary>
    public async Task<RedisServer> MasterOfAsync(string key)
    {
        await using var pool = await Masters[0].ConnectAsync();
        var endPoint = pool.GetServer(key, flags: CommandFlags.DemandMaster).EndPoint;
        return Masters.Single(master => endPoint.ToString()!.EndsWith($":{master.Port}", StringComparison.Ordinal));
    }

    public async ValueTask DisposeAsync()
    {
        foreach (var server in Masters)
        {
            await server.DisposeAsync();
        }
    }

    private async Task<bool> IsWholeAsync()
    {
        foreach (var master in Masters)
        {
            var info = (await master.CommandAsync("CLUSTER", "INFO")).ToString();
            if (!info.Contains("cluster_state:ok", StringComparison.Ordinal)
                || !info.Contains("cluster_known_nodes:3", StringComparison.Ordinal))
            {
                return false;
            }
        }
        return true;
    }

    private static async Task RunAsync(string first, string second, string[] servers, string last)
    {
        using var process = Process.Start(new ProcessStartInfo("redis-cli", [first, second, .. servers, last])
        {
            RedirectStandardOutput = true, RedirectStandardError = true, UseShellExecute = false,
        })!;
        var text = await process.StandardOutput.ReadToEndAsync();
        await process.WaitForExitAsync();
        Assert.True(process.ExitCode == 0, text);
    }
}
