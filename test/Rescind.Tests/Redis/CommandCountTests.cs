using System.Diagnostics;
using System.Text.RegularExpressions;

namespace Rescind.Tests.Redis;

/// <summary>What a node asks of Redis when nothing happens; some hosts bill for each command.</summary>
public sealed partial class CommandCountTests(ITestOutputHelper output)
{
    [Fact]
    public async Task An_idle_node_makes_four_script_calls_for_each_freshness_bound_and_nothing_else()
    {
        await using var server = await RedisServer.StartAsync();
        await using var node = RedisNode.Start(
            server.Url, new BlacklistOptions { Freshness = TimeSpan.FromMilliseconds(400) });
        await node.UntilFreshAsync();
        await Task.Delay(1_000);
        await using var pool = await server.ConnectAsync();
        var begun = Stopwatch.GetTimestamp();
        await pool.GetDatabase().ExecuteAsync("CONFIG", "RESETSTAT");
        await Task.Delay(4_000);
        var stats = (await pool.GetDatabase().ExecuteAsync("INFO", "commandstats")).ToString();
        var most = (int)(Stopwatch.GetElapsedTime(begun).TotalSeconds * 10) + 2;
        var calls = CallPattern().Matches(stats).ToDictionary(one => one.Groups[1].Value, one => int.Parse(one.Groups[2].Value));
        output.WriteLine(string.Join(", ", calls.OrderByDescending(one => one.Value).Select(one => $"{one.Key} {one.Value}")));
        Assert.InRange(calls["evalsha"], 10, most); // fewer on a machine that is busy
        string[] within = ["hdel", "hgetall", "hmget", "hset", "info", "time", "xrange", "xrevrange"];
        Assert.Empty(calls.Keys.Except([.. within, "evalsha", "config|resetstat"]));
        Assert.All(calls.Values, count => Assert.InRange(count, 0, 2 * calls["evalsha"] + 2));
    }

    [GeneratedRegex(@"cmdstat_(\S+):calls=(\d+)")]
    private static partial Regex CallPattern();
}
