namespace Rescind.Conformance;

/// <summary>A log under test, and what the facts do with it again and again.</summary>
internal sealed class LogBench(IRevocationLog log, Func<IRevocationLog, ValueTask<IRevocationLog?>> reopen)
{
    /// <summary>No call of the contract may take longer than this on a test machine.</summary>
    public static readonly TimeSpan Patience = TimeSpan.FromSeconds(30);

    public static readonly DateTimeOffset Later = DateTimeOffset.FromUnixTimeSeconds(4_000_000_000);

    public IRevocationLog Log { get; private set; } = log;

    public static LogEntry Token(ulong number, DateTimeOffset? expiry = null) => new()
    {
        Id = new RevocationId(RuleKind.Token, ((UInt128)number << 3) | 1, 7), ExpiresAt = expiry ?? Later,
    };

    public static void Demand(bool kept, string sentence)
    {
        if (!kept)
        {
            throw new ContractException(sentence);
        }
    }

    public async Task<LogPosition> AppendAsync(params LogEntry[] batch) =>
        await Log.AppendAsync(batch, CancellationToken.None).AsTask().WaitAsync(Patience);

    public async Task<LogBatch> ReadAsync(LogPosition after = default, int max = 100_000) =>
        await Log.ReadAsync(after, max, CancellationToken.None).AsTask().WaitAsync(Patience);

    /// <summary>Compacts as a node does that follows the log.</summary>
    public async Task<CompactionResult> CompactAsync(DateTimeOffset now)
    {
        await ReadAllAsync();
        return await Log.CompactAsync(now, CancellationToken.None);
    }

    /// <summary>Everything after a position, in pages, and the position reached.</summary>
    public async Task<(List<LogEntry> Entries, LogPosition Position)> ReadAllAsync(
        LogPosition after = default, int page = 1000)
    {
        var entries = new List<LogEntry>();
        while (true)
        {
            var batch = await ReadAsync(after, page);
            Demand(batch.Found, "A position that a read returned is found by the next read.");
            entries.AddRange(batch.Entries.Span);
            after = batch.Position;
            if (batch.AtTail)
            {
                return (entries, after);
            }
            Demand(batch.Entries.Length > 0, "A read that is not at the tail brings at least one entry.");
        }
    }

    /// <returns>Whether the log can be opened again at all.</returns>
    public async Task<bool> ReopenAsync()
    {
        if (await reopen(Log) is not { } again)
        {
            return false;
        }
        Log = again;
        return true;
    }
}
