using Rescind.Conformance;

namespace Rescind.Tests.Redis;

/// <summary>The log in Redis keeps the contract.</summary>
public sealed class RedisConformanceTests(SharedRedis redis) : IClassFixture<SharedRedis>
{
    public static TheoryData<string> Facts => [.. RevocationLogConformance.Facts];

    [Theory]
    [MemberData(nameof(Facts))]
    public Task The_log_in_Redis_keeps_the_contract(string fact) => new RedisConformance(redis).RunAsync(fact);

    private sealed class RedisConformance(SharedRedis redis) : RevocationLogConformance
    {
        private readonly string _prefix = $"conformance-{Guid.NewGuid():N}";
        private RedisStore? _store;

        protected override ValueTask<IRevocationLog> OpenAsync()
        {
            var options = new BlacklistOptions { Freshness = TimeSpan.FromMilliseconds(50) };
            _store = RedisStore.Open(redis.Url, options, new RedisOptions { Prefix = _prefix });
            return new(_store.Log);
        }

        protected override async ValueTask<IRevocationLog?> ReopenAsync(IRevocationLog log)
        {
            await _store!.DisposeAsync();
            return await OpenAsync();
        }

        protected override ValueTask CloseAsync(IRevocationLog log) => _store!.DisposeAsync();
    }
}

/// <summary>One server for tests that keep apart by their prefixes.</summary>
public sealed class SharedRedis : IAsyncLifetime
{
    private RedisServer? _server;

    public string Url => _server!.Url;

    internal RedisServer Server => _server!;

    public async ValueTask InitializeAsync() => _server = await RedisServer.StartAsync();

    public ValueTask DisposeAsync() => _server?.DisposeAsync() ?? ValueTask.CompletedTask;
}
