using System.Diagnostics;
using Rescind.Redis;

namespace Rescind.Tests.Redis;

/// <summary>Compaction of the log in Redis, beyond the contract: what it costs, and what a reader of the stream
/// finds.</summary>
public sealed class CompactionTests(ITestOutputHelper output)
{
    /// <summary>Single logouts make one stream entry each, and expired ones stand between live ones. Sixteen times
    /// as many may take 80 times as long, on a machine that others use too; what looks at all of them for each of
    /// them takes 256 times as long.</summary>
    [Fact]
    public async Task A_compaction_takes_time_in_proportion_to_the_log()
    {
        const int few = 3_750;
        TimeSpan[] ofFew = [await CompactAsync(few), await CompactAsync(few), await CompactAsync(few)];
        var ofMany = await CompactAsync(16 * few);
        ofMany = ofMany < 60 * ofFew.Min() ? ofMany : new[] { ofMany, await CompactAsync(16 * few) }.Min();
        Assert.InRange(ofMany / ofFew.Min(), 0, 80);
        Assert.InRange(ofMany.TotalSeconds, 0, 20);
    }

    [Fact]
    public async Task An_entry_that_stands_twice_is_carried_with_its_longer_life()
    {
        await using var server = await RedisServer.StartAsync();
        await using var node = RedisNode.Start(server.Url);
        await node.UntilCountsAsync(1);
        var now = DateTimeOffset.UtcNow;
        await node.Redis.Log.AppendAsync(
            new[] { Entry(1, now.AddDays(2)), Entry(1, now.AddDays(1)), Entry(2, now.AddHours(-1)) },
            TestContext.Current.CancellationToken);
        await node.Redis.Log.AppendAsync(new[] { Entry(3, now.AddDays(1)) }, TestContext.Current.CancellationToken);
        Assert.Equal(1, (await node.Redis.Log.CompactAsync(now, TestContext.Current.CancellationToken)).EntriesDropped);
        await using var joined = RedisNode.Start(server.Url);
        await joined.UntilFreshAsync();
        Assert.Equal(
            Entry(1, now.AddDays(2)).Expiry, joined.Blacklist.Index.EntryOf(Entry(1, now).Id)?.Expiry);
    }

    [Fact]
    public async Task A_service_that_does_not_tell_sizes_is_compacted_all_the_same()
    {
        await using var server = await RedisServer.StartAsync();
        await server.CommandAsync("ACL", "SETUSER", "app", "on", ">secret", "~*", "&*", "+@all", "-memory");
        await using var node = RedisNode.Start($"redis://app:secret@127.0.0.1:{server.Port}");
        await node.UntilCountsAsync(1);
        var now = DateTimeOffset.UtcNow;
        await node.Redis.Log.AppendAsync(new[] { Entry(1, now.AddHours(-1)) }, TestContext.Current.CancellationToken);
        await node.Redis.Log.AppendAsync(new[] { Entry(2, now.AddDays(1)) }, TestContext.Current.CancellationToken);
        Assert.Equal(
            new CompactionResult(1, 0, 0), await node.Redis.Log.CompactAsync(now, TestContext.Current.CancellationToken));
    }

    private async Task<TimeSpan> CompactAsync(int count)
    {
        await using var server = await RedisServer.StartAsync();
        await using var node = RedisNode.Start(server.Url, new BlacklistOptions { LargestBatch = count });
        await node.UntilCountsAsync(1);
        var now = DateTimeOffset.UtcNow;
        await WriteAsync(server, [.. Enumerable.Range(0, count).Select(i => Entry(i, i % 2 == 0 ? now.AddHours(-1) : now.AddDays(7)))]);
        await Eventually.TrueAsync(() => node.Blacklist.GetStatus().Rules[RuleKind.Token] >= count / 2, "the node has read them");
        var begun = Stopwatch.GetTimestamp();
        var result = await node.Redis.Log.CompactAsync(now, TestContext.Current.CancellationToken);
        var took = Stopwatch.GetElapsedTime(begun);
        output.WriteLine($"{count:n0} stream entries, every other expired, compacted in {took.TotalSeconds:n2} s: "
            + $"{result.EntriesDropped:n0} dropped, {result.BytesBefore:n0} bytes before, {result.BytesAfter:n0} after");
        Assert.Equal(count / 2, result.EntriesDropped);
        await using var joined = RedisNode.Start(server.Url, new BlacklistOptions { LargestBatch = count });
        await joined.UntilFreshAsync();
        Assert.InRange(joined.Blacklist.GetStatus().Rules[RuleKind.Token], count / 2, count / 2 + 10);
        return took;
    }

    private static LogEntry Entry(int number, DateTimeOffset expires)
    {
        var key = TokenKey.Of(RuleKind.Token, TestWorld.Issuer, $"t{number}");
        return new LogEntry { Id = new RevocationId(RuleKind.Token, key, 1), ExpiresAt = expires };
    }

    /// <summary>One stream entry each, as that many single calls would have made them.</summary>
    private static async Task WriteAsync(RedisServer server, LogEntry[] entries)
    {
        var codec = new PackCodec(null);
        await using var pool = await server.ConnectAsync();
        foreach (var part in entries.Chunk(5_000))
        {
            await pool.GetDatabase().ScriptEvaluateAsync(
                """
                local last = redis.call('XREVRANGE', KEYS[1], '+', '-', 'COUNT', 1)[1][1]
                local number, id = tonumber(string.match(last, '^(%d+)')), ''
                for i, bytes in ipairs(ARGV) do
                  id = string.format('%.0f', number + i) .. '-77'
                  redis.call('XADD', KEYS[1], id, 'e', bytes)
                end
                redis.call('HSET', KEYS[2], 'tail', id)
                """,
                ["{rescind}:log", "{rescind}:fleet"],
                [.. part.Select(entry => (StackExchange.Redis.RedisValue)codec.Pack(new[] { entry })[0].Bytes)]);
        }
    }
}
