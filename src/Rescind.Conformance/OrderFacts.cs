using static Rescind.Conformance.LogBench;

namespace Rescind.Conformance;

/// <summary>Positions, order and pages.</summary>
internal static class OrderFacts
{
    public static Dictionary<string, Func<LogBench, Task>> All { get; } = new(StringComparer.Ordinal)
    {
        ["An empty log is at its tail"] = async bench =>
        {
            var batch = await bench.ReadAsync();
            Demand(
                batch is { AtTail: true, Found: true } && batch.Entries.IsEmpty && batch.Position == default,
                "An empty log brings nothing, is at its tail and stays before the first entry.");
        },
        ["What was appended is read in order"] = async bench =>
        {
            var appended = Enumerable.Range(0, 50).Select(i => Token((ulong)i)).ToArray();
            foreach (var part in appended.Chunk(7))
            {
                await bench.AppendAsync(part);
            }
            var (entries, _) = await bench.ReadAllAsync();
            Demand(entries.SequenceEqual(appended),
                "Entries are read in the order in which they were appended.");
        },
        ["A read after a position brings only what is later"] = async bench =>
        {
            var first = await bench.AppendAsync(Token(1), Token(2));
            var second = await bench.AppendAsync(Token(3));
            var batch = await bench.ReadAsync(first);
            Demand(batch.Entries.ToArray().SequenceEqual([Token(3)]) && batch.Position == second,
                "Append returns the position of its last entry; a read after it brings what came later.");
            var rest = await bench.ReadAsync(second);
            Demand(rest is { AtTail: true, Found: true } && rest.Entries.IsEmpty && rest.Position == second,
                "At the tail nothing is read and the position stays.");
        },
        ["Pages join without gap and respect their size"] = async bench =>
        {
            var appended = Enumerable.Range(0, 100).Select(i => Token((ulong)i)).ToArray();
            foreach (var part in appended.Chunk(9))
            {
                await bench.AppendAsync(part);
            }
            foreach (var page in new[] { 1, 7, 100, 1000 })
            {
                var (entries, _) = await bench.ReadAllAsync(page: page);
                Demand(entries.SequenceEqual(appended), $"Pages of {page} join to the whole log.");
            }
        },
        ["Only the last page is at the tail"] = async bench =>
        {
            await bench.AppendAsync([.. Enumerable.Range(0, 10).Select(i => Token((ulong)i))]);
            await bench.AppendAsync([.. Enumerable.Range(10, 10).Select(i => Token((ulong)i))]);
            var first = await bench.ReadAsync(max: 10);
            Demand(!first.AtTail, "A read that left entries behind is not at the tail.");
            var second = await bench.ReadAsync(first.Position, 10);
            Demand(second.AtTail, "A read that brought the last entry is at the tail.");
        },
        ["A position of another history is not found"] = async bench =>
        {
            var position = await bench.AppendAsync(Token(1));
            var foreign = position with { History = position.History ^ 0x5555 };
            var batch = await bench.ReadAsync(foreign);
            Demand(batch is { Found: false, AtTail: false } && batch.Entries.IsEmpty,
                "A position of another history is not found, and gives neither entries nor the tail.");
        },
        ["A position ahead of the log is not found"] = async bench =>
        {
            var position = await bench.AppendAsync(Token(1));
            var batch = await bench.ReadAsync(position with { Number = position.Number + 5 });
            Demand(!batch.Found, "A position that the log has not reached is not found: it was rolled back.");
        },
        ["A read of less than one entry is refused"] = async bench =>
        {
            try
            {
                await bench.ReadAsync(max: 0);
            }
            catch (ArgumentOutOfRangeException)
            {
                return; // as demanded
            }
            Demand(false, "A read of less than one entry throws ArgumentOutOfRangeException.");
        },
        ["The log tells its time"] = async bench =>
        {
            var first = (await bench.ReadAsync()).Time;
            var second = (await bench.ReadAsync()).Time;
            Demand(second >= first && first > DateTimeOffset.UnixEpoch, "The log's clock does not go back.");
        },
    };
}
