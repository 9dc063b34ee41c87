using static Rescind.Conformance.LogBench;

namespace Rescind.Conformance;

/// <summary>Many callers at once.</summary>
internal static class CrowdFacts
{
    private const int Callers = 64;
    private const int Each = 20;

    public static Dictionary<string, Func<LogBench, Task>> All { get; } = new(StringComparer.Ordinal)
    {
        ["Concurrent appends are all kept, each once"] = async bench =>
        {
            await AppendTogetherAsync(bench);
            var (entries, _) = await bench.ReadAllAsync();
            Demand(entries.Count == Callers * Each && entries.Distinct().Count() == Callers * Each,
                "Appends of 64 callers at once are all kept, and none twice.");
        },
        ["A reader beside appenders skips nothing"] = async bench =>
        {
            var appending = AppendTogetherAsync(bench);
            var (seen, position) = (new List<LogEntry>(), default(LogPosition));
            while (true)
            {
                var isLast = appending.IsCompleted;
                var batch = await bench.ReadAsync(position, 16);
                Demand(batch.Found, "A position stays found while others append.");
                seen.AddRange(batch.Entries.Span);
                position = batch.Position;
                if (isLast && batch.AtTail)
                {
                    break;
                }
            }
            await appending;
            var (all, end) = await bench.ReadAllAsync();
            Demand(seen.SequenceEqual(all) && position == end,
                "An entry never becomes visible before a position that was already read.");
        },
        ["What an append has answered is in the next read"] = async bench =>
        {
            await Task.WhenAll(Enumerable.Range(0, 16).Select(async caller =>
            {
                for (var i = 0; i < 10; i++)
                {
                    var entry = Token((ulong)((caller * 10) + i));
                    await bench.AppendAsync(entry);
                    var (entries, _) = await bench.ReadAllAsync();
                    Demand(entries.Contains(entry), "What an append has answered is in every later read.");
                }
            }));
        },
    };

    private static Task AppendTogetherAsync(LogBench bench) =>
        Task.WhenAll(Enumerable.Range(0, Callers).Select(caller => Task.Run(async () =>
        {
            for (var i = 0; i < Each; i++)
            {
                await bench.AppendAsync(Token((ulong)((caller * Each) + i)));
            }
        })));
}
