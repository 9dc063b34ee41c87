using System.Diagnostics;
using StackExchange.Redis;

namespace Rescind.Tests.Redis;

/// <summary>How many servers must confirm, and what happens while they do not.</summary>
public sealed class ReplicaCountTests : IDisposable
{
    private static readonly TimeSpan Bound = TimeSpan.FromMilliseconds(500);

    private readonly TestFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    /// <summary>A backup asks like a replica, and goes: had it been counted, nothing would be confirmed ever after.</summary>
    [Fact]
    public async Task A_backup_is_no_replica()
    {
        await using var server = await RedisServer.StartAsync();
        await using var node = RedisNode.Start(server.Url, Options());
        await node.UntilCountsAsync(1);
        using var backup = Process.Start(
            new ProcessStartInfo("redis-cli", ["-p", $"{server.Port}", "--rdb", _folder.PathOf("backup.rdb")])
            {
                UseShellExecute = false, RedirectStandardOutput = true, RedirectStandardError = true,
            })!;
        await Eventually.TrueAsync(
            async () => (await server.CommandAsync("INFO", "replication")).ToString()
                .Contains("connected_slaves:1", StringComparison.Ordinal),
            "the backup is connected");
        var before = await BeatAsync(server);
        await Eventually.TrueAsync(async () => await BeatAsync(server) > before + 2, "heartbeats see it");
        await backup.WaitForExitAsync(TestContext.Current.CancellationToken);
        Assert.Equal(0, backup.ExitCode);
        Assert.Equal("1", (await server.CommandAsync("HGET", "{rescind}:fleet", "servers")).ToString());
        Assert.Equal(ReceiptState.Everywhere, (await node.RevokeAsync("t")).State);
    }

    /// <summary>Each attempt leaves its entries in the stream, confirmed or not.</summary>
    [Fact]
    public async Task What_half_the_servers_do_not_confirm_is_not_appended_again_and_again()
    {
        await using var master = await RedisServer.StartAsync("--repl-diskless-sync-delay", "0");
        await using var replica = await RedisServer.StartAsync(
            "--repl-diskless-sync-delay", "0", "--replicaof", $"127.0.0.1 {master.Port}");
        await Eventually.TrueAsync(
            async () => (await master.CommandAsync("INFO", "replication")).ToString()
                .Contains("state=online", StringComparison.Ordinal),
            "the replica is connected");
        await using var node = RedisNode.Start(master.Url, Options(), _folder.PathOf("a.db"));
        await node.UntilCountsAsync(1);
        var before = await AppendedAsync(master);
        await replica.KillAsync();
        for (var i = 0; i < 10; i++)
        {
            Assert.Equal(ReceiptState.Journaled, (await node.RevokeAsync($"t{i}")).State);
        }
        await Task.Delay(TimeSpan.FromSeconds(4), TestContext.Current.CancellationToken);
        Assert.InRange(await AppendedAsync(master) - before, 0, 20);
        Assert.NotEqual(0, node.Blacklist.GetStatus().Log.JournalPending);

        await replica.StartProcessAsync();
        await Eventually.TrueAsync(() => node.Blacklist.GetStatus().Log.JournalPending == 0, "everything is confirmed");
        await Eventually.TrueAsync(
            async () => (await node.RevokeAsync("u")).State == ReceiptState.Everywhere, "revocations are everywhere again");
    }

    private static async Task<long> BeatAsync(RedisServer server)
    {
        var flat = (string[])(await server.CommandAsync("HGETALL", "{rescind}:fleet"))!;
        return flat.Chunk(2).Where(pair => pair[0].StartsWith("p:", StringComparison.Ordinal))
            .Max(pair => long.Parse(pair[1].Split(' ')[0]));
    }

    /// <summary>How many entries ever: the number of the last one.</summary>
    private static async Task<long> AppendedAsync(RedisServer server)
    {
        var last = (RedisResult[])(await server.CommandAsync("XREVRANGE", "{rescind}:log", "+", "-", "COUNT", 1))!;
        return long.Parse(((string)last[0][0]!).Split('-')[0]);
    }

    private static BlacklistOptions Options() => new() { Freshness = Bound };
}
