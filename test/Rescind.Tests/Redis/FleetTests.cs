using System.Diagnostics;

namespace Rescind.Tests.Redis;

/// <summary>Several nodes on one real Redis: receipts that are true on every node, and losses of Redis that nobody
/// forgets anything by.</summary>
public sealed class FleetTests(ITestOutputHelper output)
{
    private const string Issuer = TestWorld.Issuer;
    private static readonly TimeSpan Bound = TimeSpan.FromMilliseconds(1000);

    [Fact]
    public async Task A_revocation_is_refused_on_every_node_at_the_instant_of_its_receipt()
    {
        await using var server = await RedisServer.StartAsync();
        await using var fleet = await Fleet.StartAsync(server, 3);
        var times = new List<double>();
        for (var i = 0; i < 300; i++)
        {
            var (token, writer) = (Token($"t{i}"), fleet.Nodes[i % 3]);
            await Eventually.TrueAsync(
                () => fleet.Nodes.All(node => node.Check(token) == Verdict.Accepted), "each node accepts it");
            var receipt = await writer.RevokeAsync(Revocation.OfToken(Issuer, token.TokenId, token.ExpiresAt));
            var verdicts = fleet.Nodes.Select(node => node.Check(token)).ToList();
            Assert.Equal(ReceiptState.Everywhere, receipt.State);

            // Who gets no processor for a bound is not counted, and says that it does not know.
            var isByAll = (receipt.NodesConfirmed, receipt.NodesExpected) == (3, 3);
            Assert.All(verdicts, verdict => Assert.True(verdict == Verdict.Revoked || (verdict == Verdict.Unknown && !isByAll)));
            times.AddRange(isByAll ? [receipt.Elapsed.TotalMilliseconds] : []);
        }
        times.Sort();
        Assert.InRange(times.Count, 270, 300);
        output.WriteLine($"{times.Count} receipts of 3 of 3: p50 {times[times.Count / 2]:n2} ms, "
            + $"p99 {times[times.Count * 99 / 100]:n2} ms");
    }

    /// <summary>A file gets its entries from reads, and its position too.</summary>
    [Fact]
    public async Task A_read_brings_what_was_announced_and_applied_before_it()
    {
        await using var server = await RedisServer.StartAsync();
        await using var writer = RedisNode.Start(server.Url);
        await writer.UntilCountsAsync(1);
        await using var reader = RedisStore.Open(server.Url);
        var announced = new List<RevocationId>();
        reader.Log.Listen(entries => announced.AddRange(entries.ToArray().Select(entry => entry.Id)));
        var batch = await reader.Log.ReadAsync(default, 1000, TestContext.Current.CancellationToken);
        var id = (await writer.RevokeAsync("t")).Id;
        await Eventually.TrueAsync(() => announced.Contains(id), "it is announced");
        var next = await reader.Log.ReadAsync(batch.Position, 1000, TestContext.Current.CancellationToken);
        Assert.Contains(id, next.Entries.ToArray().Select(entry => entry.Id));
        Assert.True(next.AtTail);
    }

    [Fact]
    public async Task A_node_that_died_is_waited_for_until_its_lease_is_over_and_not_again()
    {
        await using var server = await RedisServer.StartAsync();
        await using var fleet = await Fleet.StartAsync(server, 3);
        await fleet.SilenceAsync(2);
        var first = await fleet.Nodes[0].RevokeAsync(Revocation.OfToken(Issuer, "first"));
        output.WriteLine($"first: {first.NodesConfirmed} of {first.NodesExpected} in {first.Elapsed.TotalMilliseconds:n0} ms");
        Assert.Equal((ReceiptState.Everywhere, 2), (first.State, first.NodesConfirmed));
        Assert.InRange(first.Elapsed, TimeSpan.Zero, Bound * 8);
        Assert.NotEqual(Verdict.Accepted, fleet.Nodes[2].Check(Token("first")));
        await Eventually.TrueAsync(async () =>
        {
            var again = await fleet.Nodes[0].RevokeAsync(Revocation.OfToken(Issuer, $"again-{Guid.NewGuid()}"));
            return again is { NodesExpected: 2, NodesConfirmed: 2 } && again.Elapsed < Bound / 2;
        }, "the dead node is struck off");
    }

    [Fact]
    public async Task A_node_that_joins_knows_everything_before_it_accepts_anything()
    {
        await using var server = await RedisServer.StartAsync();
        await using var fleet = await Fleet.StartAsync(server, 2);
        await fleet.Nodes[0].RevokeAsync(Revocation.OfSubject(Issuer, "user-of-old"));
        await fleet.JoinAsync();
        Assert.Equal(Verdict.Revoked, fleet.Nodes[2].Check(Token("old", "user-of-old")));
        await fleet.UntilCountedAsync(fleet.Nodes[2]);
        await Eventually.TrueAsync(async () =>
        {
            var id = Guid.NewGuid().ToString();
            var receipt = await fleet.Nodes[2].RevokeAsync(Revocation.OfToken(Issuer, id));
            var verdicts = fleet.Nodes.Select(node => node.Check(Token(id))).ToList();
            Assert.DoesNotContain(Verdict.Accepted, verdicts);
            return receipt.NodesConfirmed == 3 && verdicts.All(verdict => verdict == Verdict.Revoked);
        }, "all confirm what the new one revokes");
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task Nothing_is_forgotten_when_Redis_comes_back_empty(bool isRestarted)
    {
        await using var server = await RedisServer.StartAsync();
        await using var fleet = await Fleet.StartAsync(server, 3);
        for (var i = 0; i < 50; i++)
        {
            await fleet.Nodes[i % 3].RevokeAsync(Revocation.OfToken(Issuer, $"t{i}"));
        }
        var lifted = await fleet.Nodes[0].RevokeAsync(Revocation.OfToken(Issuer, "lifted"));
        await fleet.Nodes[1].LiftAsync([lifted.Id], "restored", "admin");
        if (isRestarted)
        {
            await server.RestartAsync();
        }
        else
        {
            await server.CommandAsync("FLUSHALL");
        }

        var started = Stopwatch.GetTimestamp();
        var joined = fleet.Join();
        await Eventually.TrueAsync(
            () => fleet.Nodes.All(node => node.GetStatus().Fresh), "all nodes are fresh");
        output.WriteLine($"all fresh again after {Stopwatch.GetElapsedTime(started).TotalSeconds:n2} s");
        await joined;
        foreach (var node in fleet.Nodes)
        {
            for (var i = 0; i < 50; i++)
            {
                Assert.Equal(Verdict.Revoked, await node.CheckAsync(Token($"t{i}")));
            }
            Assert.Equal(Verdict.Accepted, await node.CheckAsync(Token("lifted")));
        }
    }

    [Fact]
    public async Task A_Redis_that_is_away_makes_nodes_unknown_and_keeps_them_quick()
    {
        await using var server = await RedisServer.StartAsync();
        await using var fleet = await Fleet.StartAsync(server, 2);
        await fleet.Nodes[0].RevokeAsync(Revocation.OfToken(Issuer, "known"));
        await server.FreezeAsync();
        await Eventually.TrueAsync(
            () => !fleet.Nodes.Any(node => node.GetStatus().Fresh), "no node is fresh");
        Assert.Equal(Verdict.Revoked, await fleet.Nodes[1].CheckAsync(Token("known")));
        Assert.Equal(Verdict.Unknown, await fleet.Nodes[1].CheckAsync(Token("other")));
        await Assert.ThrowsAsync<IOException>(async () => await fleet.Nodes[0].RevokeAsync(Revocation.OfToken(Issuer, "away")));
        await server.ResumeAsync();
        await Eventually.TrueAsync(
            () => fleet.Nodes.All(node => node.GetStatus().Fresh), "all nodes are fresh");
        Assert.Equal(Verdict.Accepted, await fleet.Nodes[1].CheckAsync(Token("other")));
    }

    [Fact]
    public async Task Two_databases_of_one_server_are_two_logs()
    {
        await using var server = await RedisServer.StartAsync();
        await using var first = RedisNode.Start(server.Url + "/1");
        await using var other = RedisNode.Start(server.Url + "/2");
        await first.UntilCountsAsync(1);
        await other.UntilCountsAsync(1);
        await first.RevokeAsync("t");
        await using var second = RedisNode.Start(server.Url + "/1");
        await second.UntilFreshAsync();
        Assert.Equal((Verdict.Revoked, Verdict.Accepted), (second.Check("t"), await other.CheckAsync("t")));
        Assert.Single(other.Blacklist.GetStatus().Log.Nodes);
        Assert.Equal(0, (long)await server.CommandAsync("DBSIZE")); // of the default database
    }

    [Fact]
    public async Task The_status_names_the_fleet_and_tells_of_an_outage()
    {
        await using var server = await RedisServer.StartAsync();
        await using var fleet = await Fleet.StartAsync(server, 2);
        await Eventually.TrueAsync(
            () => fleet.Nodes[0].GetStatus().Log is { Store: "redis", Connected: true, Nodes.Count: 2 } log
                && log.Nodes.All(node => node.Silence >= TimeSpan.Zero && node.Silence <= Bound)
                && log.RoundTrip > TimeSpan.Zero && log.RoundTrip < TimeSpan.FromSeconds(1),
            "both show, and neither is silent");
        var before = fleet.Nodes[0].GetStatus().Log.ErrorsInLastHour;
        await server.KillAsync();
        await Eventually.TrueAsync(
            () => fleet.Nodes[0].GetStatus().Log is { Connected: false } log && log.ErrorsInLastHour > before,
            "the outage shows");
        await server.StartProcessAsync();
        await Eventually.TrueAsync(
            () => fleet.Nodes[0].GetStatus().Log is { Connected: true }, "the end of the outage shows");
    }

    private static TokenFacts Token(string id, string subject = "user") => new()
    {
        Issuer = Issuer, TokenId = id, Subject = subject, IssuedAt = DateTimeOffset.UtcNow,
        ExpiresAt = DateTimeOffset.UtcNow.AddMinutes(30),
    };

    /// <summary>Nodes in this process, each with connections of its own.</summary>
    private sealed class Fleet(RedisServer server) : IAsyncDisposable
    {
        private readonly List<(RedisStore Store, CancellationTokenSource Stop, Task Loop)> _running = [];

        public List<Blacklist> Nodes { get; } = [];

        public static async Task<Fleet> StartAsync(RedisServer server, int count)
        {
            var fleet = new Fleet(server);
            for (var i = 0; i < count; i++)
            {
                await fleet.JoinAsync();
            }
            foreach (var node in fleet.Nodes)
            {
                await fleet.UntilCountedAsync(node);
            }
            return fleet;
        }

        public Task UntilCountedAsync(Blacklist writer) => writer.UntilCountsAsync(Nodes.Count);

        public Task JoinAsync() => Join();

        /// <summary>Adds a node; the task ends when it is loaded.</summary>
        public async Task Join()
        {
            var options = new BlacklistOptions { Freshness = Bound };
            var store = RedisStore.Open(server.Url, options);
            var node = new Blacklist(options, store.Log);
            var stop = new CancellationTokenSource();
            Nodes.Add(node);
            _running.Add((store, stop, node.RunAsync(stop.Token)));
            await Eventually.TrueAsync(() => node.GetStatus().Fresh, "the new node is fresh");
        }

        /// <summary>Stops a node's feed without a word to anybody, as a crash does; checks go on.</summary>
        public async Task SilenceAsync(int index)
        {
            await _running[index].Stop.CancelAsync();
            await _running[index].Loop;
        }

        public async ValueTask DisposeAsync()
        {
            foreach (var (store, stop, loop) in _running)
            {
                await stop.CancelAsync();
                await loop;
                stop.Dispose();
                await store.DisposeAsync();
            }
        }
    }
}
