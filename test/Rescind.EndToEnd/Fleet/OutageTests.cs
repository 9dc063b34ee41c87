using System.Diagnostics;
using Rescind.Tests.Redis;

namespace Rescind.EndToEnd.Fleet;

/// <summary>Redis goes away under load. Nobody who asks notices, and nothing that was answered is lost.</summary>
public sealed class OutageTests(ITestOutputHelper output)
{
    /// <summary>15 s in the ordinary run, 10 minutes by <c>dotnet run build.cs soak outage</c>.</summary>
    private static readonly TimeSpan Outage = TimeSpan.FromSeconds(
        int.TryParse(Environment.GetEnvironmentVariable("RESCIND_SOAK_SECONDS"), out var seconds) ? seconds : 15);

    private static readonly TimeSpan Allowance = TimeSpan.FromMilliseconds(50);

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task Requests_go_on_and_every_revocation_is_refused_everywhere_afterwards(bool isFrozen)
    {
        await using var fleet = await ServerFleet.StartAsync(3);
        var (token, _) = FleetNode.NewToken();
        var made = new List<(int Node, string Token)>();
        await using var load = new Load([fleet.Nodes[0], fleet.Nodes[2]], token);
        await Task.Delay(TimeSpan.FromSeconds(2)); // the first calls compile code
        load.Take();
        var (quick, notAtOnce) = await RevokeForAsync(fleet, TimeSpan.FromSeconds(5), made, isAway: false);
        var normal = load.Take();

        await (isFrozen ? fleet.Redis.FreezeAsync() : fleet.Redis.KillAsync());
        var (journaled, _) = await RevokeForAsync(fleet, Outage / 2, made, isAway: true);
        await fleet.Nodes[1].Server.KillAsync();
        await fleet.Nodes[1].Server.StartAsync();
        foreach (var (node, ended) in made)
        {
            Assert.True(node != 1 || await fleet.Nodes[1].CheckAsync(ended) == 401, "The restart forgot a revocation.");
        }
        journaled = [.. journaled.Concat((await RevokeForAsync(fleet, Outage / 2, made, isAway: true)).Times).Order()];
        var away = load.Take();
        await (isFrozen ? fleet.Redis.ResumeAsync() : fleet.Redis.StartProcessAsync());

        var back = Stopwatch.GetTimestamp();
        foreach (var node in fleet.Nodes)
        {
            await Eventually.TrueAsync(async () => await node.CountAsync() >= Expected(), "all is known");
        }
        var known = Stopwatch.GetElapsedTime(back);
        foreach (var node in fleet.Nodes)
        {
            await Parallel.ForEachAsync(made, async (one, _) => Assert.Equal(401, await node.CheckAsync(one.Token)));
            Assert.Equal(Expected(), await node.CountAsync());
            await Eventually.TrueAsync(async () => await PendingAsync(node) == 0, "the journal is empty");
        }
        output.WriteLine(
            $"Redis {(isFrozen ? "frozen" : "killed")} for {Outage.TotalSeconds:0} s: {made.Count} revocations in, as many "
            + $"known on each node {known.TotalSeconds:n1} s after it was back. Checks: {Text(normal.Times)} with Redis, "
            + $"{Text(away.Times)} without; beside them, without a check, {Text(away.Beside)}. Revocations: {Text(quick)} "
            + $"with Redis, {Text(journaled)} without");
        Assert.Equal((0, 0), (normal.Failed, away.Failed));

        // A call may meet what the machine does to any call, more so while a server starts: the calls beside are the measure.
        var asUsual = Math.Max(Part(normal.Times, 0.99), Part(away.Beside, 0.99)) + Allowance.TotalMilliseconds;
        Assert.InRange(Part(away.Times, 0.99), 0, asUsual);
        var longest = Math.Max(normal.Times[^1], away.Beside[^1]) + Allowance.TotalMilliseconds;
        Assert.InRange(Part(away.Times, 0.999), 0, longest);
        Assert.InRange(Part(journaled, 0.9), 0, Part(quick, 0.9) + Allowance.TotalMilliseconds);
        foreach (var node in fleet.Nodes)
        {
            var most = node == fleet.Nodes[1] ? 4 : 2;
            Assert.InRange(Said(node, "Redis is lost"), 1, most);
            Assert.InRange(Said(node, "cannot read its log"), 1, most);
            Assert.InRange(Said(node, "are kept on this node's disk"), 1, most + notAtOnce);
        }

        long Expected() => made.Count + fleet.WarmUps;
    }

    private static int Said(FleetNode node, string line) => node.Server.Output.Split(line).Length - 1;

    /// <summary>Revokes on each node in turn; each token is refused there from the answer on.</summary>
    /// <returns>What the calls took, in order, and how many were journaled.</returns>
    private static async Task<(double[] Times, int Journaled)> RevokeForAsync(
        ServerFleet fleet, TimeSpan time, List<(int, string)> made, bool isAway)
    {
        var (begun, times, journaled) = (Stopwatch.GetTimestamp(), new List<double>(), 0);
        for (var i = 0; Stopwatch.GetElapsedTime(begun) < time; i++)
        {
            var node = i % fleet.Nodes.Count;
            var (token, id) = FleetNode.NewToken();
            var receipt = await fleet.Nodes[node].RevokeAsync(id);
            made.Add((node, token));
            times.Add(receipt.ElapsedMs);
            journaled += receipt.State == "journaled" ? 1 : 0;
            Assert.Equal(receipt.State == "journaled" ? (202, "journaled") : (200, "everywhere"), (receipt.Status, receipt.State));
            Assert.Equal(401, await fleet.Nodes[node].CheckAsync(token));
            await Task.Delay(50);
        }

        // A busy machine's Redis takes longer than 50 ms now and then.
        Assert.InRange(journaled, isAway ? times.Count : 0, isAway ? times.Count : times.Count * 0.3);
        return ([.. times.Order()], journaled);
    }

    private static async Task<long> PendingAsync(FleetNode node) => (await node.MetricsAsync())
        .GetProperty("service_health").GetProperty("journal_pending").GetInt64();

    private static double Part(double[] times, double part) => times[(int)((times.Length - 1) * part)];

    private static string Text(double[] times) =>
        $"p50 {Part(times, 0.5):n1}, p99 {Part(times, 0.99):n1}, longest {times[^1]:n1} ms of {times.Length}";
}
