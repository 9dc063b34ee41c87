using System.Diagnostics;
using Rescind.Tests.Redis;
using StackExchange.Redis;

namespace Rescind.EndToEnd.Fleet;

/// <summary>Three server processes on one Redis: at the instant of a receipt that says <c>everywhere</c>, every other
/// node refuses.</summary>
public sealed class ReceiptTests(ITestOutputHelper output)
{
    /// <summary>1,000 in the ordinary run, 100,000 by <c>dotnet run build.cs soak fleet</c>.</summary>
    private static readonly int Tries =
        int.TryParse(Environment.GetEnvironmentVariable("RESCIND_SOAK_TRIES"), out var tries) ? tries : 1_000;

    /// <summary>A node that cannot know refuses, so that a lucky acceptance cannot hide.</summary>
    private static readonly (string, string?)[] Careful = [("BLACKLIST_WHEN_UNKNOWN", "refuse")];

    [Fact]
    public async Task Every_other_process_refuses_at_the_instant_of_the_receipt()
    {
        await using var fleet = await ServerFleet.StartAsync(3, Careful);
        var (writer, others) = (fleet.Nodes[0], fleet.Nodes.Skip(1).ToList());
        var (receipts, refusals, asUsual) = (new List<double>(), new List<double>(), 0);
        for (var i = 0; i < Tries; i++)
        {
            var (token, id) = FleetNode.NewToken();
            await Task.WhenAll(others.Select(node => Eventually.TrueAsync(
                async () => await node.CheckAsync(token) == 200, "it is accepted")));
            var begun = Stopwatch.GetTimestamp();
            var refused = i % 4 == 0 ? UntilRefusedAsync(others[0], token, begun) : null;
            var receipt = await writer.RevokeAsync(id);
            var after = await Task.WhenAll(others.Select(node => node.CheckAsync(token)));
            if (receipt.State != "journaled")
            {
                Assert.Equal(("everywhere", receipt.Expected), (receipt.State, receipt.Confirmed));
                Assert.All(after, status => Assert.True(status == 401 || (status == 503 && receipt.Expected < 3), $"{status}"));
                asUsual += receipt.Expected == 3 ? 1 : 0;
                receipts.Add(receipt.ElapsedMs);
            }
            if (refused is not null)
            {
                refusals.Add(await refused);
            }
        }

        // A process that gets no processor for a bound is not fresh: it says 503, and nobody waits for it any longer. Where
        // Redis gets none for 50 ms, the writer's disk answers.
        Assert.InRange(asUsual, Tries * 0.9, Tries);
        var plain = await PlainRoundTripsAsync(fleet.Redis);
        output.WriteLine($"{Tries} revocations, {asUsual} of them 3 of 3 and 401 from both others at that instant; "
            + "p99 in ms: receipt "
            + $"{P99(receipts):n2}, revoke to refused elsewhere {P99(refusals):n2} (two HTTP calls in it), plain pub/sub "
            + $"round trip {P99(plain):n2}");
    }

    [Fact]
    public async Task Without_pub_sub_receipts_are_as_true_and_only_slower()
    {
        await using var fleet = await ServerFleet.StartAsync(3, [.. Careful, ("BLACKLIST_FRESHNESS_MS", "400")]);
        using var over = new CancellationTokenSource();
        var cuts = CutPushAsync(fleet.Redis, over.Token);
        var times = new List<double>();
        for (var i = 0; i < Math.Min(100, Tries); i++)
        {
            var (token, id) = FleetNode.NewToken();
            var receipt = await fleet.Nodes[i % 3].RevokeInLogAsync(id);
            Assert.Equal("everywhere", receipt.State);
            foreach (var node in fleet.Nodes)
            {
                var status = await node.CheckAsync(token);
                Assert.True(status == 401 || (status == 503 && receipt.Confirmed < 3), $"{status}");
                await Eventually.TrueAsync(async () => await node.CheckAsync(token) == 401, "it is refused");
            }
            times.Add(receipt.ElapsedMs);
        }
        await over.CancelAsync();
        output.WriteLine($"{await cuts} pub/sub connections killed meanwhile; receipt p99 {P99(times):n1} ms");
    }

    [Fact]
    public async Task A_process_that_was_frozen_accepts_nothing_that_a_receipt_forbids_when_it_goes_on()
    {
        await using var fleet = await ServerFleet.StartAsync(3, Careful);
        var (frozen, times) = (fleet.Nodes[2], new List<double>());
        for (var round = 0; round < 5; round++)
        {
            var (token, id) = FleetNode.NewToken();
            Assert.Equal(200, await frozen.CheckAsync(token));
            await frozen.Server.FreezeAsync();
            var queued = Enumerable.Range(0, 20).Select(_ => frozen.CheckAsync(token)).ToList();
            var receipt = await fleet.Nodes[0].RevokeInLogAsync(id);
            Assert.Equal("everywhere", receipt.State);
            times.Add(receipt.ElapsedMs); // the rest of its lease, at most a second and a quarter
            await frozen.Server.ResumeAsync();
            Assert.All(await Task.WhenAll(queued), status => Assert.Contains(status, new[] { 401, 503 }));
            await Eventually.TrueAsync(
                async () => await frozen.CheckAsync(FleetNode.NewToken().Token) == 200, "the node is fresh again");
            Assert.Equal(401, await frozen.CheckAsync(token));
        }
        Assert.InRange(times.Min(), 0, 1_500);
        Assert.InRange(times.Max(), 0, 8_000);
    }

    [Fact]
    public async Task A_killed_process_is_waited_for_no_longer_than_its_lease_and_one_that_joins_is_counted()
    {
        await using var fleet = await ServerFleet.StartAsync(3, Careful);
        await fleet.Nodes[2].Server.KillAsync();
        var first = await fleet.Nodes[0].RevokeInLogAsync(Guid.NewGuid().ToString());
        Assert.Equal("everywhere", first.State);
        Assert.InRange(first.ElapsedMs, 0, 8_000);

        // Nobody waits for the dead one again; some may meet what else the machine does.
        var asUsual = 0;
        for (var i = 0; i < 10; i++)
        {
            var again = await fleet.Nodes[i % 2].RevokeInLogAsync(Guid.NewGuid().ToString());
            Assert.Equal(("everywhere", again.Expected), (again.State, again.Confirmed));
            asUsual += again is { Expected: 2, ElapsedMs: < 500 } ? 1 : 0;
        }
        Assert.InRange(asUsual, 6, 10);

        // The same name twice: two processes are two, and each confirms for itself.
        var joining = fleet.JoinAsync("node-0");
        (var ended, asUsual) = (new List<string>(), 0);
        while (!joining.IsCompleted)
        {
            var (token, id) = FleetNode.NewToken();
            var state = (await fleet.Nodes[0].RevokeAsync(id)).State;
            ended.AddRange(state is "everywhere" or "stored" ? [token] : []); // what a busy node only journals comes later
            asUsual += state == "everywhere" ? 1 : 0;
        }
        var joined = await joining;
        Assert.True(asUsual > ended.Count / 2, $"{asUsual} of {ended.Count} were everywhere.");
        Assert.All(await Task.WhenAll(ended.Select(joined.CheckAsync)), status => Assert.Equal(401, status));
        await Eventually.TrueAsync(async () =>
        {
            var (token, id) = FleetNode.NewToken();
            var receipt = await fleet.Nodes[1].RevokeInLogAsync(id);
            var statuses = new[] { await joined.CheckAsync(token), await fleet.Nodes[0].CheckAsync(token) };
            Assert.True(receipt.State != "everywhere" || !statuses.Contains(200), string.Join(' ', statuses));
            return receipt is { Confirmed: 3, Expected: 3 } && statuses.All(status => status == 401);
        }, "both processes of one name are counted");
        var names = (await fleet.Nodes[1].MetricsAsync()).GetProperty("nodes").EnumerateArray()
            .Select(node => node.GetProperty("id").GetString());
        Assert.Equal(2, names.Count(name => name == "node-0"));
        output.WriteLine($"{ended.Count} tokens ended while a process joined, all refused by its first answer");
    }

    /// <summary>Time until a node refuses, asked in a loop.</summary>
    private static async Task<double> UntilRefusedAsync(FleetNode node, string token, long begun)
    {
        while (await node.CheckAsync(token) != 401)
        {
            Assert.True(Stopwatch.GetElapsedTime(begun) < Eventually.Patience, "It is never refused.");
        }
        return Stopwatch.GetElapsedTime(begun).TotalMilliseconds;
    }

    private static async Task<int> CutPushAsync(RedisServer redis, CancellationToken cancel)
    {
        await using var pool = await redis.ConnectAsync();
        var cut = 0;
        while (!cancel.IsCancellationRequested)
        {
            cut += (int)await pool.GetDatabase().ExecuteAsync("CLIENT", "KILL", "TYPE", "pubsub");
            await Task.Delay(5, CancellationToken.None);
        }
        return cut;
    }

    /// <summary>A publish and an answering publish between two connections, as plain as it gets.</summary>
    private static async Task<List<double>> PlainRoundTripsAsync(RedisServer redis)
    {
        await using var near = await redis.ConnectAsync();
        await using var far = await redis.ConnectAsync();
        var (there, back) = (RedisChannel.Literal("there"), RedisChannel.Literal("back"));
        var answers = new SemaphoreSlim(0);
        await far.GetSubscriber().SubscribeAsync(there, (_, message) => far.GetSubscriber().Publish(back, message));
        await near.GetSubscriber().SubscribeAsync(back, (_, _) => answers.Release());
        var times = new List<double>();
        for (var i = 0; i < 1_000; i++)
        {
            var begun = Stopwatch.GetTimestamp();
            await near.GetSubscriber().PublishAsync(there, i);
            Assert.True(await answers.WaitAsync(Eventually.Patience));
            times.Add(Stopwatch.GetElapsedTime(begun).TotalMilliseconds);
        }
        return times;
    }

    private static double P99(List<double> times)
    {
        times.Sort();
        return times[(int)(times.Count * 0.99)];
    }
}
