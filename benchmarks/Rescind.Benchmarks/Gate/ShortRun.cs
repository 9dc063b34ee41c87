using System.Diagnostics;
using Rescind.Benchmarks.Append;
using Rescind.Benchmarks.Faults;
using Rescind.Benchmarks.Spread;
using Rescind.Benchmarks.Start;

namespace Rescind.Benchmarks.Gate;

/// <summary>Every benchmark once, as small as it can be, so that none rots between two measurements. Each looks after
/// its answers itself: a contender that does not know what is revoked, a check that allocates, a receipt that does not
/// reach all, a scan that misses a key ends the run. Times are printed and mean nothing.</summary>
internal static class ShortRun
{
    public static async Task<int> RunAsync()
    {
        var started = Stopwatch.GetTimestamp();
        await CheckRace.RunAsync([1_000], rounds: 1);
        ProbeBenchmark.Run([10_000]);
        ExpiryBenchmark.Run([10_000]);
        await AppendBenchmark.RunAsync(1, TimeSpan.FromMilliseconds(20), already: 0);
        await SpreadBenchmark.RunAsync(3);
        await StartBenchmark.RunAsync([20_000]);
        await FaultsBenchmark.RunAsync(TimeSpan.FromSeconds(0.2));
        CollectionBenchmark.Run(10_000);
        Console.WriteLine($"Every benchmark ran, in {Stopwatch.GetElapsedTime(started).TotalSeconds:0} s.");
        return 0;
    }
}
