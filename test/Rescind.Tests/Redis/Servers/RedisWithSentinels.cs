using StackExchange.Redis;

namespace Rescind.Tests.Redis;

/// <summary>One master, two replicas and three sentinels.</summary>
internal sealed class RedisWithSentinels : IAsyncDisposable
{
    private RedisWithSentinels()
    {
    }

    public List<RedisServer> Servers { get; } = [];

    public List<RedisServer> Sentinels { get; } = [];

    public string Address => string.Join(',', Sentinels.Select(one => one.Address)) + ",serviceName=main";

    public static async Task<RedisWithSentinels> StartAsync()
    {
        var group = new RedisWithSentinels();
        group.Servers.Add(await RedisServer.StartAsync("--repl-diskless-sync-delay", "0"));
        for (var i = 0; i < 2; i++)
        {
            group.Servers.Add(await RedisServer.StartAsync(
                "--repl-diskless-sync-delay", "0", "--replicaof", $"127.0.0.1 {group.Servers[0].Port}"));
        }
        await Eventually.TrueAsync(
            async () => (await group.Servers[0].CommandAsync("INFO", "replication")).ToString()
                .Contains("connected_slaves:2", StringComparison.Ordinal),
            "both replicas are connected");
        for (var i = 0; i < 3; i++)
        {
            group.Sentinels.Add(await RedisServer.StartSentinelAsync(group.Servers[0]));
        }
        foreach (var sentinel in group.Sentinels)
        {
            await Eventually.TrueAsync(
                async () => (await group.AskAsync(sentinel, "CKQUORUM", "main")).Contains("3 usable", StringComparison.Ordinal)
                    && (await group.AskAsync(sentinel, "REPLICAS", "main")).Split("slave").Length > 2,
                "the sentinels know each other and both replicas");
        }
        return group;
    }

    /// <summary>The server that the sentinels call the master.</summary>
    public async Task<RedisServer> MasterAsync()
    {
        var answer = await AskAsync(Sentinels[0], "GET-MASTER-ADDR-BY-NAME", "main");
        return Servers.Single(server => answer.Contains($"{server.Port}", StringComparison.Ordinal));
    }

    public async ValueTask DisposeAsync()
    {
        foreach (var server in Sentinels.Concat(Servers))
        {
            await server.DisposeAsync();
        }
    }

    private async Task<string> AskAsync(RedisServer sentinel, params string[] words)
    {
        var options = ConfigurationOptions.Parse(sentinel.Address);
        options.CommandMap = CommandMap.Sentinel;
        await using var pool = await ConnectionMultiplexer.ConnectAsync(options);
        try
        {
            var answer = await pool.GetServer("127.0.0.1", sentinel.Port).ExecuteAsync("SENTINEL", [.. words]);
            return Text(answer);
        }
        catch (RedisServerException fault)
        {
            return fault.Message;
        }
    }

    private static string Text(RedisResult answer) =>
        answer.Length > 0 ? string.Join(' ', ((RedisResult[])answer!).Select(Text)) : answer.ToString() ?? "";
}
