using System.Diagnostics;

namespace Rescind.Benchmarks;

/// <summary>
/// A check against what people use instead. All contenders of a size live side by side and take turns, so that a noisy
/// minute meets all of them; the figure of each is the median of its rounds, and only ratios count.
/// </summary>
internal static class CheckRace
{
    private const int Ids = 1 << 16;

    /// <summary>Above this, contenders that live on the collector's heap do not fit this race's memory.</summary>
    private const long LargestOnHeap = 10_000_000;

    /// <param name="sizes">Numbers of live revocations.</param>
    /// <param name="rounds">How often each contender has its turn.</param>
    public static async Task<List<CheckRow>> RunAsync(IReadOnlyList<long> sizes, int rounds = 15)
    {
        await using var redis = await RedisWay.StartAsync();
        var rows = new List<CheckRow>();
        foreach (var size in sizes)
        {
            rows.AddRange(Race(size, rounds, redis));
        }
        Figures.PrintWhere();
        return rows;
    }

    private static List<CheckRow> Race(long size, int rounds, RedisWay redis)
    {
        redis.Fill(Math.Min(size, 100_000));
        var contenders = new List<(Contender Way, double Bytes)>();
        foreach (var make in Makers(size))
        {
            var before = GC.GetTotalMemory(forceFullCollection: true);
            var way = make();
            way.Fill(size);
            var bytes = GC.GetTotalMemory(forceFullCollection: true) - before + way.NativeBytes;
            contenders.Add((way, bytes / (double)size));
        }
        contenders.Add((redis, 0));
        var table = contenders.Select(entry => Measure(entry.Way, size)).ToList();
        var times = TakeTurns(contenders.ConvertAll(entry => entry.Way), table, rounds);
        var rows = contenders.Select((entry, i) => new CheckRow(
            entry.Way.Name, size, times[i].Miss, times[i].Hit, entry.Bytes, table[i].Allocated)).ToList();
        Print(rows, rounds);
        foreach (var (way, _) in contenders.SkipLast(1))
        {
            (way as IDisposable)?.Dispose();
        }
        return rows;
    }

    private static void Print(List<CheckRow> rows, int rounds)
    {
        var probe = rows.Find(row => row.Way == ProbeWay.Words)!;
        Console.WriteLine($"\n{probe.Size:n0} live revocations, {Ids:n0} ids in turn, median of {rounds} rounds\n");
        Figures.PrintHead(
            "way", "miss ns", "hit ns", "miss / our look-up", "hit / our look-up", "bytes an entry",
            "bytes allocated a miss");
        foreach (var row in rows)
        {
            Figures.PrintRow(
                row.Way, Figures.Text(row.Miss), Figures.Text(row.Hit), Figures.Text(row.Miss / probe.Miss),
                Figures.Text(row.Hit / probe.Hit), Figures.Text(row.Bytes), $"{row.Allocated:n0}");
        }
    }

    private static IEnumerable<Func<Contender>> Makers(long size)
    {
        yield return () => new OurWay();
        yield return () => new OurWay(cutoffs: 1_000);
        yield return () => new ProbeWay();
        yield return () => new BloomWay();
        if (size <= LargestOnHeap)
        {
            if (size >= 1_000_000)
            {
                yield return () => new OurWay(cutoffs: 1_000_000);
            }
            yield return () => new ConcurrentDictionaryWay();
            yield return () => new GuidDictionaryWay();
            yield return () => new FrozenSetWay();
            yield return () => new MemoryCacheWay();
            yield return () => new FusionCacheWay();
            yield return () => new HybridCacheWay();
        }
    }

    private sealed record Trial(string[] Misses, string[] Hits, double Allocated);

    private static Trial Measure(Contender way, long size)
    {
        var known = way is RedisWay ? Math.Min(size, 100_000) : size;
        var count = way is RedisWay ? 2_000 : Ids;
        var (misses, hits) = (Jtis.Some(count, known, hit: false), Jtis.Some(count, known, hit: true));
        if (way.Check(hits) != count || (way is not BloomWay && way.Check(misses) != 0))
        {
            throw new InvalidOperationException($"{way.Name} gives wrong answers.");
        }
        way.Check(misses);
        var before = GC.GetAllocatedBytesForCurrentThread();
        var found = way.Check(misses);
        var allocated = (GC.GetAllocatedBytesForCurrentThread() - before) / (double)count;
        if (way is BloomWay)
        {
            Console.WriteLine($"{way.Name}: {found} of {count:n0} good tokens refused");
        }
        if (way is OurWay or ProbeWay && allocated >= 1)
        {
            throw new InvalidOperationException($"{way.Name} allocates {allocated} bytes a check.");
        }
        return new Trial(misses, hits, allocated);
    }

    private static List<(double Miss, double Hit)> TakeTurns(
        List<Contender> ways, List<Trial> trials, int rounds)
    {
        var times = ways.ConvertAll(_ => (Misses: new List<double>(), Hits: new List<double>()));
        for (var round = 0; round < rounds; round++)
        {
            for (var i = 0; i < ways.Count; i++)
            {
                times[i].Misses.Add(Time(ways[i], trials[i].Misses));
                times[i].Hits.Add(Time(ways[i], trials[i].Hits));
            }
        }
        return times.ConvertAll(of => (Figures.Median(of.Misses), Figures.Median(of.Hits)));
    }

    private static double Time(Contender way, string[] ids)
    {
        var started = Stopwatch.GetTimestamp();
        way.Check(ids);
        return Stopwatch.GetElapsedTime(started).TotalNanoseconds / ids.Length;
    }
}

/// <summary>What was measured of one way at one size.</summary>
internal sealed record CheckRow(
    string Way, long Size, double Miss, double Hit, double Bytes, double Allocated);
