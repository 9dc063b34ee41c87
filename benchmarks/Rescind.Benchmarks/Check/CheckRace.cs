using System.Diagnostics;

namespace Rescind.Benchmarks;

/// <summary>
/// A check against what people use instead. All contenders of a size live side by side and take turns, so that a noisy
/// minute meets all of them; the figure of each is the median of its rounds, and only ratios count.
/// </summary>
internal static class CheckRace
{
    private const int Ids = 1 << 16;
    private const int Rounds = 15;

    /// <summary>Above this, contenders that live on the collector's heap do not fit this race's memory.</summary>
    private const long LargestOnHeap = 10_000_000;

    public static async Task<int> RunAsync(long[] sizes)
    {
        var redis = await RedisWay.StartAsync();
        try
        {
            foreach (var size in sizes.Length == 0 ? [1_000, 1_000_000] : sizes)
            {
                Race(size, redis);
            }
        }
        finally
        {
            redis.Dispose();
        }
        return 0;
    }

    private static void Race(long size, RedisWay redis)
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
        Console.WriteLine($"\n{size:n0} live revocations, {Ids:n0} ids in turn, median of {Rounds} rounds\n");
        Console.WriteLine("| way | miss ns | hit ns | miss / ours | hit / ours | bytes an entry | bytes allocated a miss |");
        Console.WriteLine("|---|---|---|---|---|---|---|");
        var times = TakeTurns(contenders.ConvertAll(entry => entry.Way), table);
        var ours = times[0];
        for (var i = 0; i < contenders.Count; i++)
        {
            Console.WriteLine(
                $"| {contenders[i].Way.Name} | {times[i].Miss:n1} | {times[i].Hit:n1} | {times[i].Miss / ours.Miss:n2} "
                + $"| {times[i].Hit / ours.Hit:n2} | {contenders[i].Bytes:n1} | {table[i].Allocated:n0} |");
        }
        foreach (var (way, _) in contenders.SkipLast(1))
        {
            (way as IDisposable)?.Dispose();
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
            yield return () => new OurWay(cutoffs: 1_000_000);
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
        return new Trial(misses, hits, allocated);
    }

    private static List<(double Miss, double Hit)> TakeTurns(List<Contender> ways, List<Trial> trials)
    {
        var times = ways.ConvertAll(_ => (Misses: new List<double>(), Hits: new List<double>()));
        for (var round = 0; round < Rounds; round++)
        {
            for (var i = 0; i < ways.Count; i++)
            {
                times[i].Misses.Add(Time(ways[i], trials[i].Misses));
                times[i].Hits.Add(Time(ways[i], trials[i].Hits));
            }
        }
        return times.ConvertAll(of => (Median(of.Misses), Median(of.Hits)));
    }

    private static double Time(Contender way, string[] ids)
    {
        var started = Stopwatch.GetTimestamp();
        way.Check(ids);
        return Stopwatch.GetElapsedTime(started).TotalNanoseconds / ids.Length;
    }

    private static double Median(List<double> values) => values.Order().ElementAt(values.Count / 2);
}
