using System.Diagnostics;
using Rescind.Redis;

namespace Rescind.Tests.Redis;

/// <summary>Histories in which Redis comes back with a header that looks right, and a newcomer is quicker than the
/// process which holds what is missing. It must not be fresh before that one had two bounds to come forward.</summary>
public sealed class RolledBackTests(ITestOutputHelper output)
{
    private static readonly TimeSpan Bound = TimeSpan.FromSeconds(2);

    private static BlacklistOptions Options() => new() { Freshness = Bound };

    [Fact]
    public async Task A_registry_that_was_rolled_back_to_nobody_makes_no_newcomer_fresh_before_the_holder_reports()
    {
        await using var server = await RedisServer.StartAsync();
        await using var link = new TcpProxy(server.Port);
        await using (var first = RedisNode.Start(server.Url, Options()))
        {
            await first.UntilCountsAsync(1);
            await first.RevokeAsync("old");
        }
        await server.CommandAsync("SAVE");
        await using var holder = RedisNode.Start(link.Address, Options());
        await holder.UntilCountsAsync(1);
        Assert.Equal(ReceiptState.Everywhere, (await holder.RevokeAsync("t")).State);

        link.Cut();
        await server.RestartAsync();
        Assert.Equal("closed", (await server.CommandAsync("HGET", "{rescind}:fleet", "state")).ToString());

        await NewcomerRefusesAsync(server.Url, link);
    }

    [Fact]
    public async Task A_master_that_was_demoted_lost_entries_and_is_master_again_is_another_history()
    {
        await using var one = await RedisServer.StartAsync("--repl-diskless-sync-delay", "0");
        await using var two = await ReplicaAsync(one);
        await using var three = await ReplicaAsync(one);
        await UntilAsync(one, "connected_slaves:2");
        await using var link = new TcpProxy(one.Port);
        await using var holder = RedisNode.Start(link.Address, Options());
        await holder.UntilCountsAsync(1);
        await holder.RevokeAsync("before");
        await UntilSameAsync(one, two);
        await two.CommandAsync("SAVE");
        await two.KillAsync();
        Assert.Equal(ReceiptState.Everywhere, (await holder.RevokeAsync("t")).State);
        link.Cut();

        // The one that lags is promoted; the old master follows it and loses the entry.
        await three.FreezeAsync();
        await one.FreezeAsync();
        await two.StartProcessAsync();
        await two.CommandAsync("REPLICAOF", "NO", "ONE");
        await one.ResumeAsync();
        await three.ResumeAsync();
        await one.CommandAsync("REPLICAOF", "127.0.0.1", two.Port);
        await three.CommandAsync("REPLICAOF", "127.0.0.1", two.Port);
        await UntilAsync(one, "master_link_status:up");

        // And back, before any process has spoken to the other.
        await one.CommandAsync("REPLICAOF", "NO", "ONE");
        await two.CommandAsync("REPLICAOF", "127.0.0.1", one.Port);
        await three.CommandAsync("REPLICAOF", "127.0.0.1", one.Port);
        await UntilAsync(one, "connected_slaves:2");
        Assert.Equal("closed", (await one.CommandAsync("HGET", "{rescind}:fleet", "state")).ToString());

        await NewcomerRefusesAsync(one.Url, link);
    }

    /// <summary>With its header a server loses the number of servers, and would be half of them alone.</summary>
    [Fact]
    public async Task A_master_that_came_back_empty_beside_its_successor_makes_nobody_fresh_who_remembers_replicas()
    {
        var options = new BlacklistOptions { Freshness = TimeSpan.FromMilliseconds(500) };
        await using var one = await RedisServer.StartAsync("--repl-diskless-sync-delay", "0");
        await using var two = await ReplicaAsync(one);
        await using var three = await ReplicaAsync(one);
        await UntilAsync(one, "connected_slaves:2");
        await using var reader = RedisNode.Start(one.Url, options);
        await reader.UntilFreshAsync();
        await two.CommandAsync("REPLICAOF", "NO", "ONE");
        await three.CommandAsync("REPLICAOF", "127.0.0.1", two.Port);
        await one.KillAsync();
        File.Delete(one.RdbFile);
        await one.StartProcessAsync();
        await using var writer = RedisNode.Start(two.Url, options);
        await writer.UntilFreshAsync();
        Assert.Equal(ReceiptState.Everywhere, (await writer.RevokeAsync("t")).State);
        var begun = Stopwatch.GetTimestamp();
        while (Stopwatch.GetElapsedTime(begun) < options.Freshness * 6)
        {
            Assert.NotEqual(Verdict.Accepted, reader.Check("t"));
            await Task.Delay(20);
        }
        Assert.Equal("open", (await one.CommandAsync("HGET", "{rescind}:fleet", "state")).ToString());
    }

    /// <summary>Found by the simulation (1015015): nobody on it remembers replicas, and it would be the whole fleet's
    /// Redis.</summary>
    [Fact]
    public async Task A_server_alone_makes_nobody_fresh_who_was_told_of_three()
    {
        var options = new BlacklistOptions { Freshness = TimeSpan.FromMilliseconds(500) };
        await using var one = await RedisServer.StartAsync("--repl-diskless-sync-delay", "0");
        await using var node = RedisNode.Start(one.Url, options, redis: new RedisOptions { Servers = 3 });
        var begun = Stopwatch.GetTimestamp();
        while (Stopwatch.GetElapsedTime(begun) < options.Freshness * 6)
        {
            Assert.NotEqual(Verdict.Accepted, await node.CheckAsync("t"));
            await Task.Delay(20);
        }
        Assert.Equal("3", (await one.CommandAsync("HGET", "{rescind}:fleet", "servers")).ToString());
        await using var two = await ReplicaAsync(one);
        await node.UntilFreshAsync();
        Assert.Equal(Verdict.Accepted, await node.CheckAsync("t"));
    }

    [Theory]
    [InlineData(0)]
    [InlineData(101)]
    public void A_number_of_servers_that_cannot_be_is_refused(int servers)
    {
        var refused = Assert.Throws<ArgumentException>(
            () => RedisStore.Open("127.0.0.1", redis: new RedisOptions { Servers = servers }));
        Assert.StartsWith("RedisOptions.Servers must be 1 to 100.", refused.Message, StringComparison.Ordinal);
    }

    /// <summary>Found by the model: a process reported on a new master that nobody followed yet, went back to the old one,
    /// had a revocation confirmed there, and counted as having reported when the servers came over.</summary>
    [Fact]
    public async Task A_report_counts_only_once_half_the_servers_confirm_the_master()
    {
        await using var one = await RedisServer.StartAsync("--repl-diskless-sync-delay", "0");
        await using var two = await ReplicaAsync(one);
        await using var three = await ReplicaAsync(one);
        await UntilAsync(one, "connected_slaves:2");
        await using (var early = RedisNode.Start(one.Url, Options()))
        {
            await early.UntilFreshAsync();
            await early.RevokeAsync("old");
        }
        await UntilSameAsync(one, two);
        await two.CommandAsync("REPLICAOF", "NO", "ONE");
        await using var node = RedisNode.Start(two.Url, Options());
        await Eventually.TrueAsync(async () => await BeatsAsync(two) > 2, "it has read to the tail");
        Assert.DoesNotContain(await RecordsAsync(two), record => record.HasReported);
        await three.CommandAsync("REPLICAOF", "127.0.0.1", two.Port);
        await node.UntilFreshAsync();
        Assert.All(await RecordsAsync(two), record => Assert.True(record.HasReported));
    }

    private static async Task<long> BeatsAsync(RedisServer server) =>
        (await RecordsAsync(server)).Max(record => (long?)record.Beat) ?? 0;

    private static async Task<List<ProcessRecord>> RecordsAsync(RedisServer server)
    {
        var flat = (string[])(await server.CommandAsync("HGETALL", "{rescind}:fleet"))!;
        return [.. flat.Chunk(2).Where(pair => pair[0].StartsWith("p:", StringComparison.Ordinal))
            .Select(pair => ProcessRecord.Parse(pair[1]))];
    }

    /// <summary>Starts a newcomer, then lets the holder come back: the first thing that the newcomer knows for sure is
    /// that the token is revoked.</summary>
    private async Task NewcomerRefusesAsync(string url, TcpProxy link)
    {
        var begun = Stopwatch.GetTimestamp();
        await using var joined = RedisNode.Start(url, Options());
        link.Restore();
        await Eventually.TrueAsync(() => joined.Check("t") != Verdict.Unknown, "the newcomer knows");
        var elapsed = Stopwatch.GetElapsedTime(begun);
        output.WriteLine($"known after {elapsed.TotalMilliseconds:n0} ms");
        Assert.Equal(Verdict.Revoked, joined.Check("t"));
        await joined.UntilFreshAsync();
        Assert.True(Stopwatch.GetElapsedTime(begun) > Bound, "It was fresh before anybody could come forward.");
        Assert.Equal(Verdict.Revoked, joined.Check("t"));
    }

    private static Task<RedisServer> ReplicaAsync(RedisServer master) => RedisServer.StartAsync(
        "--repl-diskless-sync-delay", "0", "--replicaof", $"127.0.0.1 {master.Port}");

    private static Task UntilAsync(RedisServer server, string line) => Eventually.TrueAsync(
        async () => (await server.CommandAsync("INFO", "replication")).ToString()
            .Contains(line, StringComparison.Ordinal),
        line);

    private static Task UntilSameAsync(RedisServer one, RedisServer two) => Eventually.TrueAsync(
        async () => (await one.CommandAsync("XLEN", "{rescind}:log")).ToString()
            == (await two.CommandAsync("XLEN", "{rescind}:log")).ToString(),
        "the replica has everything");
}
