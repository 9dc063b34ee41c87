using static Rescind.Conformance.LogBench;

namespace Rescind.Conformance;

/// <summary>What is kept, bit for bit.</summary>
internal static class ContentFacts
{
    public static Dictionary<string, Func<LogBench, Task>> All { get; } = new(StringComparer.Ordinal)
    {
        ["Every kind of entry comes back as it was"] = async bench =>
        {
            var appended = Samples("issuer", "value").Concat(Samples("", "v")).ToArray();
            await bench.AppendAsync(appended);
            var (entries, _) = await bench.ReadAllAsync();
            Demand(entries.SequenceEqual(appended), "All six kinds and their lifts come back bit for bit.");
        },
        ["The longest texts come back as they were"] = async bench =>
        {
            var appended = Samples(new string('é', 1024), new string('漢', 1024)).ToArray();
            await bench.AppendAsync(appended);
            var (entries, _) = await bench.ReadAllAsync();
            Demand(entries.SequenceEqual(appended),
                "Texts of 1,024 characters of any script come back unchanged.");
        },
        ["The largest batch is kept whole"] = async bench =>
        {
            var appended = Enumerable.Range(0, 10_000).Select(i => Token((ulong)i)).ToArray();
            await bench.AppendAsync(appended);
            var (entries, _) = await bench.ReadAllAsync(page: 4096);
            Demand(entries.SequenceEqual(appended), "A batch of 10,000 entries is kept whole and in order.");
        },
        ["Appending twice is harmless"] = async bench =>
        {
            await bench.AppendAsync(Token(1), Token(2));
            await bench.AppendAsync(Token(1), Token(2));
            var (entries, _) = await bench.ReadAllAsync();
            Demand(entries.Distinct().SequenceEqual([Token(1), Token(2)]),
                "A repeated append loses nothing.");
        },
        ["A call that is cancelled beforehand throws"] = async bench =>
        {
            using var cancelled = new CancellationTokenSource();
            await cancelled.CancelAsync();
            foreach (var call in Calls(bench.Log, cancelled.Token))
            {
                try
                {
                    await call();
                }
                catch (OperationCanceledException)
                {
                    continue; // as demanded
                }
                Demand(false, "Append and read throw OperationCanceledException when cancelled beforehand.");
            }
        },
    };

    private static Func<Task>[] Calls(IRevocationLog log, CancellationToken cancel) =>
    [
        async () => await log.AppendAsync(new[] { Token(1) }, cancel),
        async () => await log.ReadAsync(default, 1, cancel),
    ];

    private static IEnumerable<LogEntry> Samples(string issuer, string value)
    {
        foreach (var kind in Enum.GetValues<RuleKind>())
        {
            var hasText = kind is not (RuleKind.Token or RuleKind.Session);
            var id = new RevocationId(kind, (UInt128.MaxValue - 7) | (byte)kind, uint.MaxValue);
            yield return new LogEntry
            {
                Id = id,
                ExpiresAt = kind == RuleKind.Key ? DateTimeOffset.MaxValue : Later,
                IssuedBefore = hasText ? Later.AddDays(-1) : DateTimeOffset.UnixEpoch,
                Issuer = hasText ? issuer : null,
                Value = hasText ? value : null,
            };
            yield return new LogEntry
            {
                Id = id, ExpiresAt = Later, IsLift = true,
                IssuedBefore = hasText ? Later.AddDays(-1) : DateTimeOffset.UnixEpoch,
            };
        }
    }
}
