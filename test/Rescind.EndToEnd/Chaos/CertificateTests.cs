using Rescind.EndToEnd.Fleet;
using Rescind.Tests.Redis;

namespace Rescind.EndToEnd.Chaos;

/// <summary>The certificate of Redis runs out while nodes are at work.</summary>
public sealed class CertificateTests
{
    [Fact]
    public async Task With_an_expired_certificate_of_Redis_a_node_says_that_it_cannot_know()
    {
        await using var redis = await RedisOverTls.StartAsync();
        await using var node = FleetNode.Of(
            redis.Url, "node-0", ("SERedis_IssuerCertPath", redis.AuthorityFile), ("BLACKLIST_WHEN_UNKNOWN", "refuse"));
        await node.StartAsync();
        var (token, id) = FleetNode.NewToken();
        var (other, _) = FleetNode.NewToken();
        await Eventually.TrueAsync(async () => await node.CheckAsync(other) == 200, "the node is fresh");
        await node.RevokeAsync(id);

        await redis.ExpireAsync();
        await Eventually.TrueAsync(async () => await node.CheckAsync(other) == 503, "the node says that it cannot know");
        Assert.Equal(401, await node.CheckAsync(token));
        await redis.RenewAsync();
        await Eventually.TrueAsync(async () => await node.CheckAsync(other) == 200, "the node is fresh again");
        Assert.Equal(401, await node.CheckAsync(token));
    }
}
