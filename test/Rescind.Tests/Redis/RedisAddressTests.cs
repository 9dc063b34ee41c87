using System.Net;
using Rescind.Redis;
using StackExchange.Redis;

namespace Rescind.Tests.Redis;

/// <summary>How the address of Redis may be written, and what is said when it is not.</summary>
public sealed class RedisAddressTests
{
    [Theory]
    [InlineData("redis://cache.example", "cache.example", 6379, null, null, 0, false)]
    [InlineData("redis://cache.example:6380/3", "cache.example", 6380, null, null, 3, false)]
    [InlineData("redis://:p%40ss@cache.example", "cache.example", 6379, null, "p@ss", 0, false)]
    [InlineData("redis://anna:s%2Fecret@cache.example:1/15", "cache.example", 1, "anna", "s/ecret", 15, false)]
    [InlineData("rediss://anna:secret@cache.example", "cache.example", 6379, "anna", "secret", 0, true)]
    public void A_url_says_host_user_password_database_and_tls(
        string url, string host, int port, string? user, string? password, int database, bool tls)
    {
        var options = RedisAddress.Parse(url);
        var endpoint = Assert.IsType<DnsEndPoint>(Assert.Single(options.EndPoints));
        Assert.Equal((host, port, tls), (endpoint.Host, endpoint.Port, options.Ssl));
        Assert.Equal((user, password, database), (options.User, options.Password, options.DefaultDatabase ?? 0));
        Assert.Equal(BacklogPolicy.FailFast, options.BacklogPolicy);
        Assert.False(options.AbortOnConnectFail);
    }

    [Fact]
    public void A_connection_string_of_the_client_library_is_taken()
    {
        var options = RedisAddress.Parse("a.example:1,b.example:2,serviceName=mymaster,password=secret");
        Assert.Equal(2, options.EndPoints.Count);
        Assert.Equal(("mymaster", "secret"), (options.ServiceName, options.Password));
    }

    [Fact]
    public void An_Upstash_endpoint_becomes_its_redis_protocol()
    {
        var options = RedisAddress.Parse(RedisAddress.OfUpstash("https://eu1-fast.upstash.io", "to/ken="));
        Assert.Equal(("default", "to/ken=", true), (options.User, options.Password, options.Ssl));
        Assert.Equal(new DnsEndPoint("eu1-fast.upstash.io", 6379), Assert.Single(options.EndPoints));
    }

    [Theory]
    [InlineData("http://u:hidden@cache.example")]
    [InlineData("redis://u:hidden@")]
    [InlineData("redis://u:hid#den@cache.example")]
    [InlineData("redis://u:hidden@cache.example/x")]
    [InlineData("redis://u:hidden@cache.example/-1")]
    [InlineData("redis://u:hidden@cache.example:99999")]
    [InlineData("redis://u:hidden@cache.example?x=1")]
    [InlineData("cache.example,password=hidden,nonsense=1")]
    public void A_malformed_address_is_refused_without_repeating_a_password(string text)
    {
        var fault = Assert.ThrowsAny<ArgumentException>(() => RedisAddress.Parse(text));
        Assert.DoesNotContain("hid", fault.ToString(), StringComparison.Ordinal);
        Assert.Contains("redis://", fault.Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("http://name.upstash.io", "hidden")]
    [InlineData("https://u:hidden@name.upstash.io", "x")]
    [InlineData("https://name.upstash.io", "hid den")]
    [InlineData("https://name.upstash.io", "")]
    [InlineData("not a url", "hidden")]
    public void A_malformed_Upstash_endpoint_is_refused_without_repeating_its_token(string url, string token)
    {
        var fault = Assert.ThrowsAny<ArgumentException>(() => RedisAddress.OfUpstash(url, token));
        Assert.DoesNotContain("hid", fault.Message, StringComparison.Ordinal);
    }
}
