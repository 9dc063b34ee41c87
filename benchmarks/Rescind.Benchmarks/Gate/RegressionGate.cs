using System.Globalization;
using Rescind.Benchmarks.Append;
using Rescind.Benchmarks.Faults;
using Rescind.Benchmarks.Spread;

namespace Rescind.Benchmarks.Gate;

/// <summary>
/// Compares what this machine measures now with the committed ratios in <c>ratios.txt</c>. Every ratio is our cost
/// divided by a named thing's in the same run, so it travels between machines; smaller is better. Fails when one is
/// above the committed one by more than its noise band, which stands beside it.
/// </summary>
internal static class RegressionGate
{
    private const long Size = 100_000;

    /// <param name="file">Lines of <c>name | ratio | band</c>; band 1.5: half as much again is still noise.</param>
    public static async Task<int> RunAsync(string file)
    {
        var committed = Read(file);
        var measured = await MeasureAsync();
        Console.WriteLine();
        Figures.PrintHead("our cost against", "now", "committed", "noise up to", "verdict");
        var failed = 0;
        foreach (var name in measured.Keys.Union(committed.Keys))
        {
            var (now, (before, band)) = (measured.GetValueOrDefault(name), committed.GetValueOrDefault(name));
            var verdict = now == 0 ? "NOT MEASURED" : before == 0 ? "NOT COMMITTED" : now > before * band ? "WORSE"
                : now < before / band ? "better: commit it" : "as before";
            failed += verdict is "WORSE" or "NOT MEASURED" or "NOT COMMITTED" ? 1 : 0;
            Figures.PrintRow(name, Figures.Text(now), Figures.Text(before), Figures.Text(before * band), verdict);
        }
        Figures.PrintWhere();
        Console.WriteLine($"{measured.Count - failed} ratios as good as committed, {failed} worse");
        return failed == 0 ? 0 : 1;
    }

    private static async Task<Dictionary<string, double>> MeasureAsync()
    {
        var checks = (await CheckRace.RunAsync([Size])).ToDictionary(row => row.Way, StringComparer.Ordinal);
        var (probe, whole) = (checks[ProbeWay.Words], checks["Rescind"]);
        var rates = await AppendBenchmark.RunAsync(3, TimeSpan.FromSeconds(0.5), already: 0);
        var trips = await SpreadBenchmark.RunAsync(100);
        var ratios = new Dictionary<string, double>(StringComparer.Ordinal)
        {
            ["look-up, miss / ConcurrentDictionary"] = probe.Miss / checks["ConcurrentDictionary"].Miss,
            ["look-up, miss / MemoryCache"] = probe.Miss / checks["MemoryCache"].Miss,
            ["look-up, hit / ConcurrentDictionary"] = probe.Hit / checks["ConcurrentDictionary"].Hit,
            ["whole check, miss / HybridCache"] = whole.Miss / checks["HybridCache"].Miss,
            ["whole check, miss / EXISTS, in thousandths"] = whole.Miss * 1000 / checks["EXISTS in Redis, awaited"].Miss,
            ["bytes an entry / ConcurrentDictionary"] = probe.Bytes / checks["ConcurrentDictionary"].Bytes,
            ["receipt of 3 nodes, p50 / plain message"] = trips["3"] / trips["plain"],
            ["collection, ours / ConcurrentDictionary"] = CollectionBenchmark.RatioToDictionary(1_000_000),
        };
        foreach (var (callers, batch) in new[] { (64, 1), (1, 1_000) })
        {
            ratios[$"append to Redis, {callers} by {batch} / a key each"] =
                rates[("a key each, Redis", callers, batch)] / rates[("Rescind, Redis", callers, batch)];
            ratios[$"append to SQLite, {callers} by {batch} / a commit a call"] =
                rates[("a commit a call, SQLite", callers, batch)] / rates[("Rescind, SQLite", callers, batch)];
        }
        return ratios;
    }

    private static Dictionary<string, (double Ratio, double Band)> Read(string file) =>
        File.ReadLines(file).Where(line => line.Length != 0 && line[0] != '#').Select(line => line.Split('|'))
            .ToDictionary(
                words => words[0].Trim(), words => (Number(words[1]), Number(words[2])), StringComparer.Ordinal);

    private static double Number(string word) => double.Parse(word, CultureInfo.InvariantCulture);
}
