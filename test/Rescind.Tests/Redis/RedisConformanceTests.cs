using Rescind.Conformance;

namespace Rescind.Tests.Redis;

/// <summary>The log in Redis keeps the contract, however Redis runs.</summary>
public abstract class RedisConformanceTests(RedisUnderTest redis)
{
    public static TheoryData<string> Facts => [.. RevocationLogConformance.Facts];

    [Theory]
    [MemberData(nameof(Facts))]
    public Task The_log_in_Redis_keeps_the_contract(string fact) => new RedisConformance(redis).RunAsync(fact);

    private sealed class RedisConformance(RedisUnderTest redis) : RevocationLogConformance
    {
        private readonly string _prefix = $"conformance-{Guid.NewGuid():N}";
        private RedisStore? _store;

        protected override async ValueTask<IRevocationLog> OpenAsync()
        {
            var options = new BlacklistOptions { Freshness = TimeSpan.FromMilliseconds(50) };
            _store = RedisStore.Open(redis.Address, options, new RedisOptions { Prefix = _prefix });
            await _store.UntilReachedAsync();
            return _store.Log;
        }

        protected override async ValueTask<IRevocationLog?> ReopenAsync(IRevocationLog log)
        {
            await _store!.DisposeAsync();
            return await OpenAsync();
        }

        protected override ValueTask CloseAsync(IRevocationLog log) => _store!.DisposeAsync();
    }
}

/// <summary>One server.</summary>
public sealed class OneServer(RedisAlone redis) : RedisConformanceTests(redis), IClassFixture<RedisAlone>;

/// <summary>A master with two replicas, found through sentinels.</summary>
public sealed class Sentinels(RedisBySentinels redis) : RedisConformanceTests(redis), IClassFixture<RedisBySentinels>;

/// <summary>A Cluster of three masters.</summary>
public sealed class Cluster(RedisInCluster redis) : RedisConformanceTests(redis), IClassFixture<RedisInCluster>;

/// <summary>TLS with a private authority, and an ACL user.</summary>
[Collection("one trusted authority")]
public sealed class Tls(RedisByTls redis) : RedisConformanceTests(redis), IClassFixture<RedisByTls>;

/// <summary>Servers for a class of tests that keep apart by their prefixes.</summary>
public abstract class RedisUnderTest : IAsyncLifetime
{
    private IAsyncDisposable? _servers;

    /// <summary>As an operator writes it.</summary>
    public string Address { get; private set; } = "";

    public async ValueTask InitializeAsync() => (Address, _servers) = await StartAsync();

    public async ValueTask DisposeAsync()
    {
        await _servers!.DisposeAsync();
        GC.SuppressFinalize(this);
    }

    private protected abstract Task<(string Address, IAsyncDisposable Servers)> StartAsync();
}

public sealed class RedisAlone : RedisUnderTest
{
    private protected override async Task<(string, IAsyncDisposable)> StartAsync() =>
        await RedisServer.StartAsync() is var server ? (server.Url, server) : default;
}

public sealed class RedisBySentinels : RedisUnderTest
{
    private protected override async Task<(string, IAsyncDisposable)> StartAsync() =>
        await RedisWithSentinels.StartAsync() is var group ? (group.Address, group) : default;
}

public sealed class RedisInCluster : RedisUnderTest
{
    private protected override async Task<(string, IAsyncDisposable)> StartAsync() =>
        await RedisCluster.StartAsync() is var cluster ? (cluster.Address, cluster) : default;
}

public sealed class RedisByTls : RedisUnderTest
{
    private protected override async Task<(string, IAsyncDisposable)> StartAsync()
    {
        var server = await RedisOverTls.StartAsync();

        // How an operator makes the client trust a private authority: one for the process.
        Environment.SetEnvironmentVariable("SERedis_IssuerCertPath", server.AuthorityFile);
        return (server.Url, server);
    }
}
