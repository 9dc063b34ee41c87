using System.Diagnostics;

namespace Rescind.Tests.Redis;

/// <summary>Several servers, of which some are lost: no acknowledged revocation goes, and no check accepts what a receipt
/// forbids.</summary>
public sealed class FailoverTests(ITestOutputHelper output)
{
    private static readonly TimeSpan Bound = TimeSpan.FromMilliseconds(500);

    [Fact]
    public async Task A_lagging_replica_that_is_promoted_gets_back_what_it_missed()
    {
        await using var group = await RedisWithSentinels.StartAsync();
        await using var writer = RedisNode.Start(group.Address, Options());
        await using var other = RedisNode.Start(group.Address, Options());
        await writer.UntilCountsAsync(2);
        var (master, current, lagging) = (group.Servers[0], group.Servers[1], group.Servers[2]);

        // A frozen replica would find all of it in its socket when it goes on; this one comes back with an older file.
        var behind = await lagging.CommandAsync("XLEN", "{rescind}:log");
        await lagging.CommandAsync("SAVE");
        await lagging.KillAsync();
        var ended = new List<string>();
        for (var i = 0; i < 50; i++)
        {
            ended.Add($"t{i}");
            Assert.Equal(ReceiptState.Everywhere, (await writer.RevokeAsync(ended[^1])).State);
        }
        await Task.WhenAll(master.KillAsync(), current.FreezeAsync());
        var lost = Stopwatch.GetTimestamp();
        await lagging.StartProcessAsync();
        Assert.Equal((long)behind, (long)await lagging.CommandAsync("XLEN", "{rescind}:log"));
        await Eventually.TrueAsync(async () => await group.MasterAsync() == lagging, "the lagging replica is promoted");
        var promoted = Stopwatch.GetElapsedTime(lost);
        Assert.Equal(0, ended.Count(id => writer.Check(id) == Verdict.Accepted || other.Check(id) == Verdict.Accepted));
        await current.ResumeAsync();
        await writer.UntilFreshAsync();
        await other.UntilFreshAsync();
        output.WriteLine($"promoted after {promoted.TotalSeconds:n1} s, all fresh again after "
            + $"{Stopwatch.GetElapsedTime(lost).TotalSeconds:n1} s");

        await using var joined = RedisNode.Start(group.Address, Options());
        await joined.UntilFreshAsync();
        Assert.All(ended, id => Assert.Equal(
            (Verdict.Revoked, Verdict.Revoked, Verdict.Revoked), (writer.Check(id), other.Check(id), joined.Check(id))));
        await writer.UntilCountsAsync(3);
    }

    [Fact]
    public async Task A_node_on_the_wrong_side_of_a_split_accepts_nothing_that_was_revoked_on_the_other()
    {
        await using var old = await RedisServer.StartAsync("--repl-diskless-sync-delay", "0");
        await using var next = await RedisServer.StartAsync("--replicaof", $"127.0.0.1 {old.Port}");
        await using var third = await RedisServer.StartAsync("--replicaof", $"127.0.0.1 {old.Port}");
        await using var fromHere = new TcpProxy(old.Port);
        await using var fromThere = new TcpProxy(next.Port);
        await Eventually.TrueAsync(
            async () => (await old.CommandAsync("INFO", "replication")).ToString()
                .Contains("connected_slaves:2", StringComparison.Ordinal),
            "both replicas are connected");
        await using var writer = RedisNode.Start($"{fromHere.Address},{next.Address},{third.Address}", Options());
        await using var cutOff = RedisNode.Start($"{old.Address},{fromThere.Address}", Options());
        await cutOff.UntilFreshAsync();
        await writer.UntilCountsAsync(2);

        fromHere.Cut();
        fromThere.Cut();
        await next.CommandAsync("REPLICAOF", "NO", "ONE");
        await third.CommandAsync("REPLICAOF", "127.0.0.1", next.Port);
        var (everywhere, asked) = (0, Stopwatch.GetTimestamp());
        var ended = new List<string>();
        while (everywhere < 20)
        {
            Assert.True(Stopwatch.GetElapsedTime(asked) < Eventually.Patience, "No receipt after the split.");
            var id = $"t{ended.Count}";
            try
            {
                everywhere += (await writer.RevokeAsync(id)).State == ReceiptState.Everywhere ? 1 : 0;
                ended.Add(id);
                Assert.NotEqual(Verdict.Accepted, await cutOff.CheckAsync(id));
            }
            catch (IOException)
            {
                // Not yet answered by the new master, so nothing was promised.
                await Task.Delay(20);
            }
        }
        Assert.False(cutOff.IsFresh);

        await old.CommandAsync("REPLICAOF", "127.0.0.1", next.Port);
        fromThere.Restore();
        await cutOff.UntilFreshAsync();
        Assert.All(ended, id => Assert.Equal(Verdict.Revoked, cutOff.Check(id)));
        output.WriteLine($"{ended.Count} revocations on one side of the split, none accepted on the other");
    }

    [Fact]
    public async Task A_Redis_that_was_moved_by_replication_serves_once_the_old_server_is_said_to_be_gone()
    {
        await using var old = await RedisServer.StartAsync("--repl-diskless-sync-delay", "0");
        await using var next = await RedisServer.StartAsync(
            "--repl-diskless-sync-delay", "0", "--replicaof", $"127.0.0.1 {old.Port}");
        await Eventually.TrueAsync(
            async () => (await old.CommandAsync("INFO", "replication")).ToString()
                .Contains("connected_slaves:1", StringComparison.Ordinal),
            "the replica is connected");
        await using var node = RedisNode.Start($"{old.Address},{next.Address}", Options());
        await node.UntilCountsAsync(1);
        await node.RevokeAsync("t");
        await old.KillAsync();
        await next.CommandAsync("REPLICAOF", "NO", "ONE");
        await Eventually.TrueAsync(
            async () => (await next.CommandAsync("HGET", "{rescind}:fleet", "run")).ToString() is var run
                && (await next.CommandAsync("INFO", "server")).ToString().Contains($"run_id:{run.Split(':')[0]}", StringComparison.Ordinal),
            "the node has found the new server");
        await Task.Delay(Bound * 2);
        Assert.False(node.IsFresh, "Half of two servers confirm nothing while one is away.");

        await next.CommandAsync("HDEL", "{rescind}:fleet", "servers"); // as docs/redis.md says
        await node.UntilFreshAsync();
        await node.UntilCountsAsync(1);
        Assert.Equal(Verdict.Revoked, node.Check("t"));
    }

    [Fact]
    public async Task The_loss_of_the_Cluster_master_of_the_log_loses_nothing()
    {
        using var folder = new TestFolder();
        await using var cluster = await RedisCluster.StartAsync();
        var options = Options();
        options.JournalAfter = TimeSpan.FromSeconds(5); // a cluster that writes to the same disk may take longer than 50 ms
        await using var writer = RedisNode.Start(cluster.Address, options, folder.PathOf("a.db"));
        await using var other = RedisNode.Start(cluster.Address, Options(), folder.PathOf("b.db"));
        await writer.UntilCountsAsync(2);
        Assert.Equal(ReceiptState.Everywhere, (await writer.RevokeAsync("before")).State);
        var master = await cluster.MasterOfAsync("{rescind}:log");
        await master.KillAsync();
        await Eventually.TrueAsync(() => !writer.IsFresh && !other.IsFresh, "no node is fresh");
        Assert.Equal(ReceiptState.Journaled, (await writer.RevokeAsync("meanwhile")).State);
        Assert.Equal(Verdict.Revoked, writer.Check("meanwhile"));
        Assert.Equal(Verdict.Unknown, await other.CheckAsync("meanwhile"));
        await master.StartProcessAsync();
        await writer.UntilFreshAsync();
        await other.UntilFreshAsync();
        await Eventually.TrueAsync(
            () => writer.Blacklist.GetStatus().Log.JournalPending == 0, "the journal is empty");
        await Eventually.TrueAsync(() => other.Check("meanwhile") == Verdict.Revoked, "the other node knows it");
        Assert.Equal(Verdict.Revoked, other.Check("before"));
        await writer.UntilCountsAsync(2);
    }

    private static BlacklistOptions Options() => new() { Freshness = Bound };
}
