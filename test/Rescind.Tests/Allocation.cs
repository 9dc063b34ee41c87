namespace Rescind.Tests;

/// <summary>What code allocates on the calling thread.</summary>
internal static class Allocation
{
    private const int Rounds = 5;

    /// <summary>The least that any of five rounds allocated. What the code itself allocates, it allocates in
    /// each of them; the runtime now and then books a table of its own on a thread whose code it is
    /// compiling.</summary>
    public static long LeastOf(Action round)
    {
        var least = long.MaxValue;
        for (var i = 0; i < Rounds; i++)
        {
            var before = GC.GetAllocatedBytesForCurrentThread();
            round();
            least = Math.Min(least, GC.GetAllocatedBytesForCurrentThread() - before);
        }
        return least;
    }
}
