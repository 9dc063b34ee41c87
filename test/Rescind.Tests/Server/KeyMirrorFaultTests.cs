using CsCheck;
using Rescind.Tests.Fuzz;
using Rescind.Tests.Redis;

namespace Rescind.Tests.Server;

/// <summary>What others write into Redis does not end the mirror of the older service's keys, and a key goes only when
/// nothing revokes its token any more.</summary>
public sealed class KeyMirrorFaultTests
{
    private const string Prefix = "mita:blacklist:token:";

    [Theory]
    [InlineData("nonsense")]
    [InlineData("yesterday a-token")]
    [InlineData("99999999999999999 a-token")]
    public async Task What_it_cannot_read_is_said_and_the_next_revocation_is_mirrored(string member)
    {
        await using var redis = await RedisServer.StartAsync();
        await using var server = await ServerUnderTest.StartAsync(
            ("REDIS_URL", redis.Url), ("REDIS_KEY_MIRROR", Prefix + "{jti}"));
        var (first, second) = (await server.RegisterAsync(), await server.RegisterAsync());
        var soon = DateTimeOffset.UtcNow.AddHours(1).ToUnixTimeSeconds().ToString();
        await redis.CommandAsync("ZADD", "{rescind}:issued:subject:" + first.UserId, soon, member);

        (await server.PostAsync("/api/auth/logout-all", null, first.Access)).IsSuccess();
        (await server.PostAsync("/api/auth/logout-all", null, second.Access)).IsSuccess();

        var key = Prefix + MintedTokens.Read(second.Access).GetProperty("jti").GetString();
        await Eventually.TrueAsync(
            async () => (await redis.CommandAsync("EXISTS", key)).ToString() == "1", "the key is written");
        var line = Assert.Single(server.LogEntries, line => line.Contains("[4904]", StringComparison.Ordinal));
        Assert.DoesNotContain("a-token", line, StringComparison.Ordinal);
    }

    /// <summary>Whoever can write to that Redis can write any key: names that are no text, other types.</summary>
    [Fact]
    public async Task Hostile_keys_hold_up_no_good_one()
    {
        await using var redis = await RedisServer.StartAsync();
        await using var server = await StartAsync(redis);
        var user = await server.RegisterAsync();
        var number = 0;
        await using var pool = await redis.ConnectAsync();
        await Hostile.Bytes(Gen.Const("3f2b8c1e-0000"u8.ToArray())).TryAsync(async name =>
        {
            byte[] key = [.. System.Text.Encoding.ASCII.GetBytes(Prefix), .. name];
            await pool.GetDatabase().ExecuteAsync("EVAL", "redis.call('DEL', KEYS[1]) return " + (number++ % 4) switch
            {
                0 => "redis.call('SET', KEYS[1], '1', 'EX', 1000000000)",
                1 => "redis.call('SET', KEYS[1], '1')",
                2 => "redis.call('HSET', KEYS[1], 'field', '1')",
                _ => "redis.call('SET', KEYS[1], ARGV[1], 'PX', 100000)",
            }, 1, key, name);
        }, 200, threads: 1);
        await redis.CommandAsync("SET", Prefix + IdOf(user.Access), "1", "EX", "1000");
        await Eventually.TrueAsync(
            async () => await server.ProfileStatusAsync(user.Access) == 401, "the older service's key ends the token");
        (await server.GetAsync("/api/users/profile", user.Access)).IsRefusal(401, "token_revoked");
    }

    /// <summary>It ended the search for keys for good.</summary>
    [Theory]
    [InlineData("900000000000000")]
    [InlineData("9000000000000000")]
    public async Task A_key_that_lives_longer_than_times_go_counts_as_one_that_lives_for_ever(string milliseconds)
    {
        await using var redis = await RedisServer.StartAsync();
        await using var server = await StartAsync(redis);
        var (first, second) = (await server.RegisterAsync(), await server.RegisterAsync());
        await redis.CommandAsync("SET", Prefix + IdOf(first.Access), "1", "PX", milliseconds);
        await redis.CommandAsync("SET", Prefix + IdOf(second.Access), "1", "EX", "1000");
        foreach (var user in new[] { first, second })
        {
            await Eventually.TrueAsync(
                async () => await server.ProfileStatusAsync(user.Access) == 401, "the key ends its token");
        }
    }

    [Fact]
    public async Task A_lift_leaves_the_key_of_a_token_that_another_rule_revokes()
    {
        await using var redis = await RedisServer.StartAsync();
        await using var server = await StartAsync(redis);
        var (user, admin) = (await server.RegisterAsync(), await server.LogInAsAdminAsync());
        var ids = new[] { user.Access, user.Refresh }.Select(IdOf).ToList();
        var token = await RevokeAsync(server, admin, new { type = "token", value = ids[0] });
        var session = await RevokeAsync(server, admin, new { type = "session", value = user.Session });
        var subject = await RevokeAsync(server, admin, new { type = "subject", value = user.UserId });
        await UntilAsync(redis, ids[1], isThere: true);
        await LiftAsync(server, admin, token);
        await LiftAsync(server, admin, session);
        var other = await server.RegisterAsync(); // what is mirrored later shows that the lifts have been
        (await server.PostAsync("/api/auth/logout-all", null, other.Access)).IsSuccess();
        await UntilAsync(redis, IdOf(other.Access), isThere: true);
        foreach (var id in ids)
        {
            await UntilAsync(redis, id, isThere: true);
        }
        await LiftAsync(server, admin, subject);
        foreach (var id in ids)
        {
            await UntilAsync(redis, id, isThere: false);
        }
        Assert.Equal(200, await server.ProfileStatusAsync(user.Access));
    }

    /// <summary>A cutoff hits by the log-in.</summary>
    [Fact]
    public async Task A_token_that_was_refreshed_after_the_cutoff_gets_its_key()
    {
        await using var redis = await RedisServer.StartAsync();
        await using var server = await StartAsync(redis);
        var (user, admin) = (await server.RegisterAsync(), await server.LogInAsAdminAsync());
        await Task.Delay(TimeSpan.FromSeconds(2.1), TestContext.Current.CancellationToken);
        var cutoff = DateTimeOffset.UtcNow;
        await Task.Delay(TimeSpan.FromSeconds(2.1), TestContext.Current.CancellationToken);
        var next = Tokens.Of((await server.PostAsync("/api/auth/refresh", new { refresh_token = user.Refresh })).Json);
        (await server.PostAsync(
            "/api/auth/admin/revocations",
            new { target = new { type = "subject", value = user.UserId }, reason = "admin_action", issued_before = cutoff },
            admin.Access)).IsSuccess(201);
        (await server.GetAsync("/api/users/profile", next.Access)).IsRefusal(401, "token_revoked");
        await UntilAsync(redis, IdOf(next.Access), isThere: true);
        await UntilAsync(redis, IdOf(next.Refresh), isThere: true);
    }

    private static Task<ServerUnderTest> StartAsync(RedisServer redis) => ServerUnderTest.StartAsync(
        ("REDIS_URL", redis.Url), ("REDIS_KEY_MIRROR", Prefix + "{jti}"));

    private static string IdOf(string token) => MintedTokens.Read(token).GetProperty("jti").GetString()!;

    private static Task UntilAsync(RedisServer redis, string id, bool isThere) => Eventually.TrueAsync(
        async () => (await redis.CommandAsync("EXISTS", Prefix + id)).ToString() == (isThere ? "1" : "0"),
        isThere ? "the key is there" : "the key is gone");

    private static async Task<string> RevokeAsync(ServerUnderTest server, Tokens admin, object target)
    {
        var reply = await server.PostAsync(
            "/api/auth/admin/revocations", new { target, reason = "admin_action" }, admin.Access);
        reply.IsSuccess(201);
        return reply.Json.GetProperty("id").GetString()!;
    }

    private static async Task LiftAsync(ServerUnderTest server, Tokens admin, string id) => (await server.SendAsync(
        HttpMethod.Delete, $"/api/auth/admin/revocations/{id}", new { reason = "restored" }, admin.Access)).IsSuccess();
}
