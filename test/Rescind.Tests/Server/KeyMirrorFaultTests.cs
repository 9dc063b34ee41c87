using Rescind.Tests.Redis;

namespace Rescind.Tests.Server;

/// <summary>What others write into Redis does not end the mirror of the older service's keys.</summary>
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
}
