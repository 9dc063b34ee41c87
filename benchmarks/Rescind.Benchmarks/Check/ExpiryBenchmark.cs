using System.Collections.Concurrent;
using System.Diagnostics;

namespace Rescind.Benchmarks;

/// <summary>What it costs to forget what has expired beside ever more that lives; and the walk over a dictionary that
/// a list of one's own makes instead.</summary>
internal static class ExpiryBenchmark
{
    private const int Expired = 10_000;
    private const int Rounds = 9;
    private const uint Far = 4_000_000_000;

    /// <summary>A dictionary of more would not leave room for the index.</summary>
    private const long LargestWalk = 10_000_000;

    public static int Run(IEnumerable<long> sizes)
    {
        Figures.PrintHead(
            "live revocations", $"forget {Expired:n0}, ms", "ns each", "longest hold of writers, ms",
            "nothing expired, ms", "walk over ConcurrentDictionary, ms", "walk / ours");
        foreach (var size in sizes)
        {
            Measure(size);
        }
        Figures.PrintWhere();
        return 0;
    }

    private static void Measure(long size)
    {
        var index = new RevocationIndex();
        Fill(index, 0, size, Far);
        var (forget, hold, nothing) = (new List<double>(), new List<double>(), new List<double>());
        for (var round = 1; round <= Rounds; round++)
        {
            Fill(index, size + (round * Expired), Expired, (uint)round);
            var (passed, longest) = Pass(index, round + 1, Expired);
            forget.Add(passed);
            hold.Add(longest);
            nothing.Add(Pass(index, round + 1, 0).Passed);
        }
        var (ours, walk) = (Figures.Median(forget), size > LargestWalk ? 0 : Walk(size));
        Figures.PrintRow(
            $"{size:n0}", Figures.Text(ours), Figures.Text(ours * 1e6 / Expired), Figures.Text(hold.Max()),
            Figures.Text(Figures.Median(nothing)), walk == 0 ? "–" : Figures.Text(walk),
            walk == 0 ? "–" : Figures.Text(walk / ours));
    }

    private static void Fill(RevocationIndex index, long from, long count, uint expiry)
    {
        var batch = new LogEntry[4_096];
        for (var i = 0L; i < count; i += batch.Length)
        {
            var some = batch.AsSpan(0, (int)Math.Min(batch.Length, count - i));
            for (var j = 0; j < some.Length; j++)
            {
                some[j] = new LogEntry
                {
                    Id = new RevocationId(RuleKind.Token, ProbeBenchmark.KeyOf(from + i + j), 1), Expiry = expiry,
                };
            }
            index.Apply(some);
        }
    }

    /// <summary>As the follower of the log does it, but at once.</summary>
    /// <returns>Milliseconds of all of it and of its longest part, for which writers wait.</returns>
    internal static (double Passed, double Longest) Pass(RevocationIndex index, long before, int expected)
    {
        var (begun, forgotten, longest) = (Stopwatch.GetTimestamp(), 0, 0.0);
        for (var part = 0; part <= TokenTable.ShardCount; part++)
        {
            var partBegun = Stopwatch.GetTimestamp();
            forgotten += index.Forget(part, before);
            longest = Math.Max(longest, Figures.MsSince(partBegun));
        }
        return forgotten == expected
            ? (Figures.MsSince(begun), longest)
            : throw new InvalidOperationException($"{forgotten} of {expected} expired revocations were forgotten.");
    }

    private static double Walk(long size)
    {
        var all = new ConcurrentDictionary<UInt128, uint>(
            Enumerable.Range(0, (int)size).Select(i => KeyValuePair.Create(ProbeBenchmark.KeyOf(i), Far)));
        var times = new List<double>();
        for (var round = 1; round <= 3; round++)
        {
            for (var i = 0; i < Expired; i++)
            {
                all[ProbeBenchmark.KeyOf(size + (round * Expired) + i)] = (uint)round;
            }
            var begun = Stopwatch.GetTimestamp();
            foreach (var (key, expiry) in all)
            {
                if (expiry <= round)
                {
                    all.TryRemove(key, out _);
                }
            }
            times.Add(Figures.MsSince(begun));
        }
        return Figures.Median(times);
    }
}
