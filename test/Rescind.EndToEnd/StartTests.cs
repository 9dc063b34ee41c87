using Rescind.EndToEnd.Fleet;
using Rescind.Tests.Redis;

namespace Rescind.EndToEnd;

/// <summary>What is wrong at the start stops the start, in one line that says what to do.</summary>
public sealed class StartTests
{
    [Theory]
    [InlineData("PORT", "eighty")]
    [InlineData("ACCESS_TOKEN_EXPIRE_MINUTES", "-1")]
    [InlineData("BLACKLIST_WHEN_UNKNOWN", "maybe")]
    [InlineData("JWT_SECRET", "short")]
    [InlineData("JWT_SECRET", null)]
    [InlineData("ALGORITHM", "none")]
    [InlineData("REDIS_URL", "redis://:a-password-nobody-may-see@127.0.0.1:many")]
    public async Task A_wrong_setting_stops_the_start_with_one_line_that_names_it(string name, string? value)
    {
        await using var server = new ServerProcess((name, value), ("ASPNETCORE_URLS", name == "PORT" ? null : "http://127.0.0.1:0"));
        Assert.NotEqual(0, await server.RunToEndAsync());
        var lines = server.Output.Split('\n', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries);
        var line = Assert.Single(lines, line => line.Contains(name, StringComparison.Ordinal));
        Assert.DoesNotContain(lines, line => line.StartsWith("at ", StringComparison.Ordinal));
        Assert.DoesNotContain("a-password-nobody-may-see", server.Output, StringComparison.Ordinal);
        Assert.True(line.Length > name.Length + 20, line);
    }

    [Fact]
    public async Task A_second_server_on_the_same_folder_is_refused_and_the_first_goes_on()
    {
        await using var first = await ServerProcess.StartedAsync();
        await using var second = new ServerProcess(("RESCIND_DATA", first.Data));
        Assert.NotEqual(0, await second.RunToEndAsync());
        Assert.Contains("end the other process that uses this folder", second.Output, StringComparison.Ordinal);
        Assert.DoesNotContain("\n   at ", second.Output, StringComparison.Ordinal);
        var app = new MobileApp(first.Client);
        Assert.Equal(200, await app.ProfileAsync((await app.RegisterAsync()).Access));
    }

    [Fact]
    public async Task A_node_whose_settings_differ_from_the_fleets_is_refused_in_one_line()
    {
        await using var redis = await RedisServer.StartAsync();
        await using var first = await ServerProcess.StartedAsync(("REDIS_URL", redis.Url));
        await using var second = new ServerProcess(("REDIS_URL", redis.Url), ("BLACKLIST_FRESHNESS_MS", "500"));
        Assert.NotEqual(0, await second.RunToEndAsync());
        Assert.Contains("freshness_ms=1000", second.Output, StringComparison.Ordinal);
        Assert.Contains("freshness_ms=500", second.Output, StringComparison.Ordinal);
        Assert.DoesNotContain("\n   at ", second.Output, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("REDIS_REQUIRED", null)]
    [InlineData("REDIS_STRICT", "redis")]
    public async Task A_Redis_that_is_not_as_it_must_be_stops_the_start(string name, string? running)
    {
        await using var redis = await RedisServer.StartAsync("--maxmemory-policy", "allkeys-lru");
        var url = running is null ? $"redis://127.0.0.1:{RedisServer.FreePort()}" : redis.Url;
        await using var server = new ServerProcess(("REDIS_URL", url), (name, "true"));
        Assert.NotEqual(0, await server.RunToEndAsync());
        var lines = server.Output.Split('\n', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries);
        Assert.Single(lines, line => line.StartsWith(name + ":", StringComparison.Ordinal));
        Assert.DoesNotContain("\n   at ", server.Output, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("a-right-word-of-redis", "Redis connection pool created")]
    [InlineData("a-wrong-word-of-redis", "Redis refused the user, password or certificate")]
    public async Task The_password_of_Redis_stands_in_no_line(string password, string said)
    {
        await using var redis = await RedisServer.StartAsync("--requirepass", "a-right-word-of-redis");
        await using var node = FleetNode.Of($"redis://:{password}@{redis.Address}", "node-1");
        await node.StartAsync();
        await Eventually.TrueAsync(
            () => node.Server.Output.Contains(said, StringComparison.Ordinal), "it is said");
        await redis.KillAsync();
        await Eventually.TrueAsync(
            async () => (await node.RevokeAsync(Guid.NewGuid().ToString())).State == "journaled", "the journal takes over");
        await node.MetricsAsync();
        Assert.DoesNotContain("word-of-redis", node.Server.Output, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_Redis_that_is_not_there_is_a_warning_and_one_that_evicts_is_degraded()
    {
        await using var redis = await RedisServer.StartAsync("--maxmemory-policy", "allkeys-lru");
        var port = RedisServer.FreePort();
        await using var alone = await ServerProcess.StartedAsync(("REDIS_URL", $"redis://127.0.0.1:{port}"));
        await Eventually.TrueAsync(
            () => alone.Output.Contains("Redis cannot be reached", StringComparison.Ordinal), "it is warned of");
        var app = new MobileApp(alone.Client);
        Assert.Equal(200, await app.ProfileAsync((await app.RegisterAsync()).Access));
        Assert.DoesNotContain("Redis connection pool created", alone.Output, StringComparison.Ordinal);
        await using var late = await RedisServer.StartOnAsync(port);
        await Eventually.TrueAsync(
            () => alone.Output.Contains("Redis connection pool created", StringComparison.Ordinal), "it is connected");

        await using var node = FleetNode.Of(redis.Url, "node-1");
        await node.StartAsync();
        await Eventually.TrueAsync(
            () => node.Server.Output.Contains("Redis connection pool created", StringComparison.Ordinal), "it is connected");
        await Eventually.TrueAsync(async () =>
        {
            var health = (await node.MetricsAsync()).GetProperty("service_health");
            return health.GetProperty("status").GetString() == "degraded"
                && health.GetProperty("warnings").ToString().Contains("maxmemory-policy noeviction", StringComparison.Ordinal);
        }, "the eviction policy is reported");
    }
}
