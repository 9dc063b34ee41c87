using System.Diagnostics;
using Microsoft.Extensions.Logging.Abstractions;
using Rescind.Redis;

namespace Rescind.Tests.Redis;

/// <summary>One node's link to Redis breaks, or Redis refuses a part of what it is asked. The node says what it knows, keeps
/// what it is told, and comes back by itself.</summary>
[Collection("one trusted authority")]
public sealed class LinkTests(ITestOutputHelper output)
{
    private static readonly TimeSpan Bound = TimeSpan.FromMilliseconds(500);

    [Theory]
    [InlineData("cut")]
    [InlineData("stalled")]
    [InlineData("half-open")]
    public async Task A_node_whose_link_breaks_says_so_keeps_revocations_and_comes_back(string how)
    {
        using var folder = new TestFolder();
        await using var server = await RedisServer.StartAsync();
        await using var link = new TcpProxy(server.Port);
        await using var near = RedisNode.Start(link.Address, Options(), folder.PathOf("near.db"));
        await using var far = RedisNode.Start(server.Url, Options());
        await near.UntilCountsAsync(2);
        await far.UntilCountsAsync(2);

        Action breaks = how switch { "cut" => link.Cut, "stalled" => link.Stall, _ => link.HalfOpen };
        breaks();
        var receipt = await far.RevokeAsync("elsewhere");
        Assert.Equal(ReceiptState.Everywhere, receipt.State);
        var took = new List<TimeSpan>();
        for (var i = 0; i < 50; i++)
        {
            var asked = Stopwatch.GetTimestamp();
            Assert.NotEqual(Verdict.Accepted, await near.CheckAsync("elsewhere"));
            took.Add(Stopwatch.GetElapsedTime(asked));
            await Task.Delay(20);
        }
        Assert.False(near.IsFresh);
        Assert.Equal(ReceiptState.Journaled, (await near.RevokeAsync("here")).State);
        Assert.Equal(Verdict.Revoked, near.Check("here"));

        var restored = Stopwatch.GetTimestamp();
        link.Restore();
        await near.UntilFreshAsync();
        var back = Stopwatch.GetElapsedTime(restored);
        Assert.Equal(Verdict.Revoked, near.Check("elsewhere"));
        await Eventually.TrueAsync(() => far.Check("here") == Verdict.Revoked, "the other node knows it");
        await near.UntilCountsAsync(2);
        took.Sort();
        output.WriteLine($"{how}: a check took {took[25].TotalMilliseconds:n1} ms, at most {took[^1].TotalMilliseconds:n1} ms; "
            + $"fresh {back.TotalSeconds:n1} s after it was mended");

        // A caller may wait for the log once, 40 ms; whoever waited each time, or for a call to end, would be seen. The machine
        // may stand still in two of them.
        Assert.InRange(took[25], TimeSpan.Zero, TimeSpan.FromMilliseconds(20));
        Assert.InRange(took[47], TimeSpan.Zero, Bound);
    }

    [Fact]
    public async Task A_full_Redis_that_evicts_nothing_refuses_and_the_journal_takes_over_visibly()
    {
        using var folder = new TestFolder();
        await using var server = await RedisServer.StartAsync("--maxmemory-policy", "noeviction");
        await using var node = RedisNode.Start(server.Url, Options(), folder.PathOf("node.db"));
        await node.UntilFreshAsync();
        await server.CommandAsync("CONFIG", "SET", "maxmemory", "100kb"); // less than it uses

        var receipt = await node.RevokeAsync("t");
        Assert.Equal(ReceiptState.Journaled, receipt.State);
        Assert.Equal(1, node.Blacklist.GetStatus().Log.JournalPending);
        await Eventually.TrueAsync(() => node.Blacklist.GetStatus().Log.ErrorsInLastHour > 0, "the refusal is counted");
        await Task.Delay(Bound * 2);
        await Eventually.TrueAsync(() => node.IsFresh, "it is fresh: a full Redis can still be read");
        await server.CommandAsync("CONFIG", "SET", "maxmemory", "0");
        await Eventually.TrueAsync(() => node.Blacklist.GetStatus().Log.JournalPending == 0, "the journal is empty");
        await using var other = RedisNode.Start(server.Url, Options());
        await other.UntilFreshAsync();
        Assert.Equal(Verdict.Revoked, other.Check("t"));
    }

    [Fact]
    public async Task Without_the_right_to_publish_receipts_come_with_heartbeats()
    {
        await using var server = await RedisServer.StartAsync();
        await server.CommandAsync("ACL", "SETUSER", "app", "on", ">secret", "~*", "resetchannels", "+@all");
        var address = $"redis://app:secret@127.0.0.1:{server.Port}";
        await using var writer = RedisNode.Start(address, Options());
        await using var other = RedisNode.Start(address, Options());
        await writer.UntilCountsAsync(2);
        await Eventually.TrueAsync(async () =>
        {
            var id = Guid.NewGuid().ToString();
            var receipt = await writer.RevokeAsync(id);
            Assert.Equal(ReceiptState.Everywhere, receipt.State);
            Assert.NotEqual(Verdict.Accepted, other.Check(id));
            return receipt.NodesConfirmed == 2 && other.Check(id) == Verdict.Revoked && receipt.Elapsed < Bound * 2;
        }, "a receipt counts both within a heartbeat");
    }

    [Fact]
    public async Task A_wrong_password_is_said_without_it()
    {
        await using var server = await RedisServer.StartAsync("--requirepass", "right");
        await using var store = RedisStore.Open($"redis://:a-wrong-one@127.0.0.1:{server.Port}");
        await Eventually.TrueAsync(async () =>
        {
            var fault = await Assert.ThrowsAsync<IOException>(
                () => store.InspectAsync(TestContext.Current.CancellationToken));
            Assert.DoesNotContain("a-wrong-one", fault.ToString(), StringComparison.Ordinal);
            return fault.Message.Contains("password", StringComparison.Ordinal);
        }, "the fault names the password");
    }

    /// <summary>The client keeps what a failed subscription was to call: after an outage at the start each announcement was
    /// taken in once for every attempt.</summary>
    [Fact]
    public async Task However_often_a_subscription_failed_an_announcement_is_heard_once()
    {
        await using var server = await RedisServer.StartAsync();
        await server.KillAsync();
        var names = new RedisNames("rescind", "node", 0);
        await using var link = new RedisLink(
            RedisAddress.Parse(server.Url), names.Keys, TimeProvider.System, NullLogger.Instance);
        var heard = 0;
        void Hear(byte[] message) => Interlocked.Increment(ref heard);
        for (var i = 0; i < 5; i++)
        {
            await Assert.ThrowsAsync<IOException>(
                () => link.SubscribeAsync(names.Channel, Hear, TestContext.Current.CancellationToken));
        }
        await server.StartProcessAsync();
        await Eventually.TrueAsync(
            async () =>
            {
                try
                {
                    await link.SubscribeAsync(names.Channel, Hear, TestContext.Current.CancellationToken);
                    return true;
                }
                catch (IOException)
                {
                    return false;
                }
            },
            "it is there again");
        await server.CommandAsync("PUBLISH", names.Channel, "one");
        await Eventually.TrueAsync(() => Volatile.Read(ref heard) > 0, "it is heard");
        await Task.Delay(200, TestContext.Current.CancellationToken);
        Assert.Equal(1, heard);
    }

    [Fact]
    public async Task A_certificate_of_an_unknown_authority_is_refused()
    {
        await using var known = await RedisOverTls.StartAsync();
        await using var unknown = await RedisOverTls.StartAsync();
        Environment.SetEnvironmentVariable("SERedis_IssuerCertPath", known.AuthorityFile);
        await using var good = RedisStore.Open(known.Url);
        await good.UntilReachedAsync();
        await using var bad = RedisStore.Open(unknown.Url);
        await Eventually.TrueAsync(async () =>
        {
            var fault = await Assert.ThrowsAsync<IOException>(
                () => bad.InspectAsync(TestContext.Current.CancellationToken));
            return fault.Message.Contains("certificate", StringComparison.Ordinal);
        }, "the fault names the certificate");
    }

    private static BlacklistOptions Options() => new() { Freshness = Bound };
}
