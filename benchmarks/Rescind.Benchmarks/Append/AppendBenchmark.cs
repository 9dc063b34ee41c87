using System.Diagnostics;

namespace Rescind.Benchmarks.Append;

/// <summary>
/// How many revocations a second a store takes, each answered only when it is durable as far as that store goes,
/// against how services write them without this library: a key for each token in Redis, a commit for each call in
/// SQLite. All ways of a row take turns; each figure is the median of its turns.
/// </summary>
internal static class AppendBenchmark
{
    private static readonly int[] Batches = [1, 100, 1_000];
    private static readonly int[] Callers = [1, 8, 64];

    /// <param name="rounds">How often each way has its turn in each row.</param>
    /// <param name="turn">How long a turn takes.</param>
    /// <param name="already">Live revocations that stand in our stores before.</param>
    public static async Task<Dictionary<(string Way, int Callers, int Batch), double>> RunAsync(
        int rounds, TimeSpan turn, int already)
    {
        var ways = new List<AppendWay>();
        try
        {
            ways.Add(await OwnRedisAppend.StartAsync());
            ways.Add(await KeysAppend.StartAsync());
            ways.Add(new OwnSqliteAppend());
            ways.Add(new RowsAppend());
            for (var filled = 0; filled < already; filled += 10_000)
            {
                await ways[0].AppendAsync(Jtis.Fresh(10_000));
                await ways[2].AppendAsync(Jtis.Fresh(10_000));
            }
            return await TakeTurnsAsync(ways, rounds, turn, already);
        }
        finally
        {
            foreach (var way in ways)
            {
                await way.DisposeAsync();
            }
        }
    }

    private static async Task<Dictionary<(string, int, int), double>> TakeTurnsAsync(
        List<AppendWay> ways, int rounds, TimeSpan turn, int already)
    {
        Console.WriteLine(
            $"\nRevocations appended a second, {already:n0} there before, {rounds} turns of {turn.TotalSeconds:0.0} s\n");
        Figures.PrintHead(
            ["callers", "batch", .. ways.Select(way => way.Name), "Redis: ours / keys", "SQLite: ours / rows"]);
        var rates = new Dictionary<(string, int, int), double>();
        foreach (var callers in Callers)
        {
            foreach (var batch in Batches)
            {
                var row = await RowAsync(ways, callers, batch, rounds, turn);
                Figures.PrintRow(
                [
                    $"{callers}", $"{batch:n0}", .. row.Select(rate => $"{rate:n0}"), Figures.Text(row[0] / row[1]),
                    Figures.Text(row[2] / row[3]),
                ]);
                for (var i = 0; i < ways.Count; i++)
                {
                    rates[(ways[i].Name, callers, batch)] = row[i];
                }
            }
        }
        Figures.PrintWhere();
        return rates;
    }

    private static async Task<List<double>> RowAsync(
        List<AppendWay> ways, int callers, int batch, int rounds, TimeSpan turn)
    {
        var rates = ways.ConvertAll(_ => new List<double>());
        for (var round = 0; round < rounds; round++)
        {
            for (var i = 0; i < ways.Count; i++)
            {
                rates[i].Add(await RateAsync(ways[i], callers, batch, turn));
            }
        }
        return rates.ConvertAll(Figures.Median);
    }

    private static async Task<double> RateAsync(AppendWay way, int callers, int batch, TimeSpan turn)
    {
        var (started, done) = (Stopwatch.GetTimestamp(), 0L);
        await Task.WhenAll(Enumerable.Range(0, callers).Select(_ => Task.Run(async () =>
        {
            while (Stopwatch.GetElapsedTime(started) < turn)
            {
                await way.AppendAsync(Jtis.Fresh(batch));
                Interlocked.Add(ref done, batch);
            }
        })));
        return done / Stopwatch.GetElapsedTime(started).TotalSeconds;
    }
}
