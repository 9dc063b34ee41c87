using System.Diagnostics;

namespace Rescind.Tests.Redis;

/// <summary>A million live revocations: what they cost in Redis, and how long a node takes to know them.</summary>
public sealed class RedisSizeTests(ITestOutputHelper output)
{
    private const int Count = 1_000_000;
    private const int BatchSize = 1_000;

    [Fact]
    public async Task A_million_revocations_are_small_in_Redis_and_read_in_seconds()
    {
        using var folder = new TestFolder();
        var options = new BlacklistOptions { MostRevocations = 2 * Count };
        await using var server = await RedisServer.StartAsync();
        var before = await UsedAsync(server);
        TimeSpan appending;
        await using (var store = RedisStore.Open(server.Url, options))
        {
            var batch = new LogEntry[BatchSize];
            await AppendAsync(store.Log, batch);
            var begun = Stopwatch.GetTimestamp();
            for (var i = 1; i < Count / BatchSize; i++)
            {
                await AppendAsync(store.Log, batch);
            }
            appending = Stopwatch.GetElapsedTime(begun);
        }
        var bytes = (double)(await UsedAsync(server) - before) / Count;

        TimeSpan fromRedis, fromReplica;
        var file = folder.PathOf("node.db");
        var started = Stopwatch.GetTimestamp();
        await using (var node = RedisNode.Start(server.Url, options))
        {
            await UntilKnownAsync(node);
            fromRedis = Stopwatch.GetElapsedTime(started);
        }
        await using (var keeping = RedisNode.Start(server.Url, options, file))
        {
            await UntilKnownAsync(keeping);
            await Eventually.TrueAsync(() => KeptNode.RowsOf(file).Copied == Count, "the replica is whole");
        }
        await server.KillAsync();
        started = Stopwatch.GetTimestamp();
        await using (var restarted = RedisNode.Start(server.Url, options, file))
        {
            await UntilKnownAsync(restarted);
            fromReplica = Stopwatch.GetElapsedTime(started);
        }
        output.WriteLine($"{Count:n0} entries: {bytes:n1} bytes each in Redis, {Count / appending.TotalSeconds:n0} appended a "
            + $"second in batches of {BatchSize:n0}; a node knows them {fromRedis.TotalSeconds:n1} s after its start from Redis, "
            + $"{fromReplica.TotalSeconds:n1} s from its replica");
        Assert.InRange(bytes, 1, 64);
    }

    [Fact]
    public async Task Many_callers_share_their_calls_to_Redis()
    {
        await using var server = await RedisServer.StartAsync();
        await using var store = RedisStore.Open(server.Url);
        await RateAsync(store.Log, callers: 64);
        var (alone, together) = (await RateAsync(store.Log, callers: 1), await RateAsync(store.Log, callers: 64));
        output.WriteLine($"appends of one entry a second: {alone:n0} by one caller, {together:n0} by 64, {together / alone:n1} times");
        Assert.True(together > 4 * alone, "Callers do not share their calls.");
    }

    private static async Task<double> RateAsync(IRevocationLog log, int callers)
    {
        var (begun, done) = (Stopwatch.GetTimestamp(), 0);
        await Task.WhenAll(Enumerable.Range(0, callers).Select(_ => Task.Run(async () =>
        {
            while (Stopwatch.GetElapsedTime(begun) < TimeSpan.FromSeconds(2))
            {
                await AppendAsync(log, new LogEntry[1]);
                Interlocked.Increment(ref done);
            }
        })));
        return done / Stopwatch.GetElapsedTime(begun).TotalSeconds;
    }

    private static async Task AppendAsync(IRevocationLog log, LogEntry[] batch)
    {
        for (var i = 0; i < batch.Length; i++)
        {
            var key = TokenKey.Of(RuleKind.Token, TestWorld.Issuer, Guid.NewGuid().ToString());
            batch[i] = new LogEntry
            {
                Id = new RevocationId(RuleKind.Token, key, (uint)i), ExpiresAt = DateTimeOffset.UtcNow.AddDays(7),
            };
        }
        await log.AppendAsync(batch, CancellationToken.None);
    }

    private static Task UntilKnownAsync(RedisNode node) => Eventually.TrueAsync(
        () => node.Blacklist.GetStatus().Rules[RuleKind.Token] == Count, "the node knows all");

    private static async Task<long> UsedAsync(RedisServer server)
    {
        var info = (await server.CommandAsync("INFO", "memory")).ToString();
        return long.Parse(info.Split("used_memory:")[1].Split('\r')[0]);
    }
}
