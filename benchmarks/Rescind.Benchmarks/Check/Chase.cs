using System.Diagnostics;
using System.Runtime.InteropServices;

namespace Rescind.Benchmarks;

/// <summary>The time of one random memory access that waits for the one before: the unit in which a probe is
/// measured.</summary>
internal static unsafe class Chase
{
    private const int Line = 64;

    /// <summary>Follows one random cycle through a buffer of this size.</summary>
    public static double NanosecondsAt(long bytes)
    {
        var lines = bytes / Line;
        var buffer = (byte*)NativeMemory.AlignedAlloc((nuint)(lines * Line), Line);
        try
        {
            MakeCycle(buffer, lines);
            var at = 0L;
            var best = double.MaxValue;
            for (var round = 0; round < 5; round++)
            {
                const int Steps = 1_000_000;
                var started = Stopwatch.GetTimestamp();
                for (var i = 0; i < Steps; i++)
                {
                    at = *(long*)(buffer + (at * Line));
                }
                best = Math.Min(best, Stopwatch.GetElapsedTime(started).TotalNanoseconds / Steps);
            }
            return at < 0 ? 0 : best;
        }
        finally
        {
            NativeMemory.AlignedFree(buffer);
        }
    }

    /// <summary>Sattolo's shuffle: one cycle through all lines.</summary>
    private static void MakeCycle(byte* buffer, long lines)
    {
        for (var i = 0L; i < lines; i++)
        {
            *(long*)(buffer + (i * Line)) = i;
        }
        var random = new Random(11);
        for (var i = lines - 1; i > 0; i--)
        {
            var j = random.NextInt64(i);
            ref var a = ref *(long*)(buffer + (i * Line));
            ref var b = ref *(long*)(buffer + (j * Line));
            (a, b) = (b, a);
        }
    }
}
