using System.Diagnostics;

namespace Rescind.Tests.Redis;

/// <summary>The log comes back without what it held. Nobody is fresh before everything is given back, and nothing that was
/// lifted comes with it.</summary>
public sealed class RecoveryTests(ITestOutputHelper output)
{
    /// <summary>How fast a recovery closes when all report, at the default bound of a second.</summary>
    private static readonly TimeSpan Limit = TimeSpan.FromSeconds(10);

    [Theory]
    [InlineData(Loss.Flushed)]
    [InlineData(Loss.Restarted)]
    [InlineData(Loss.RolledBack)]
    public async Task Nothing_is_forgotten_and_nobody_is_fresh_too_early(Loss loss)
    {
        await using var server = await RedisServer.StartAsync();
        await using var first = RedisNode.Start(server.Url);
        await using var second = RedisNode.Start(server.Url);
        await first.UntilCountsAsync(2);
        await first.RevokeAsync("old");
        await server.CommandAsync("SAVE");
        await using var load = new RevokingLoad([first, second]);
        await Eventually.TrueAsync(() => load.Ended.Count > 10, "some are everywhere");

        var lost = Stopwatch.GetTimestamp();
        await LoseAsync(server, loss);
        await using var joined = RedisNode.Start(server.Url);
        while (!(first.IsFresh && second.IsFresh && joined.IsFresh)
            || Stopwatch.GetElapsedTime(lost) < TimeSpan.FromSeconds(1))
        {
            Assert.True(Stopwatch.GetElapsedTime(lost) < Eventually.Patience, "Nobody becomes fresh again.");
            var ended = load.Ended;
            AssertRefused(joined, ended);
            AssertRefused(first, ended);
            AssertRefused(second, ended);
            await Task.Delay(10);
        }
        var closed = Stopwatch.GetElapsedTime(lost);
        await load.StopAsync();
        foreach (var node in new[] { first, second, joined })
        {
            Assert.Equal(Verdict.Revoked, await node.CheckAsync("old"));
            AssertRefused(node, load.Ended);
        }
        output.WriteLine($"{loss}: {load.Ended.Count} revocations, all three fresh after {closed.TotalSeconds:n1} s");
        Assert.InRange(closed, TimeSpan.Zero, Limit);
    }

    /// <summary>A node that only appends is silent to the others: they gave it up after five bounds, and the recovery closed
    /// without what it still held.</summary>
    [Fact]
    public async Task Who_gives_back_for_long_is_not_given_up()
    {
        await using var server = await RedisServer.StartAsync();
        var options = new BlacklistOptions { Freshness = TimeSpan.FromMilliseconds(200), LargestBatch = 20 };
        await using var holder = RedisNode.Start(server.Url, options);
        await holder.UntilFreshAsync();
        var ids = Enumerable.Range(0, 60_000).Select(number => $"t{number}").ToList();
        foreach (var part in ids.Chunk(2_000))
        {
            await Task.WhenAll(part.Chunk(20).Select(few => holder.Blacklist.RevokeAsync(
                [.. few.Select(id => Revocation.OfToken(TestWorld.Issuer, id))], CancellationToken.None).AsTask()));
        }
        await server.CommandAsync("FLUSHALL");
        await using var newcomer = RedisNode.Start(server.Url, options);
        var (begun, last) = (Stopwatch.GetTimestamp(), new List<string>([ids[0], ids[30_000], ids[^1]]));
        while (!newcomer.IsFresh)
        {
            Assert.True(Stopwatch.GetElapsedTime(begun) < Eventually.Patience, "It is never fresh.");
            Assert.All(last, id => Assert.NotEqual(Verdict.Accepted, newcomer.Check(id)));
            await Task.Delay(5);
        }
        Assert.All(ids, id => Assert.Equal(Verdict.Revoked, newcomer.Check(id)));
        output.WriteLine($"60,000 given back, the newcomer fresh after {Stopwatch.GetElapsedTime(begun).TotalSeconds:n1} s");
    }

    /// <summary>Redis remembers the id of what was deleted, and took no append any more, for good.</summary>
    [Fact]
    public async Task What_somebody_put_into_the_log_and_took_out_again_stops_no_append()
    {
        await using var server = await RedisServer.StartAsync();
        await using var first = RedisNode.Start(server.Url, Options());
        await using var second = RedisNode.Start(server.Url, Options());
        await first.UntilCountsAsync(2);
        await first.RevokeAsync("before");
        var foreign = (string?)await server.CommandAsync("XADD", "{rescind}:log", "*", "a", "b");
        await Eventually.TrueAsync(() => !first.IsFresh && !second.IsFresh, "nobody can read it");
        await server.CommandAsync("XDEL", "{rescind}:log", foreign!);
        await first.UntilFreshAsync();
        await second.UntilFreshAsync();
        await first.UntilCountsAsync(2);
        foreach (var (id, node) in new[] { ("one", first), ("two", second), ("three", first) })
        {
            Assert.Equal(ReceiptState.Everywhere, (await node.RevokeAsync(id)).State);
            Assert.DoesNotContain(Verdict.Accepted, new[] { first.Check(id), second.Check(id) });
            await Eventually.TrueAsync(
                () => (first.Check(id), second.Check(id)) == (Verdict.Revoked, Verdict.Revoked), "both know it");
        }
        await using var late = RedisNode.Start(server.Url, Options());
        await late.UntilFreshAsync();
        Assert.All(["before", "one", "two", "three"], id => Assert.Equal(Verdict.Revoked, late.Check(id)));
    }

    /// <summary>Whoever reads later lacks it, and nothing else tells that anything is missing.</summary>
    [Fact]
    public async Task What_somebody_takes_out_of_the_middle_is_missed_by_whoever_reads_later()
    {
        await using var server = await RedisServer.StartAsync();
        await using var first = RedisNode.Start(server.Url, Options());
        await first.UntilCountsAsync(1);
        foreach (var id in new[] { "one", "two", "three" })
        {
            await first.RevokeAsync(id);
        }
        var newest = (await server.CommandAsync("XREVRANGE", "{rescind}:log", "+", "-", "COUNT", "2"))[1];
        await server.CommandAsync("XDEL", "{rescind}:log", (string)newest[0]!);
        await using var late = RedisNode.Start(server.Url, Options());
        await late.UntilFreshAsync();
        Assert.Contains(late.Blacklist.GetStatus().Log.Warnings, one => one.StartsWith("Entries are missing", StringComparison.Ordinal));
        Assert.DoesNotContain(first.Blacklist.GetStatus().Log.Warnings, one => one.StartsWith("Entries", StringComparison.Ordinal));

        await server.CommandAsync("DEL", "{rescind}:log", "{rescind}:fleet");
        await Eventually.TrueAsync(() => late.Check("two") == Verdict.Revoked, "the remedy helps");
        await late.UntilFreshAsync();
        Assert.DoesNotContain(late.Blacklist.GetStatus().Log.Warnings, one => one.StartsWith("Entries", StringComparison.Ordinal));
    }

    /// <summary>What was forgotten stays forgotten: a token that ended before it must not revive where a clock goes back.
    /// </summary>
    [Fact]
    public async Task The_horizon_comes_back_with_whoever_has_seen_it()
    {
        await using var server = await RedisServer.StartAsync();
        await using var first = RedisNode.Start(server.Url, Options());
        await using var second = RedisNode.Start(server.Url, Options());
        await first.UntilCountsAsync(2);
        var horizon = DateTimeOffset.UtcNow.AddMinutes(-10).ToUnixTimeSeconds();
        await server.CommandAsync("HSET", "{rescind}:fleet", "horizon", horizon);
        await Eventually.TrueAsync(
            () => first.Blacklist.Index.Horizon == horizon && second.Blacklist.Index.Horizon == horizon, "both have seen it");
        await server.CommandAsync("FLUSHALL");
        await using var late = RedisNode.Start(server.Url, Options());
        await late.UntilFreshAsync();
        await first.UntilFreshAsync();
        Assert.Equal(horizon, late.Blacklist.Index.Horizon);
        Assert.Equal(horizon, (long)await server.CommandAsync("HGET", "{rescind}:fleet", "horizon"));

        // One that lies ahead is somebody's mistake, and goes with the header.
        await server.CommandAsync("HSET", "{rescind}:fleet", "horizon", DateTimeOffset.UtcNow.AddDays(1).ToUnixTimeSeconds());
        await Eventually.TrueAsync(() => first.Blacklist.Index.Horizon > horizon, "it has seen it");
        await server.CommandAsync("FLUSHALL");
        await first.UntilFreshAsync();
        await second.UntilFreshAsync();
        await Eventually.TrueAsync(
            async () => await server.CommandAsync("HGET", "{rescind}:fleet", "horizon") is { IsNull: false } told && (long)told == horizon,
            "the earlier one is back");
    }

    [Fact]
    public async Task A_lift_that_races_retries_the_journal_compaction_and_recoveries_never_comes_undone()
    {
        using var folder = new TestFolder();
        await using var server = await RedisServer.StartAsync();
        await using var first = RedisNode.Start(server.Url, Options(), folder.PathOf("first.db"));
        await using var second = RedisNode.Start(server.Url, Options(), folder.PathOf("second.db"));
        await first.UntilCountsAsync(2);
        var (lifted, kept) = (new List<string>(), new List<string>());
        using var over = new CancellationTokenSource();
        var compacting = CompactAsync(second, over.Token);
        for (var i = 0; i < 120; i++)
        {
            var (wrong, right) = ($"wrong-{i}", $"right-{i}");
            var (near, far) = i % 2 == 0 ? (first, second) : (second, first);
            var mistake = await near.RevokeAsync(wrong);
            var lifting = near.Blacklist.LiftAsync([mistake.Id], "restored", "admin").AsTask();
            await far.RevokeAsync(right);
            Assert.NotNull(await lifting);
            lifted.Add(wrong);
            kept.Add(right);
            if (i % 40 == 20)
            {
                await server.CommandAsync("FLUSHALL");
            }
            if (i % 40 == 35)
            {
                await server.RestartAsync();
            }
        }
        await over.CancelAsync();
        var compactions = await compacting;
        await first.UntilFreshAsync();
        await second.UntilFreshAsync();
        await first.UntilCountsAsync(2);
        await Eventually.TrueAsync(
            () => Pending(first) + Pending(second) == 0, "nothing waits for the log");
        await using var joined = RedisNode.Start(server.Url, Options());
        foreach (var node in new[] { first, second, joined })
        {
            await Eventually.TrueAsync(() => node.Check("another") == Verdict.Accepted, "it is fresh");
            Assert.All(lifted, id => Assert.NotEqual(Verdict.Revoked, node.Check(id)));
            Assert.All(kept, id => Assert.Equal(Verdict.Revoked, node.Check(id)));
        }
        output.WriteLine($"{lifted.Count} lifts, 3 FLUSHALLs, 3 restarts and {compactions} compactions at once");

        static long Pending(RedisNode node) => node.Blacklist.GetStatus().Log.JournalPending;
    }

    public enum Loss
    {
        Flushed,
        Restarted,
        RolledBack,
    }

    private static async Task LoseAsync(RedisServer server, Loss loss)
    {
        if (loss == Loss.Flushed)
        {
            await server.CommandAsync("FLUSHALL");
            return;
        }
        if (loss == Loss.Restarted)
        {
            File.Delete(server.RdbFile);
        }
        await server.RestartAsync();
    }

    private static void AssertRefused(RedisNode node, IReadOnlyList<string> ended) =>
        Assert.DoesNotContain(ended, id => node.Check(id) == Verdict.Accepted);

    private static async Task<int> CompactAsync(RedisNode node, CancellationToken cancel)
    {
        var done = 0;
        while (!cancel.IsCancellationRequested)
        {
            try
            {
                await node.Blacklist.CompactAsync(CancellationToken.None);
                done++;
            }
            catch (IOException)
            {
                // Overtaken by a recovery; the next one compacts.
            }
            await Task.Delay(5, CancellationToken.None);
        }
        return done;
    }

    private static BlacklistOptions Options() => new() { Freshness = TimeSpan.FromMilliseconds(500) };
}
