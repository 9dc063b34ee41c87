namespace Rescind.Tests.Redis;

/// <summary>Redis comes back with an old file and grows to the length that it had, with other entries, while those who
/// held the lost ones are cut off and their callers go on. Nothing about the length tells that it is another history.</summary>
public sealed class RegrownTests(ITestOutputHelper output)
{
    private static readonly TimeSpan Bound = TimeSpan.FromMilliseconds(500);

    [Fact]
    public async Task A_log_that_grew_to_the_same_length_with_other_entries_is_noticed_under_load()
    {
        await using var server = await RedisServer.StartAsync();
        await using var link = new TcpProxy(server.Port);
        await using var first = RedisNode.Start(link.Address, Options());
        await using var second = RedisNode.Start(link.Address, Options());
        await first.UntilCountsAsync(2);
        await server.CommandAsync("SAVE");
        var saved = await LengthAsync(server);
        await using var load = new RevokingLoad([first, second]);
        await Eventually.TrueAsync(() => load.Ended.Count >= 50, "50 revocations are everywhere");

        // The link goes, and with it whatever was on its way; what Redis held is lost. An entry whose way was cut
        // between the two ends as promised, when the lease of the other is over, and is known to one alone.
        link.Cut();
        var length = await LengthAsync(server);
        await server.RestartAsync();
        Assert.Equal(saved, await LengthAsync(server));
        await using var other = RedisNode.Start(server.Url, Options());
        await other.UntilFreshAsync();
        var others = new List<string>();
        while (await LengthAsync(server) < length)
        {
            others.Add($"other-{others.Count}");
            await other.RevokeAsync(others[^1]);
            AssertRefused(first, load.Ended);
            AssertRefused(second, load.Ended);
        }
        Assert.Equal(length, await LengthAsync(server));
        Assert.NotEmpty(others);

        // They come back to a log of the length that they knew, and somebody who writes nothing joins beside them.
        await using var joined = RedisNode.Start(server.Url, Options());
        var lost = load.Ended;
        var held = lost.Where(id => first.Check(id) == Verdict.Revoked && second.Check(id) == Verdict.Revoked).ToList();
        Assert.InRange(lost.Count - held.Count, 0, 1);
        link.Restore();
        await Eventually.TrueAsync(
            () =>
            {
                AssertRefused(first, held);
                AssertRefused(second, held);
                Assert.All(
                    new[] { first, second }.Where(node => node.Check("never revoked") != Verdict.Unknown),
                    node => AssertRefused(node, others));
                return first.IsFresh && second.IsFresh && joined.IsFresh;
            },
            "all are fresh again");
        Assert.All(new[] { first, second }, node => AssertRefused(node, [.. held, .. others]));
        await Eventually.TrueAsync(
            () => new[] { first, second, other, joined }.All(node => lost.All(id => node.Check(id) == Verdict.Revoked)),
            "what was lost is given back");
        var before = load.Ended.Count;
        await Eventually.TrueAsync(() => load.Ended.Count > before + 10, "the load goes on");
        await load.StopAsync();
        await Eventually.TrueAsync(
            () => load.Ended.All(id => joined.Check(id) == Verdict.Revoked), "all is known to who joined");
        output.WriteLine(
            $"{lost.Count} lost with the log, {others.Count} others in their place, {load.Ended.Count} in the end");
    }

    private static async Task<long> LengthAsync(RedisServer server) =>
        (long)await server.CommandAsync("XLEN", "{rescind}:log");

    private static void AssertRefused(RedisNode node, IReadOnlyList<string> ended) =>
        Assert.DoesNotContain(ended, id => node.Check(id) == Verdict.Accepted);

    private static BlacklistOptions Options() => new() { Freshness = Bound };
}
