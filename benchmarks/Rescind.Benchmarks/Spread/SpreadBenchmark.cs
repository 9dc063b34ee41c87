using System.Diagnostics;
using StackExchange.Redis;

namespace Rescind.Benchmarks.Spread;

/// <summary>
/// From "revoke" to "refused by another node", and to the receipt that says "everywhere", in fleets of 1, 3 and
/// 10 nodes, against a plain message through the same Redis: publish, and wait until another connection has it.
/// All nodes live in this process, so they share its processors. The fleets take turns, one revocation each.
/// </summary>
internal static class SpreadBenchmark
{
    private static readonly int[] Fleets = [1, 3, 10];

    /// <returns>The median of each, in ms: of the plain message, and of receipts by number of nodes.</returns>
    public static async Task<Dictionary<string, double>> RunAsync(int revocations)
    {
        await using var server = await RedisProcess.StartAsync();
        await using var message = await PlainMessage.StartAsync(server);
        var fleets = new List<Fleet>();
        try
        {
            foreach (var nodes in Fleets)
            {
                fleets.Add(await Fleet.StartAsync(server, nodes));
            }
            var plain = new List<double>();
            for (var i = 0; i < revocations; i++)
            {
                plain.Add(await message.TripAsync());
                foreach (var fleet in fleets)
                {
                    await fleet.RevokeAsync();
                }
            }
            Print(plain, fleets);
            return fleets.Select(fleet => ($"{fleet.Nodes}", fleet.Receipts)).Append(("plain", plain))
                .ToDictionary(one => one.Item1, one => Figures.Median(one.Item2), StringComparer.Ordinal);
        }
        finally
        {
            foreach (var fleet in fleets)
            {
                await fleet.DisposeAsync();
            }
        }
    }

    private static void Print(List<double> plain, List<Fleet> fleets)
    {
        Console.WriteLine($"\nFrom the call, ms; {plain.Count:n0} revocations in each fleet, the fleets in turn\n");
        Figures.PrintHead("what", "p50", "p99", "longest", "p50 / plain message", "p99 / plain message");
        PrintRow("plain message through Redis", plain);
        foreach (var fleet in fleets)
        {
            PrintRow($"receipt `everywhere`, {fleet.Nodes} node(s)", fleet.Receipts);
            if (fleet.Nodes > 1)
            {
                PrintRow($"refused by another of {fleet.Nodes}", fleet.Refusals);
            }
        }
        Figures.PrintWhere();

        void PrintRow(string what, List<double> times) => Figures.PrintRow(
            what,
            Figures.Text(Figures.Median(times)), Figures.Text(Figures.Percentile(times, 0.99)),
            Figures.Text(times.Max()), Figures.Text(Figures.Median(times) / Figures.Median(plain)),
            Figures.Text(Figures.Percentile(times, 0.99) / Figures.Percentile(plain, 0.99)));
    }

    private sealed class Fleet(List<FleetNode> nodes) : IAsyncDisposable
    {
        public int Nodes => nodes.Count;

        public List<double> Receipts { get; } = [];

        public List<double> Refusals { get; } = [];

        public static async Task<Fleet> StartAsync(RedisProcess server, int count)
        {
            var nodes = Enumerable.Range(0, count).Select(_ => new FleetNode(server.Address, $"of-{count}")).ToList();
            foreach (var node in nodes)
            {
                await node.UntilAsync(status => status.Fresh);
            }
            while ((await nodes[0].RevokeAsync(Jtis.Fresh(1)[0])).NodesConfirmed != count)
            {
                await Task.Delay(20); // The writer does not count the others yet.
            }
            return new Fleet(nodes);
        }

        public async Task RevokeAsync()
        {
            var id = Jtis.Fresh(1)[0];
            var started = Stopwatch.GetTimestamp();
            var refused = nodes.Count == 1 ? null : UntilRefusedAsync(id, started);
            var receipt = await nodes[0].RevokeAsync(id);
            Receipts.Add(Figures.MsSince(started));
            if (receipt.State != ReceiptState.Everywhere || receipt.NodesConfirmed != nodes.Count)
            {
                throw new InvalidOperationException($"It did not reach all {nodes.Count} nodes: {receipt}.");
            }
            if (refused is not null)
            {
                Refusals.Add(await refused);
            }
        }

        public async ValueTask DisposeAsync()
        {
            foreach (var node in nodes)
            {
                await node.DisposeAsync();
            }
        }

        /// <summary>Asks the last node again and again, and lets others run in between.</summary>
        private Task<double> UntilRefusedAsync(string id, long started) => Task.Run(() =>
        {
            var token = FleetNode.Token(id);
            while (nodes[^1].Blacklist.Check(token) != Verdict.Revoked)
            {
                Thread.Yield();
            }
            return Figures.MsSince(started);
        });
    }

    /// <summary>What any way through Redis costs at least.</summary>
    private sealed class PlainMessage(ConnectionMultiplexer from, ConnectionMultiplexer to) : IAsyncDisposable
    {
        private static readonly RedisChannel Channel = RedisChannel.Literal("plain");
        private TaskCompletionSource<double> _arrived = new();
        private long _sent;

        public static async Task<PlainMessage> StartAsync(RedisProcess server)
        {
            var message = new PlainMessage(await server.ConnectAsync(), await server.ConnectAsync());
            await message.SubscribeAsync();
            return message;
        }

        public async Task<double> TripAsync()
        {
            _arrived = new TaskCompletionSource<double>(TaskCreationOptions.RunContinuationsAsynchronously);
            _sent = Stopwatch.GetTimestamp();
            await from.GetSubscriber().PublishAsync(Channel, "x");
            return await _arrived.Task;
        }

        public async ValueTask DisposeAsync()
        {
            await from.DisposeAsync();
            await to.DisposeAsync();
        }

        private Task SubscribeAsync() => to.GetSubscriber().SubscribeAsync(
            Channel, (_, _) => _arrived.TrySetResult(Figures.MsSince(_sent)));
    }
}
