using static Rescind.Conformance.LogBench;

namespace Rescind.Conformance;

/// <summary>What a log that outlives its process must still know. Others pass.</summary>
internal static class DurabilityFacts
{
    public static Dictionary<string, Func<LogBench, Task>> All { get; } = new(StringComparer.Ordinal)
    {
        ["A log that is opened again knows all that was answered"] = async bench =>
        {
            var appended = Enumerable.Range(0, 100).Select(i => Token((ulong)i)).ToArray();
            var position = await bench.AppendAsync(appended);
            if (!await bench.ReopenAsync())
            {
                return;
            }
            var (entries, end) = await bench.ReadAllAsync();
            Demand(entries.SequenceEqual(appended), "An entry that was answered is there after a restart.");
            Demand(end == position && (await bench.ReadAsync(position)).Found,
                "Its position is still found.");
        },
        ["Positions go on after a restart, also behind what was dropped"] = async bench =>
        {
            await bench.AppendAsync(Token(1, Later.AddDays(-2)));
            var position = await bench.AppendAsync(Token(2, Later.AddDays(-2)));
            await bench.CompactAsync(Later);
            if (!await bench.ReopenAsync())
            {
                return;
            }
            var next = await bench.AppendAsync(Token(3));
            Demand(next.Number > position.Number && (await bench.ReadAsync(position)).Found,
                "Positions go on growing in the same history after a restart.");
            Demand((await bench.ReadAsync()).Horizon == Later.AddDays(-2), "The horizon survives a restart.");
        },
    };
}
