using System.Collections.Concurrent;

namespace Rescind.Simulation;

/// <summary>Many lives, on all cores.</summary>
/// <param name="Trace">Of all lives together, in whatever order they were lived.</param>
internal sealed record Many(
    long Lives, long Checks, long Decisions, long Exceptions, ulong Trace, IReadOnlyCollection<Outcome> Failed)
{
    /// <param name="from">The first seed.</param>
    /// <param name="lives">How many, with the seeds that follow.</param>
    /// <param name="mostFailed">Stops after so many failed.</param>
    public static Many Run(ulong from, ulong lives, int mostFailed = 50)
    {
        var (next, done, checks, decisions, exceptions, trace) = (from - 1, 0L, 0L, 0L, 0L, 0UL);
        var failed = new ConcurrentBag<Outcome>();
        var threads = Enumerable.Range(0, Environment.ProcessorCount).Select(_ => new Thread(() =>
        {
            using var lua = new LuaScripts();
            for (var seed = Interlocked.Increment(ref next); seed < from + lives && failed.Count < mostFailed;
                seed = Interlocked.Increment(ref next))
            {
                var life = new Life(seed, lua).Run();
                Interlocked.Increment(ref done);
                Interlocked.Add(ref checks, life.Asked);
                Interlocked.Add(ref decisions, life.Decisions);
                Interlocked.Add(ref exceptions, life.Exceptions);
                Interlocked.Add(ref trace, life.Trace);
                if (life.Broken is not null)
                {
                    failed.Add(life);
                }
            }
        })).ToList();
        threads.ForEach(thread => thread.Start());
        threads.ForEach(thread => thread.Join());
        return new Many(done, checks, decisions, exceptions, trace, failed);
    }
}
