using System.Diagnostics;
using Rescind.Redis;

namespace Rescind.Tests.Redis;

/// <summary>Processes whose settings are not those in force: refused beside the living, not by what the dead left, and
/// never passed over by a recovery.</summary>
public sealed class OtherSettingsTests
{
    private static readonly TimeSpan Bound = TimeSpan.FromMilliseconds(500);

    public static TheoryData<string> Fields => ["lifetime", "skew", "issuers", "iat"];

    [Theory]
    [MemberData(nameof(Fields))]
    public async Task A_node_that_differs_in_what_revocations_rest_on_is_refused_at_once(string field)
    {
        await using var server = await RedisServer.StartAsync();
        await using var node = RedisNode.Start(server.Url, Options());
        await node.UntilFreshAsync();
        var options = Options(field);
        await using var store = RedisStore.Open(server.Url, options);
        var begun = Stopwatch.GetTimestamp();
        await Assert.ThrowsAsync<FleetSettingsException>(
            async () => await store.Log.ReadAsync(default, 10, TestContext.Current.CancellationToken));
        Assert.True(Stopwatch.GetElapsedTime(begun) < Bound * 20, "It waited for the living to die.");
        await node.UntilFreshAsync();
    }

    /// <summary>A power cut, and somebody changes the configuration before the start.</summary>
    [Fact]
    public async Task What_crashed_nodes_left_keeps_nobody_out_who_starts_with_other_settings()
    {
        await using var server = await RedisServer.StartAsync();
        await using var one = RedisNode.Start(server.Url, Options());
        await using var two = RedisNode.Start(server.Url, Options());
        await one.UntilCountsAsync(2);
        await one.RevokeAsync("t");
        await one.SilenceAsync();
        await two.SilenceAsync();
        await using var next = new Loaded(server.Url, Options("skew"));
        await next.Blacklist.LoadAsync(TestContext.Current.CancellationToken);
        Assert.Equal(Verdict.Revoked, next.Blacklist.Check(RedisNode.Token("t")));
        Assert.Equal(Verdict.Accepted, await next.Blacklist.CheckAsync(RedisNode.Token("u")));
    }

    /// <summary>The dead beat rarely; who comes with a bound of a tenth must watch them for as long.</summary>
    [Fact]
    public async Task A_much_shorter_bound_is_taken_up_after_a_crash_of_all()
    {
        await using var server = await RedisServer.StartAsync();
        await using var one = RedisNode.Start(server.Url, new BlacklistOptions { Freshness = TimeSpan.FromSeconds(1) });
        await one.UntilFreshAsync();
        await one.SilenceAsync();
        await using var next = new Loaded(server.Url, new BlacklistOptions { Freshness = TimeSpan.FromMilliseconds(100) });
        await next.Blacklist.LoadAsync(TestContext.Current.CancellationToken);
        await Eventually.TrueAsync(
            async () => await next.Blacklist.CheckAsync(RedisNode.Token("u")) == Verdict.Accepted, "it is fresh");
    }

    /// <summary>The fleet beats rarely: to a stranger with a short bound all of it looks dead.</summary>
    [Fact]
    public async Task A_stranger_with_a_shorter_bound_gives_nobody_up_who_lives()
    {
        await using var server = await RedisServer.StartAsync();
        var slow = new BlacklistOptions { Freshness = TimeSpan.FromSeconds(2) };
        await using var node = RedisNode.Start(server.Url, slow);
        await node.UntilCountsAsync(1);
        var begun = Stopwatch.GetTimestamp();
        await using var store = RedisStore.Open(server.Url, new BlacklistOptions { Freshness = TimeSpan.FromMilliseconds(50) });
        var refused = Assert.ThrowsAsync<FleetSettingsException>(
            async () => await store.Log.ReadAsync(default, 10, TestContext.Current.CancellationToken));
        while (!refused.IsCompleted)
        {
            var fleet = (string[])(await server.CommandAsync("HGETALL", "{rescind}:fleet"))!;
            Assert.Single(fleet, field => field.StartsWith("p:", StringComparison.Ordinal));
            await Task.Delay(20);
        }
        await refused;
        Assert.True(Stopwatch.GetElapsedTime(begun) < slow.Freshness * 4, "It did not see that somebody lives.");
        await node.UntilFreshAsync();
    }

    /// <summary>Found by the simulation: it was refused, knew the epoch by that, appended, waited for its own short bound and
    /// said <c>everywhere</c> beside leases that were longer.</summary>
    [Fact]
    public async Task Who_is_refused_appends_nothing()
    {
        await using var server = await RedisServer.StartAsync();
        await using var node = RedisNode.Start(server.Url, new BlacklistOptions { Freshness = TimeSpan.FromSeconds(2) });
        await node.UntilCountsAsync(1);
        await using var other = RedisStore.Open(server.Url, new BlacklistOptions { Freshness = TimeSpan.FromMilliseconds(100) });
        var before = (long)await server.CommandAsync("XLEN", "{rescind}:log");
        await Assert.ThrowsAsync<FleetSettingsException>(
            async () => await other.Log.ReadAsync(default, 10, TestContext.Current.CancellationToken));
        for (var i = 0; i < 3; i++)
        {
            await Assert.ThrowsAsync<FleetSettingsException>(
                async () => await other.Log.AppendAsync(new[] { Entry() }, TestContext.Current.CancellationToken));
        }
        Assert.Equal(before, (long)await server.CommandAsync("XLEN", "{rescind}:log"));
        await node.UntilFreshAsync();
    }

    /// <summary>It stood still, was given up, and others began with other settings in the same epoch.</summary>
    [Fact]
    public async Task Whose_settings_were_replaced_meanwhile_appends_nothing_before_it_knows()
    {
        await using var server = await RedisServer.StartAsync();
        await using var store = RedisStore.Open(server.Url, Options());
        await store.Log.ReadAsync(default, 10, TestContext.Current.CancellationToken);
        await using var next = RedisNode.Start(server.Url, Options("skew"));
        await next.UntilFreshAsync();
        var before = (long)await server.CommandAsync("XLEN", "{rescind}:log");
        await Assert.ThrowsAsync<FleetSettingsException>(
            async () => await store.Log.AppendAsync(new[] { Entry() }, TestContext.Current.CancellationToken));
        Assert.Equal(before, (long)await server.CommandAsync("XLEN", "{rescind}:log"));
    }

    /// <summary>Found by the simulation (life 1066636): a node with a long bound joined, Redis lost just that, and two with a
    /// short bound took the log over. The one that had been refused before knew; the other said <c>everywhere</c> after
    /// its own bound, beside the long lease.</summary>
    [Fact]
    public async Task Who_comes_into_a_recovery_waits_for_the_longer_leases_of_before()
    {
        await using var server = await RedisServer.StartAsync();
        await using var link = new TcpProxy(server.Port);
        await using var slow = RedisNode.Start(link.Address, new BlacklistOptions { Freshness = TimeSpan.FromSeconds(3) });
        await slow.UntilCountsAsync(1);
        Assert.Equal(Verdict.Accepted, slow.Check("t"));
        link.Cut();
        var cut = Stopwatch.GetTimestamp();
        foreach (var field in (string[])(await server.CommandAsync("HKEYS", "{rescind}:fleet"))!)
        {
            if (field.StartsWith("p:", StringComparison.Ordinal))
            {
                await server.CommandAsync("HDEL", "{rescind}:fleet", field);
            }
        }
        await server.CommandAsync("HSET", "{rescind}:fleet", "run", "of a server before");

        var quick = new BlacklistOptions { Freshness = TimeSpan.FromMilliseconds(100) };
        await using var first = RedisNode.Start(server.Url, quick);
        await Eventually.TrueAsync(
            async () => (string?)await server.CommandAsync("HGET", "{rescind}:fleet", "state") == "open", "a recovery is open");
        await using var second = RedisNode.Start(server.Url, quick);
        await Task.WhenAll(RevokeAsync(first), RevokeAsync(second));
        Assert.InRange(Stopwatch.GetElapsedTime(cut), TimeSpan.FromSeconds(3), TimeSpan.MaxValue);

        async Task RevokeAsync(RedisNode node)
        {
            while (true)
            {
                try
                {
                    var receipt = await node.RevokeAsync("t");
                    Assert.Equal(ReceiptState.Everywhere, receipt.State);
                    Assert.NotEqual(Verdict.Accepted, slow.Check("t"));
                    return;
                }
                catch (IOException)
                {
                    await Task.Delay(20); // held back, and without a disk to keep it on
                }
            }
        }
    }

    /// <summary>Also when it knows the recovery already, because it was refused in it.</summary>
    [Fact]
    public async Task Who_takes_over_an_open_recovery_with_a_longer_bound_makes_it_longer()
    {
        await using var server = await RedisServer.StartAsync();
        var quick = RedisNode.Start(server.Url, new BlacklistOptions { Freshness = TimeSpan.FromMilliseconds(100) });
        await quick.UntilCountsAsync(1);
        using var over = new CancellationTokenSource();
        var beats = 0;
        var ghost = Task.Run(async () =>
        {
            // Somebody who has not reported keeps the recovery open.
            await using var pool = await server.ConnectAsync();
            while (!over.IsCancellationRequested)
            {
                await pool.GetDatabase().ExecuteAsync("HSET", "{rescind}:fleet", "p:ghost", $"{++beats} - 0 0 0 0 -");
                await Task.Delay(20);
            }
        });
        await Eventually.TrueAsync(() => beats > 0, "it is on the list");
        await server.CommandAsync("HSET", "{rescind}:fleet", "run", "of a server before");
        await Eventually.TrueAsync(
            async () => (string?)await server.CommandAsync("HGET", "{rescind}:fleet", "state") == "open", "a recovery is open");
        Assert.Equal("200", await LeastAsync());
        await using var slow = RedisNode.Start(server.Url, new BlacklistOptions { Freshness = TimeSpan.FromSeconds(1) });
        await Eventually.TrueAsync(() => slow.Blacklist.GetStatus().Fault is not null, "it is refused");
        Assert.Equal("200", await LeastAsync());

        await quick.DisposeAsync();
        await Eventually.TrueAsync(async () => await LeastAsync() == "2000", "it is longer");
        await over.CancelAsync();
        await ghost;

        async Task<string?> LeastAsync() => (string?)await server.CommandAsync("HGET", "{rescind}:fleet", "least");
    }

    /// <summary>Somebody took the log over in a moment in which Redis had lost that this node was there.</summary>
    [Fact]
    public async Task Who_is_refused_gives_its_lease_up()
    {
        await using var server = await RedisServer.StartAsync();
        await using var node = RedisNode.Start(server.Url, new BlacklistOptions { Freshness = TimeSpan.FromSeconds(8) });
        await node.UntilFreshAsync();
        await server.CommandAsync("HSET", "{rescind}:fleet", "settings", "freshness_ms=100 x=1", "p:other", "1 "
            + (string?)await server.CommandAsync("HGET", "{rescind}:fleet", "epoch") + " 0 0 1 0 -");
        var changed = Stopwatch.GetTimestamp();
        await Eventually.TrueAsync(() => !node.IsFresh, "it is not fresh");

        // It beats every two seconds, so its lease would last six at least.
        Assert.InRange(Stopwatch.GetElapsedTime(changed), TimeSpan.Zero, TimeSpan.FromSeconds(5));
        Assert.Equal(Verdict.Unknown, node.Check("t"));
    }

    private static LogEntry Entry()
    {
        var id = new RevocationId(RuleKind.Token, TokenKey.Of(RuleKind.Token, "i", "t"), 1);
        return new LogEntry { Id = id, ExpiresAt = DateTimeOffset.UtcNow.AddHours(1) };
    }

    [Theory]
    [InlineData("freshness_ms=500 longest_token_lifetime_s=1", 500)]
    [InlineData("freshness_ms=60001 x=1", 60_000)]
    [InlineData("freshness_ms=-1", 60_000)]
    [InlineData("freshness_ms=0", 60_000)]
    [InlineData("freshness_ms=", 60_000)]
    [InlineData("", 60_000)]
    [InlineData("something else", 60_000)]
    public void The_bound_of_others_is_read_from_what_they_run_with(string text, int milliseconds) =>
        Assert.Equal(TimeSpan.FromMilliseconds(milliseconds), FleetSettings.FreshnessIn(text));

    /// <summary>Redis came back empty, and the first to come was started with other settings: it must not be fresh without
    /// what the others hold.</summary>
    [Fact]
    public async Task A_log_that_was_begun_anew_with_other_settings_is_not_closed_without_those_who_hold_what_it_lacks()
    {
        await using var server = await RedisServer.StartAsync();
        await using var link = new TcpProxy(server.Port);
        var options = Options();
        options.Freshness = TimeSpan.FromSeconds(1); // time for the holder to come before it counts as gone
        await using var holder = RedisNode.Start(link.Address, options);
        await holder.UntilCountsAsync(1);
        Assert.Equal(ReceiptState.Everywhere, (await holder.RevokeAsync("t")).State);
        link.Cut();
        await server.CommandAsync("FLUSHALL");

        options = Options("skew");
        options.Freshness = TimeSpan.FromSeconds(1);
        await using (var newcomer = RedisNode.Start(server.Url, options))
        {
            await Eventually.TrueAsync(
                async () => (bool)await server.CommandAsync("HEXISTS", "{rescind}:fleet", "epoch"), "it has begun a log");
            link.Restore();
            for (var begun = Stopwatch.GetTimestamp(); Stopwatch.GetElapsedTime(begun) < TimeSpan.FromSeconds(4);)
            {
                Assert.NotEqual(Verdict.Accepted, newcomer.Check("t"));
                await Task.Delay(20);
            }
        }
        await holder.UntilFreshAsync();
        Assert.Equal(Verdict.Revoked, holder.Check("t"));
    }

    private static BlacklistOptions Options(string changed = "") => new()
    {
        Freshness = Bound,
        LongestTokenLifetime = TimeSpan.FromDays(changed == "lifetime" ? 8 : 7),
        ClockSkew = TimeSpan.FromMinutes(changed == "skew" ? 4 : 5),
        IssuerClockDifference = TimeSpan.FromSeconds(changed == "issuers" ? 1 : 2),
        TokensCarryIssuedAt = changed == "iat",
    };

    /// <summary>A node that has not begun to follow.</summary>
    private sealed class Loaded(string address, BlacklistOptions options) : IAsyncDisposable
    {
        private readonly RedisStore _store = RedisStore.Open(address, options);

        public Blacklist Blacklist => field ??= new Blacklist(options, _store.Log);

        public ValueTask DisposeAsync() => _store.DisposeAsync();
    }
}
