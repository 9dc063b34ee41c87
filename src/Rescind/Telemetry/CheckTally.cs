using System.Numerics;
using System.Runtime.InteropServices;

namespace Rescind;

/// <summary>
/// Counts checks without making them wait for each other: a cache line of counters for each thread, or for
/// the few threads that share one, added up when somebody asks. One check in 64 is timed; the last 1,024
/// times give the percentile. By thread, not by processor: that is cheaper to ask, and one thread that lives
/// the same life twice times the same checks.
/// </summary>
internal sealed class CheckTally
{
    private const int SampleEvery = 64;
    private const int Samples = 1024;

    private readonly Counters[] _cells =
        new Counters[BitOperations.RoundUpToPowerOf2((uint)Environment.ProcessorCount * 4)];
    private readonly long[] _samples = new long[Samples];
    private long _sampled;
    private long _sampledSum;

    [StructLayout(LayoutKind.Explicit, Size = 128)]
    private struct Counters
    {
        [FieldOffset(0)]
        public long Accepted;

        [FieldOffset(8)]
        public long Revoked;

        [FieldOffset(16)]
        public long Unknown;

        [FieldOffset(24)]
        public long CatchUps;

        public readonly long Checks => Accepted + Revoked + Unknown;
    }

    public long Accepted => _cells.Sum(cell => cell.Accepted);

    public long Revoked => _cells.Sum(cell => cell.Revoked);

    public long Unknown => _cells.Sum(cell => cell.Unknown);

    public long CatchUps => _cells.Sum(cell => cell.CatchUps);

    /// <summary>The counters of this thread.</summary>
    public int Cell() => Environment.CurrentManagedThreadId & (_cells.Length - 1);

    /// <summary>Whether this check is one of those that are timed.</summary>
    public bool IsSampled(int cell) => _cells[cell].Checks % SampleEvery == 0;

    public void Count(int at, Verdict verdict)
    {
        ref var cell = ref _cells[at];
        switch (verdict)
        {
            case Verdict.Accepted:
                Interlocked.Increment(ref cell.Accepted);
                break;
            case Verdict.Revoked:
                Interlocked.Increment(ref cell.Revoked);
                break;
            default:
                Interlocked.Increment(ref cell.Unknown);
                break;
        }
    }

    public void CountCatchUp() => Interlocked.Increment(ref _cells[Cell()].CatchUps);

    public void Sample(double elapsedMs)
    {
        var nanoseconds = (long)(elapsedMs * 1e6);
        Interlocked.Add(ref _sampledSum, nanoseconds);
        var number = Interlocked.Increment(ref _sampled) - 1;
        Volatile.Write(ref _samples[number % Samples], nanoseconds);
    }

    public double MeanMs()
    {
        var sampled = Volatile.Read(ref _sampled);
        return sampled == 0 ? 0 : Volatile.Read(ref _sampledSum) / 1e6 / sampled;
    }

    public double P99Ms()
    {
        var known = (int)Math.Min(Volatile.Read(ref _sampled), Samples);
        if (known == 0)
        {
            return 0;
        }
        var sorted = _samples.AsSpan(0, known).ToArray();
        Array.Sort(sorted);
        return sorted[(int)(known * 0.99)] / 1e6;
    }
}
