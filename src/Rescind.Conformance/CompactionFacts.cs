using static Rescind.Conformance.LogBench;

namespace Rescind.Conformance;

/// <summary>What is dropped, and what never is.</summary>
internal static class CompactionFacts
{
    private static readonly DateTimeOffset Soon = Later.AddDays(-1);

    public static Dictionary<string, Func<LogBench, Task>> All { get; } = new(StringComparer.Ordinal)
    {
        ["Compaction drops what has expired and keeps what lives"] = async bench =>
        {
            var dead = Enumerable.Range(0, 500).Select(i => Token((ulong)i, Soon));
            var live = Enumerable.Range(500, 500).Select(i => Token((ulong)i)).ToArray();
            await bench.AppendAsync([.. dead, .. live]);
            var result = await bench.CompactAsync(Soon.AddSeconds(1));
            var (entries, _) = await bench.ReadAllAsync();
            Demand(live.All(entries.Contains), "Compaction never drops a live entry.");
            Demand(entries.Count == live.Length, "Compaction drops what has expired.");
            Demand(result.EntriesDropped == 500, "Compaction says how many entries it dropped.");
        },
        ["What expires at the given time is not dropped yet"] = async bench =>
        {
            await bench.AppendAsync(Token(1, Soon), Token(2));
            await bench.CompactAsync(Soon);
            var (entries, _) = await bench.ReadAllAsync();
            Demand(entries.Contains(Token(1, Soon)), "Only what expired before the given time is dropped.");
        },
        ["What never expires is never dropped"] = async bench =>
        {
            var ever = Token(1, DateTimeOffset.MaxValue);
            await bench.AppendAsync(ever, Token(2));
            await bench.CompactAsync(DateTimeOffset.MaxValue.AddYears(-1));
            var (entries, _) = await bench.ReadAllAsync();
            Demand(entries.Contains(ever), "An entry without expiry is never dropped.");
        },
        ["The newest entry is never dropped"] = async bench =>
        {
            var last = await bench.AppendAsync(Token(1, Soon), Token(2, Soon));
            await bench.CompactAsync(Later);
            var batch = await bench.ReadAsync(last);
            Demand(batch is { Found: true, AtTail: true },
                "The newest position stays found after compaction.");
            Demand(await bench.AppendAsync(Token(3)) is { } next && next.Number > last.Number,
                "Positions go on growing after compaction.");
        },
        ["A lift is kept as long as its expiry says"] = async bench =>
        {
            var lift = Token(1) with { IsLift = true };
            await bench.AppendAsync(lift, Token(2, Soon) with { IsLift = true }, Token(3));
            await bench.CompactAsync(Soon.AddSeconds(1));
            var (entries, _) = await bench.ReadAllAsync();
            Demand(entries.Contains(lift), "A lift whose expiry has not come is kept.");
            Demand(entries.Count == 2, "A lift whose expiry has passed is dropped.");
        },
        ["The horizon is the latest expiry that was dropped"] = async bench =>
        {
            await bench.AppendAsync(Token(1, Soon.AddSeconds(-10)), Token(2, Soon), Token(3));
            Demand((await bench.ReadAsync()).Horizon == DateTimeOffset.UnixEpoch,
                "At first nothing was dropped.");
            await bench.CompactAsync(Soon.AddSeconds(1));
            Demand((await bench.ReadAsync()).Horizon == Soon,
                "The horizon is the latest expiry that was dropped.");
            await bench.CompactAsync(Soon.AddSeconds(1));
            Demand((await bench.ReadAsync()).Horizon == Soon, "The horizon never goes back.");
        },
        ["Appends go on while compaction runs"] = async bench =>
        {
            await bench.AppendAsync([.. Enumerable.Range(0, 5000).Select(i => Token((ulong)i, Soon))]);
            var compacting = bench.CompactAsync(Soon.AddSeconds(1));
            var appended = Enumerable.Range(10_000, 50).Select(i => Token((ulong)i)).ToArray();
            foreach (var entry in appended)
            {
                await bench.AppendAsync(entry);
            }
            await compacting.WaitAsync(Patience);
            var (entries, _) = await bench.ReadAllAsync();
            Demand(appended.All(entries.Contains), "What is appended while compaction runs is kept.");
        },
    };
}
