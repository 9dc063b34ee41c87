using Rescind.Redis;
using StackExchange.Redis;

namespace Rescind.Tests.Redis;

/// <summary>What a server says of itself, and what an operator hears of it.</summary>
public sealed class SelfCheckTests(ITestOutputHelper output)
{
    private const string Issuer = TestWorld.Issuer;

    [Fact]
    public async Task A_Redis_that_evicts_is_reported_with_the_remedy_and_loses_a_key_for_each_token()
    {
        const int Revoked = 5_000;
        await using var server = await RedisServer.StartAsync("--maxmemory", "6mb", "--maxmemory-policy", "allkeys-lru");
        await using var store = RedisStore.Open(server.Url);
        var node = new Blacklist(new BlacklistOptions(), store.Log);
        using var stop = new CancellationTokenSource();
        var loop = node.RunAsync(stop.Token);
        await Eventually.TrueAsync(() => node.GetStatus().Log.Warnings.Count > 0, "the node has looked at the server");
        Assert.Contains(node.GetStatus().Log.Warnings, warning => warning.Contains("maxmemory-policy noeviction"));

        await using var pool = await server.ConnectAsync();
        var database = pool.GetDatabase();
        for (var i = 0; i < Revoked; i += 500)
        {
            var ids = Enumerable.Range(i, 500).Select(id => $"t{id}").ToList();
            await Task.WhenAll(ids.Select(id => database.StringSetAsync($"blacklist:{id}", "1", TimeSpan.FromDays(7))));
            await node.RevokeAsync(ids.Select(id => Revocation.OfToken(Issuer, id)).ToArray());
        }
        var cached = new byte[2_000];
        for (var i = 0; i < 8; i++)
        {
            await Task.WhenAll(Enumerable.Range(0, 1000).Select(id => database.StringSetAsync($"cache:{i}:{id}", cached)));
        }

        var kept = await Task.WhenAll(
            Enumerable.Range(0, Revoked).Select(id => database.KeyExistsAsync($"blacklist:t{id}")));
        var lost = kept.Count(isKept => !isKept);
        output.WriteLine($"a key for each token: {lost} of {Revoked} revocations lost, {100.0 * lost / Revoked:n1} %");
        Assert.True(lost > Revoked / 2, $"Only {lost} keys were evicted, so this shows nothing.");
        for (var i = 0; i < Revoked; i++)
        {
            Assert.Equal(Verdict.Revoked, await node.CheckAsync(Token($"t{i}")));
        }
        await stop.CancelAsync();
        await loop;
    }

    [Fact]
    public async Task A_Redis_that_evicts_what_has_a_time_to_live_spares_the_log()
    {
        await using var server = await RedisServer.StartAsync("--maxmemory", "6mb", "--maxmemory-policy", "volatile-ttl");
        await using var node = RedisNode.Start(server.Url);
        await node.UntilCountsAsync(1);
        await node.RevokeAsync("t");
        await using var pool = await server.ConnectAsync();
        var database = pool.GetDatabase();
        for (var i = 0; i < 4; i++)
        {
            await Task.WhenAll(Enumerable.Range(0, 1000).Select(
                id => database.StringSetAsync($"cache:{i}:{id}", new byte[2_000], TimeSpan.FromDays(7))));
        }
        var evicted = (await server.CommandAsync("INFO", "stats")).ToString().Split("evicted_keys:")[1].Split('\r')[0];
        Assert.NotEqual("0", evicted);
        foreach (var key in new[] { "{rescind}:log", "{rescind}:fleet" })
        {
            Assert.True(await database.KeyExistsAsync(key), $"{key} was evicted.");
            Assert.Null(await database.KeyTimeToLiveAsync(key));
        }
        await node.UntilFreshAsync();
        output.WriteLine($"{evicted} keys with a time to live were evicted, and nothing of the log");
    }

    [Fact]
    public async Task The_server_is_looked_at_again_after_an_hour()
    {
        await using var server = await RedisServer.StartAsync("--appendonly", "yes", "--maxmemory-policy", "allkeys-lru");
        var clock = new TestClock();
        await using var store = RedisStore.Open(server.Url, clock: clock);
        await BeatAsync();
        await Eventually.TrueAsync(() => store.Log.Status.Warnings.Count == 1, "the eviction is found");
        await server.CommandAsync("CONFIG", "SET", "maxmemory-policy", "noeviction");
        clock.Advance(TimeSpan.FromMinutes(59));
        await BeatAsync();
        await Task.Delay(200, TestContext.Current.CancellationToken);
        Assert.Single(store.Log.Status.Warnings);
        clock.Advance(TimeSpan.FromMinutes(2));
        await BeatAsync();
        await Eventually.TrueAsync(() => store.Log.Status.Warnings.Count == 0, "the remedy is seen");

        async Task BeatAsync() => await store.Log.ReadAsync(default, 10, TestContext.Current.CancellationToken);
    }

    [Fact]
    public async Task A_server_that_keeps_everything_has_nothing_unsafe()
    {
        await using var server = await RedisServer.StartAsync("--appendonly", "yes");
        await using var store = RedisStore.Open(server.Url);
        var findings = await store.InspectAsync(TestContext.Current.CancellationToken);
        Assert.DoesNotContain(findings, one => one.IsUnsafe);
        Assert.Contains(findings, one => one.Sentence.Contains("Redis has no replica"));
    }

    [Fact]
    public async Task A_server_without_any_file_is_unsafe()
    {
        await using var server = await RedisServer.StartAsync();
        await using var store = RedisStore.Open(server.Url);
        var findings = await store.InspectAsync(TestContext.Current.CancellationToken);
        Assert.Contains(findings, one => one is { IsUnsafe: true } && one.Sentence.Contains("Set appendonly yes"));
    }

    [Fact]
    public async Task What_a_service_forbids_to_ask_is_said_to_be_unknown()
    {
        await using var server = await RedisServer.StartAsync();
        await server.CommandAsync(
            "ACL", "SETUSER", "app", "on", ">secret", "~*", "&*", "+@all", "-info", "-config");
        await using var store = RedisStore.Open($"redis://app:secret@127.0.0.1:{server.Port}");
        var findings = await store.InspectAsync(TestContext.Current.CancellationToken);
        Assert.Equal(4, findings.Count(one => one.Sentence.Contains("not known")));
        Assert.DoesNotContain(findings, one => one.IsUnsafe);
    }

    [Fact]
    public async Task A_server_that_is_away_cannot_be_inspected()
    {
        await using var store = RedisStore.Open($"redis://127.0.0.1:{RedisServer.FreePort()}");
        await Assert.ThrowsAsync<IOException>(() => store.InspectAsync(TestContext.Current.CancellationToken));
    }

    [Theory]
    [InlineData("6.0.16", true)]
    [InlineData("6.2.0", false)]
    [InlineData("8.2.1", false)]
    public void Too_old_a_version_is_unsafe(string version, bool isUnsafe)
    {
        var report = ServerReport.OfInfo(
            $"# Server\r\nredis_version:{version}\r\nmaxmemory_policy:noeviction\r\naof_enabled:1\r\n");
        Assert.Equal(isUnsafe, report.Findings.Any(one => one.IsUnsafe));
    }

    [Theory]
    [InlineData(0, 1)]
    [InlineData(1, 1)]
    [InlineData(2, 0)]
    public void Fewer_than_three_servers_deserve_advice(int replicas, int findings)
    {
        var report = ServerReport.OfInfo($"connected_slaves:{replicas}\r\n");
        Assert.Equal(findings, report.Findings.Count(one => one.Sentence.Contains("Three servers")));
    }

    [Fact]
    public void A_connection_over_a_network_should_be_encrypted()
    {
        var report = ServerReport.OfInfo("");
        Assert.Contains((report with { IsLocal = false }).Findings, one => one.Sentence.Contains("rediss://"));
        Assert.DoesNotContain((report with { IsEncrypted = true }).Findings, one => one.Sentence.Contains("rediss://"));
    }

    private static TokenFacts Token(string id) => new()
    {
        Issuer = Issuer, TokenId = id, Subject = "user", IssuedAt = DateTimeOffset.UtcNow,
        ExpiresAt = DateTimeOffset.UtcNow.AddMinutes(30),
    };
}
