using System.Diagnostics;

namespace Rescind.Benchmarks.Faults;

/// <summary>
/// The check while its surroundings break: Redis killed, back and empty, frozen, slow, compacting; the index rebuilt;
/// garbage collected. Beside it, in the same minute on the same server, an awaited <c>EXISTS</c> with its client's
/// own limits. A call belongs to the phase in which it began.
/// </summary>
internal static class FaultsBenchmark
{
    private const int Crowd = 200_000;
    private static readonly double[] Shares = [0.5, 0.99, 0.999];

    public static async Task<int> RunAsync(TimeSpan phase)
    {
        await using var server = await RedisProcess.StartAsync();
        await using var link = new SlowLink(server.Port);
        await using var node = new FleetNode(link.Address);
        await node.UntilAsync(status => status.Fresh);
        await AppendAsync(node, Crowd);
        using var checks = new WatchedChecks(node.Blacklist);
        await using var exists = await WatchedExists.StartAsync(link.Address);
        await Task.Delay(TimeSpan.FromSeconds(2)); // the compiler has its turn
        var rows = new List<Row>();
        StartCounting();
        await PhaseAsync("nothing wrong", () => Task.Delay(phase));
        await server.KillAsync();
        await PhaseAsync("Redis killed", () => Task.Delay(phase));
        await PhaseAsync("Redis back, empty", async () =>
        {
            await server.StartProcessAsync();
            await Task.Delay(phase);
        });
        await server.FreezeAsync();
        await PhaseAsync("Redis frozen", () => Task.Delay(phase));
        await server.ResumeAsync();
        await PhaseAsync("Redis thawed", () => Task.Delay(phase));
        link.IsSlow = true;
        await PhaseAsync("Redis slow, 0.1 s each way", () => Task.Delay(phase));
        link.IsSlow = false;
        await node.UntilAsync(status => status.Fresh);
        await Task.Delay(phase / 2);
        StartCounting();
        await PhaseAsync("log compacted", () => RepeatAsync(phase, () => CompactAsync(node)));
        await PhaseAsync("index grown and rebuilt", () => RepeatAsync(phase, () => Task.Run(() => Rebuild(node))));
        await PhaseAsync("garbage collected, each 0.1 s", () => RepeatAsync(phase, CollectAsync));
        await PhaseAsync("nothing wrong", () => Task.Delay(phase));
        Print(rows);
        return 0;

        void StartCounting()
        {
            checks.Next();
            exists.Next();
        }

        async Task PhaseAsync(string name, Func<Task> happen)
        {
            await happen();
            rows.Add(new Row(name, checks.Next(), exists.Next()));
        }
    }

    private sealed record Row(string Name, Histogram Ours, Histogram Exists);

    private static void Print(List<Row> rows)
    {
        Console.WriteLine("\nTimes in µs; `Unknown`: this node could not know; failed: the client gave up\n");
        Figures.PrintHead(
            "phase", "check p50", "p99", "p99.9", "longest", "`Unknown`", "`EXISTS` p50", "p99", "p99.9", "longest",
            "failed", "p99: `EXISTS` / check");
        foreach (var (name, ours, exists) in rows)
        {
            Figures.PrintRow(
            [
                name, .. Times(ours), .. Times(exists),
                exists.Count == 0 ? "–" : Figures.Text(exists.PercentileNs(0.99) / ours.PercentileNs(0.99)),
            ]);
        }
        Figures.PrintWhere();
    }

    private static IEnumerable<string> Times(Histogram times)
    {
        if (times.Count == 0)
        {
            return Enumerable.Repeat("none began", 5);
        }
        return
        [
            .. Shares.Select(share => Figures.Text(times.PercentileNs(share) / 1000)),
            Figures.Text(times.LongestNs / 1000), $"{times.Bad / (double)times.Count:P1}",
        ];
    }

    private static async Task RepeatAsync(TimeSpan phase, Func<Task> act)
    {
        var started = Stopwatch.GetTimestamp();
        while (Stopwatch.GetElapsedTime(started) < phase)
        {
            await act();
        }
    }

    private static async Task AppendAsync(FleetNode node, int count)
    {
        for (var i = 0; i < count; i += 10_000)
        {
            await node.Store.Log.AppendAsync(Entries(10_000), CancellationToken.None);
        }
    }

    /// <summary>Half of what is there ends before the day after tomorrow.</summary>
    private static async Task CompactAsync(FleetNode node)
    {
        await AppendAsync(node, 20_000);
        await node.Store.Log.CompactAsync(DateTimeOffset.UtcNow.AddDays(2), CancellationToken.None);
    }

    private static void Rebuild(FleetNode node)
    {
        for (var i = 0; i < Crowd; i += 4096)
        {
            node.Blacklist.Index.Apply(Entries(4096));
        }
        for (var part = 0; part < TokenTable.ShardCount; part++)
        {
            node.Blacklist.Index.Forget(part, DateTimeOffset.UtcNow.AddDays(2).ToUnixTimeSeconds());
        }
    }

    private static async Task CollectAsync()
    {
        GC.Collect(2, GCCollectionMode.Forced, blocking: true);
        await Task.Delay(TimeSpan.FromSeconds(0.1));
    }

    private static LogEntry[] Entries(int count)
    {
        var (soon, late) = (DateTimeOffset.UtcNow.AddDays(1), DateTimeOffset.UtcNow.AddDays(6));
        return [.. Jtis.Fresh(count).Select((id, number) => new LogEntry
        {
            Id = new RevocationId(RuleKind.Token, TokenKey.Of(RuleKind.Token, OurWay.Issuer, id), 1),
            ExpiresAt = number % 2 == 0 ? soon : late,
        })];
    }
}
