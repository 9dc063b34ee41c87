using System.Collections.Concurrent;
using System.Diagnostics;

namespace Rescind.Benchmarks.Faults;

/// <summary>
/// How long a blocking collection of everything holds up a process: with nothing in it, with our index, and with the
/// dictionary and the cache that people use. One after the other, as each needs the memory; nothing before and after
/// each says what the rest of the process costs.
/// </summary>
internal static class CollectionBenchmark
{
    private const int Collections = 7;

    public static int Run(long size)
    {
        var rows = new List<(string Name, double Before, double With)>
        {
            Measure(() => new ProbeWay(), size),
            Measure(() => new ConcurrentDictionaryWay(), size),
            Measure(() => new MemoryCacheWay(), size),
        };
        Console.WriteLine($"\nA blocking collection of all generations, {size:n0} live revocations, median of {Collections}\n");
        Figures.PrintHead("what holds them", "without it, ms", "with it, ms", "longer by, ms", "longer than ours");
        foreach (var (name, before, with) in rows)
        {
            Figures.PrintRow(
                name, Figures.Text(before), Figures.Text(with), Figures.Text(with - before),
                Figures.Text((with - before) / Math.Max(rows[0].With - rows[0].Before, 0.1)));
        }
        Figures.PrintWhere();
        return 0;
    }

    /// <summary>By how much ours makes a collection longer, in parts of what a dictionary does.</summary>
    public static double RatioToDictionary(long size)
    {
        var (_, before, with) = Measure(() => new ProbeWay(), size);
        var (_, dictionaryBefore, dictionaryWith) = Measure(() => new ConcurrentDictionaryWay(), size);
        return Math.Max(with - before, 0.1) / (dictionaryWith - dictionaryBefore);
    }

    private static (string Name, double Before, double With) Measure(Func<Contender> make, long size)
    {
        var before = Collect();
        var way = make();
        way.Fill(size);
        var with = Collect();
        var name = way.Name;
        GC.KeepAlive(way);
        (way as IDisposable)?.Dispose();
        return (name, before, with);
    }

    private static double Collect()
    {
        GC.Collect();
        GC.WaitForPendingFinalizers();
        var times = new List<double>();
        for (var i = 0; i < Collections; i++)
        {
            var started = Stopwatch.GetTimestamp();
            GC.Collect(2, GCCollectionMode.Forced, blocking: true);
            times.Add(Figures.MsSince(started));
        }
        return Figures.Median(times);
    }
}
