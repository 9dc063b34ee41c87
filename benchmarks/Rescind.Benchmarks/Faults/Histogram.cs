using System.Numerics;

namespace Rescind.Benchmarks.Faults;

/// <summary>Counts of times in buckets that grow by a sixteenth, so that millions of checks can be kept without
/// allocating beside them. One writer.</summary>
internal sealed class Histogram
{
    private const int Steps = 16;
    private readonly long[] _counts = new long[64 * Steps];

    public long Count { get; private set; }

    /// <summary>Answers that were none: unknown, or a fault.</summary>
    public long Bad { get; private set; }

    public double LongestNs { get; private set; }

    public void Add(double nanoseconds, bool isGood = true)
    {
        var whole = (ulong)Math.Max(nanoseconds, Steps);
        var power = BitOperations.Log2(whole);
        var step = (int)((whole >> (power - 4)) & (Steps - 1));
        _counts[(power * Steps) + step]++;
        Count++;
        Bad += isGood ? 0 : 1;
        LongestNs = Math.Max(LongestNs, nanoseconds);
    }

    /// <summary>The middle of the bucket in which this share of all times ends.</summary>
    public double PercentileNs(double share)
    {
        var left = (long)(Count * share);
        for (var bucket = 0; bucket < _counts.Length; bucket++)
        {
            left -= _counts[bucket];
            if (left < 0)
            {
                var low = (Steps + (bucket % Steps)) * Math.Pow(2, (bucket / Steps) - 4);
                return Math.Min(low * (1 + (0.5 / Steps)), LongestNs);
            }
        }
        return LongestNs;
    }
}
