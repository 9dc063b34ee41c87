using System.Collections.Concurrent;

namespace Rescind.Simulation;

/// <summary>Many lives, on all cores.</summary>
/// <param name="Trace">Of all lives together, in whatever order they were lived.</param>
/// <param name="First">The traces of the first of them, by their seeds.</param>
internal sealed record Many(
    Counts Counts, ulong Trace, IReadOnlyDictionary<ulong, ulong> First, IReadOnlyCollection<Outcome> Failed)
{
    /// <summary>How many lives are lived again.</summary>
    private const int MostTwice = 100;

    /// <param name="from">The first seed.</param>
    /// <param name="lives">How many, with the seeds that follow.</param>
    /// <param name="mostFailed">Stops after so many failed.</param>
    public static Many Run(ulong from, ulong lives, int mostFailed = 50)
    {
        var (counts, trace) = (default(Counts), 0UL);
        var (first, failed, gate) = (new Dictionary<ulong, ulong>(), new ConcurrentBag<Outcome>(), new Lock());
        OnAllCores(from, lives, () => failed.Count < mostFailed, freshLua: false, life =>
        {
            lock (gate)
            {
                (counts, trace) = (counts + life.Counts, trace + life.Trace);
                if (life.Seed < from + MostTwice)
                {
                    first.Add(life.Seed, life.Trace);
                }
            }
            if (life.Broken is not null)
            {
                failed.Add(life);
            }
        });
        return new Many(counts, trace, first, failed);
    }

    /// <summary>Lives the first of them again, each with a Lua that has run nothing: if one is not the same, no story can be
    /// told again.</summary>
    /// <returns>Those that were not the same.</returns>
    public IReadOnlyCollection<ulong> Again()
    {
        var changed = new ConcurrentBag<ulong>();
        OnAllCores(First.Keys.Min(), (ulong)First.Count, static () => true, freshLua: true, life =>
        {
            if (First[life.Seed] != life.Trace)
            {
                changed.Add(life.Seed);
            }
        });
        return changed;
    }

    private static void OnAllCores(ulong from, ulong lives, Func<bool> goesOn, bool freshLua, Action<Outcome> lived)
    {
        var next = from - 1;
        var threads = Enumerable.Range(0, Environment.ProcessorCount).Select(_ => new Thread(() =>
        {
            var lua = new LuaScripts();
            for (var seed = Interlocked.Increment(ref next); seed < from + lives && goesOn(); seed = Interlocked.Increment(ref next))
            {
                lived(new Life(seed, lua).Run());
                if (freshLua)
                {
                    lua.Dispose();
                    lua = new LuaScripts();
                }
            }
            lua.Dispose();
        })).ToList();
        threads.ForEach(thread => thread.Start());
        threads.ForEach(thread => thread.Join());
    }
}
