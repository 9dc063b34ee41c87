using System.Collections.Concurrent;

namespace Rescind.Simulation;

/// <summary>Many lives, on all cores.</summary>
/// <param name="Trace">Of all lives together, in whatever order they were lived.</param>
internal sealed record Many(Counts Counts, ulong Trace, IReadOnlyCollection<Outcome> Failed)
{
    /// <param name="from">The first seed.</param>
    /// <param name="lives">How many, with the seeds that follow.</param>
    /// <param name="mostFailed">Stops after so many failed.</param>
    public static Many Run(ulong from, ulong lives, int mostFailed = 50)
    {
        var (next, counts, trace) = (from - 1, default(Counts), 0UL);
        var (failed, gate) = (new ConcurrentBag<Outcome>(), new Lock());
        var threads = Enumerable.Range(0, Environment.ProcessorCount).Select(_ => new Thread(() =>
        {
            using var lua = new LuaScripts();
            for (var seed = Interlocked.Increment(ref next); seed < from + lives && failed.Count < mostFailed;
                seed = Interlocked.Increment(ref next))
            {
                var life = new Life(seed, lua).Run();
                lock (gate)
                {
                    (counts, trace) = (counts + life.Counts, trace + life.Trace);
                }
                if (life.Broken is not null)
                {
                    failed.Add(life);
                }
            }
        })).ToList();
        threads.ForEach(thread => thread.Start());
        threads.ForEach(thread => thread.Join());
        return new Many(counts, trace, failed);
    }
}
