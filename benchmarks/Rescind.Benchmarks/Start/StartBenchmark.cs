using System.Collections.Concurrent;
using System.Diagnostics;

namespace Rescind.Benchmarks.Start;

/// <summary>
/// How long a node takes until it knows all live revocations, from its own replica and from Redis, and what they
/// cost there and here; then the same once half of them have expired. Beside it what a service does that keeps a
/// key for each token: scans all keys into a dictionary.
/// </summary>
internal static class StartBenchmark
{
    private const int BatchSize = 10_000;

    /// <summary>Above this, a key each and a dictionary take more memory and time than the rest of the run.</summary>
    private const int MostKeys = 1_000_000;

    public static async Task<int> RunAsync(int[] sizes)
    {
        Figures.PrintHead(
            "live revocations", "from Redis, s", "from the replica, s", "keys scanned into a dictionary, s",
            "Redis, B each", "a key each, B", "node, B each", "replica on disk, B each");
        var halves = new List<string[]>();
        foreach (var size in sizes)
        {
            halves.Add(await MeasureAsync(size));
        }
        Console.WriteLine();
        Figures.PrintHead(
            "half of", "forgotten in, s", "longest part, ms", "node, B a live entry", "compacted in, s",
            "Redis, B a live entry", "a key each, expired by itself");
        foreach (var row in halves)
        {
            Figures.PrintRow(row);
        }
        Figures.PrintWhere();
        return 0;
    }

    private static async Task<string[]> MeasureAsync(int size)
    {
        var folder = Directory.CreateTempSubdirectory("rescind-start-");
        await using var server = await RedisProcess.StartAsync();
        try
        {
            var empty = await server.UsedAsync();
            await FillAsync(server, size);
            var redis = (await server.UsedAsync() - empty) / (double)size;
            double node, fromRedis;
            string[] half;
            await using (var first = await TimedAsync(() => new FleetNode(server.Address), size))
            {
                fromRedis = first.Seconds;
                node = first.Node.Blacklist.Index.Bytes / (double)size;
            }
            var file = Path.Combine(folder.FullName, "node.db");
            await (await TimedAsync(() => new FleetNode(server.Address, file: file), size)).DisposeAsync();
            var disk = folder.GetFiles().Sum(one => one.Length) / (double)size;
            await server.FreezeAsync();
            double fromReplica;
            await using (var again = await TimedAsync(() => new FleetNode(server.Address, file: file), size))
            {
                fromReplica = again.Seconds;
                await server.ResumeAsync();
                half = await HalveAsync(server, empty, again.Node, size);
            }
            var (keys, scan) = await KeysAsync(Math.Min(size, MostKeys));
            Figures.PrintRow(
                $"{size:n0}", Figures.Text(fromRedis), Figures.Text(fromReplica),
                size > MostKeys ? "–" : Figures.Text(scan), Figures.Text(redis), Figures.Text(keys),
                Figures.Text(node), Figures.Text(disk));
            return half;
        }
        finally
        {
            folder.Delete(recursive: true);
        }
    }

    /// <summary>Appends as many; every second one ends tomorrow, the others in six days.</summary>
    private static async Task FillAsync(RedisProcess server, int size)
    {
        await using var store = RedisStore.Open(server.Address);
        var (soon, late) = (DateTimeOffset.UtcNow.AddDays(1), DateTimeOffset.UtcNow.AddDays(6));
        for (var i = 0; i < size; i += BatchSize)
        {
            var batch = Enumerable.Range(i, Math.Min(BatchSize, size - i)).Select(number => new LogEntry
            {
                Id = new RevocationId(
                    RuleKind.Token, TokenKey.Of(RuleKind.Token, OurWay.Issuer, Jtis.Text(number)), 1),
                ExpiresAt = number % 2 == 0 ? soon : late,
            });
            await store.Log.AppendAsync(batch.ToArray(), CancellationToken.None);
        }
    }

    private static async Task<Started> TimedAsync(Func<FleetNode> start, int size)
    {
        var begun = Stopwatch.GetTimestamp();
        var node = start();
        await node.UntilAsync(status => status.Rules[RuleKind.Token] == size);
        return new Started(node, Stopwatch.GetElapsedTime(begun).TotalSeconds);
    }

    /// <summary>Forgets half here and drops it there, as compaction does when the time has come.</summary>
    private static async Task<string[]> HalveAsync(
        RedisProcess server, long empty, FleetNode node, int size)
    {
        await node.UntilAsync(status => status.Fresh);
        var later = DateTimeOffset.UtcNow.AddDays(2);
        var forgotten = size / 2;
        var (forgetting, longest) = ExpiryBenchmark.Pass(node.Blacklist.Index, later.ToUnixTimeSeconds(), forgotten);
        var begun = Stopwatch.GetTimestamp();
        await node.Store.Log.CompactAsync(later, CancellationToken.None);
        var compacting = Stopwatch.GetElapsedTime(begun).TotalSeconds;
        var live = size - forgotten;
        return
        [
            $"{size:n0}", Figures.Text(forgetting / 1000), Figures.Text(longest),
            Figures.Text(node.Blacklist.Index.Bytes / (double)live), Figures.Text(compacting),
            Figures.Text((await server.UsedAsync() - empty) / (double)live), "no work",
        ];
    }

    /// <returns>Bytes a key in Redis, and the seconds of a scan of all of them.</returns>
    private static async Task<(double Bytes, double Seconds)> KeysAsync(int size)
    {
        await using var server = await RedisProcess.StartAsync();
        await using var pool = await server.ConnectAsync();
        var (db, before) = (pool.GetDatabase(), await server.UsedAsync());
        for (var i = 0; i < size; i += BatchSize)
        {
            var keys = Enumerable.Range(i, Math.Min(BatchSize, size - i));
            await Task.WhenAll(keys.Select(number =>
                db.StringSetAsync("blacklist:" + Jtis.Text(number), "1", TimeSpan.FromDays(6))));
        }
        var bytes = (await server.UsedAsync() - before) / (double)size;
        var begun = Stopwatch.GetTimestamp();
        var known = new ConcurrentDictionary<string, long>(StringComparer.Ordinal);
        await foreach (var key in pool.GetServers()[0].KeysAsync(pattern: "blacklist:*", pageSize: BatchSize))
        {
            known[key.ToString()] = long.MaxValue;
        }
        var seconds = Stopwatch.GetElapsedTime(begun).TotalSeconds;
        return known.Count == size
            ? (bytes, seconds)
            : throw new InvalidOperationException($"The scan found {known.Count} of {size} keys.");
    }

    private sealed record Started(FleetNode Node, double Seconds) : IAsyncDisposable
    {
        public ValueTask DisposeAsync() => Node.DisposeAsync();
    }
}
