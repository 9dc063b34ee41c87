using System.Diagnostics;

namespace Rescind.Benchmarks;

/// <summary>What is made of many measured values, and how many digits of it are worth printing.</summary>
internal static class Figures
{
    public static double Median(IEnumerable<double> values) => Percentile(values, 0.5);

    public static double Percentile(IEnumerable<double> values, double share)
    {
        var sorted = values.Order().ToList();
        return sorted[Math.Min(sorted.Count - 1, (int)(sorted.Count * share))];
    }

    /// <summary>Three digits that count.</summary>
    public static string Text(double value) => Math.Abs(value) switch
    {
        0 => "0",
        < 1 => $"{value:0.###}",
        < 10 => $"{value:0.00}",
        < 100 => $"{value:0.0}",
        _ => $"{value:n0}",
    };

    public static void PrintRow(params IEnumerable<string> cells) =>
        Console.WriteLine($"| {string.Join(" | ", cells)} |");

    public static void PrintHead(params string[] cells)
    {
        PrintRow(cells);
        PrintRow(cells.Select(_ => "---"));
    }

    /// <summary>Machine and day, which belong under every table.</summary>
    public static void PrintWhere() => Console.WriteLine(
        $"\n{Environment.ProcessorCount} cores, .NET {Environment.Version}, {DateTime.UtcNow:yyyy-MM-dd HH:mm} UTC");

    public static double MsSince(long started) => Stopwatch.GetElapsedTime(started).TotalMilliseconds;
}
