using CsCheck;

namespace Rescind.Tests;

/// <summary>
/// Runs a test on many drawn cases. In an ordinary run every case has a seed of its own, the same on every machine and
/// every day: nothing fails there that nobody has seen. <c>dotnet run build.cs soak fuzz</c> draws anew, and more. A case
/// that fails is printed with its seed; the environment variable CsCheck_Seed repeats it and looks for a smaller one.
/// </summary>
internal static class Cases
{
    /// <summary>How many times the ordinary number of cases is drawn anew; 0: the ordinary ones are run.</summary>
    private static readonly int Times = int.TryParse(Environment.GetEnvironmentVariable("RESCIND_FUZZ_TIMES"), out var times)
        ? times
        : Environment.GetEnvironmentVariable("CsCheck_Seed") is null ? 0 : 1;

    public static void Try<T>(this Gen<T> gen, Action<T> assert, int cases)
    {
        if (Times > 0)
        {
            gen.Sample(assert, iter: (long)cases * Times);
            return;
        }
        Parallel.For(0, cases, number => gen.Sample(assert, seed: SeedOf(number), iter: 1, threads: 1));
    }

    public static void Try<T1, T2>(this Gen<(T1, T2)> gen, Action<T1, T2> assert, int cases) =>
        gen.Try(one => assert(one.Item1, one.Item2), cases);

    public static void Try<T1, T2, T3>(this Gen<(T1, T2, T3)> gen, Action<T1, T2, T3> assert, int cases) =>
        gen.Try(one => assert(one.Item1, one.Item2, one.Item3), cases);

    public static void Try<T1, T2, T3, T4>(this Gen<(T1, T2, T3, T4)> gen, Action<T1, T2, T3, T4> assert, int cases) =>
        gen.Try(one => assert(one.Item1, one.Item2, one.Item3, one.Item4), cases);

    /// <param name="gen">Draws.</param>
    /// <param name="assert">The test.</param>
    /// <param name="cases">How many in an ordinary run.</param>
    /// <param name="threads">How many at once.</param>
    public static async Task TryAsync<T>(this Gen<T> gen, Func<T, Task> assert, int cases, int threads = 2)
    {
        if (Times > 0)
        {
            await gen.SampleAsync(assert, iter: (long)cases * Times, threads: threads);
            return;
        }
        await Parallel.ForEachAsync(
            Enumerable.Range(0, cases), new ParallelOptions { MaxDegreeOfParallelism = threads },
            async (number, _) => await gen.SampleAsync(assert, seed: SeedOf(number), iter: 1, threads: 1));
    }

    public static Task TryAsync<T1, T2>(
        this Gen<(T1, T2)> gen, Func<T1, T2, Task> assert, int cases, int threads = 2) =>
        gen.TryAsync(one => assert(one.Item1, one.Item2), cases, threads);

    public static Task TryAsync<T1, T2, T3>(
        this Gen<(T1, T2, T3)> gen, Func<T1, T2, T3, Task> assert, int cases, int threads = 2) =>
        gen.TryAsync(one => assert(one.Item1, one.Item2, one.Item3), cases, threads);

    /// <summary>Far from its neighbours, so that theirs are other cases and not nearly the same.</summary>
    private static string SeedOf(int number) => new PCG(0, (ulong)(number + 1) * 0x9e3779b97f4a7c15).ToString();
}
