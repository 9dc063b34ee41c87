using System.Diagnostics;
using System.Runtime.Intrinsics.X86;

namespace Rescind.Benchmarks;

/// <summary>The probe alone, the key at hand, against the unit in which no machine can lie: one random memory access
/// that waits for the one before, in a buffer as large as the index.</summary>
internal static class ProbeBenchmark
{
    private const int Keys = 1 << 16;
    private const int Rounds = 15;

    public static int Run(IEnumerable<long> sizes)
    {
        Figures.PrintHead(
            "live revocations", "index, MiB", "one random access, ns", "miss, ns", "hit, ns", "miss / access",
            "hit / access");
        foreach (var size in sizes)
        {
            var table = new TokenTable();
            for (var i = 0L; i < size; i++)
            {
                table.Add_NeedsLock(KeyOf(i), 1, uint.MaxValue);
            }
            Measure(table, size);
        }
        Figures.PrintWhere();
        return 0;
    }

    private static void Measure(TokenTable table, long size)
    {
        var random = new Random(7);
        var misses = new UInt128[Keys];
        var hits = new UInt128[Keys];
        for (var i = 0; i < Keys; i++)
        {
            (misses[i], hits[i]) = (KeyOf(size + random.NextInt64(long.MaxValue / 2)), KeyOf(random.NextInt64(size)));
        }
        var (access, miss, hit) = (new List<double>(), new List<double>(), new List<double>());
        for (var round = 0; round < Rounds; round++)
        {
            access.Add(round % 5 == 0 ? Chase.NanosecondsAt(table.Bytes) : access[^1]);
            miss.Add(Probe(table, misses, expected: 0));
            hit.Add(Probe(table, hits, Keys));
        }
        var unit = Figures.Median(access);
        Figures.PrintRow(
            $"{size:n0}", $"{table.Bytes >> 20:n0}", Figures.Text(unit), Figures.Text(Figures.Median(miss)),
            Figures.Text(Figures.Median(hit)), Figures.Text(Figures.Median(miss) / unit),
            Figures.Text(Figures.Median(hit) / unit));
    }

    private static double Probe(TokenTable table, UInt128[] keys, int expected)
    {
        var (started, found) = (Stopwatch.GetTimestamp(), 0);
        foreach (var key in keys)
        {
            found += table.Contains(key) ? 1 : 0;
            WaitForMemory();
        }
        var took = Stopwatch.GetElapsedTime(started).TotalNanoseconds / keys.Length;
        return found == expected
            ? took
            : throw new InvalidOperationException($"{found} instead of {expected} were found.");
    }

    /// <summary>The next probe begins when this one has its answer.</summary>
    private static void WaitForMemory()
    {
        if (Sse2.IsSupported)
        {
            Sse2.LoadFence();
        }
        else
        {
            Thread.MemoryBarrier();
        }
    }

    internal static UInt128 KeyOf(long number) =>
        TokenKey.Of(RuleKind.Token, OurWay.Issuer, Jtis.Text(number));
}
