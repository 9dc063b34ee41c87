namespace Rescind.Tests;

/// <summary>A file of a node in memory, with a clock that only the test moves, which fails or stands still when told
/// to.</summary>
internal sealed class ScriptedJournal : IJournal
{
    private long _rows;

    public TestClock Clock { get; } = new();

    public LogLines Lines { get; } = new();

    /// <summary>What joined, or tried to.</summary>
    public List<JournalUpdate> Updates { get; } = [];

    public List<LogEntry> Kept { get; } = [];

    /// <summary>Thrown by <see cref="KeepAsync"/> while set.</summary>
    public string? KeepFault { get; set; }

    /// <summary>Thrown by <see cref="JoinAsync"/> while set.</summary>
    public string? JoinFault { get; set; }

    /// <summary>What joins waits for it.</summary>
    public Task JoinGate { get; set; } = Task.CompletedTask;

    public static LogEntry Entry(uint number, DateTimeOffset? expires = null) => new()
    {
        Id = new RevocationId(RuleKind.Token, TokenKey.Of(RuleKind.Token, TestWorld.Issuer, "t"), number),
        ExpiresAt = expires ?? DateTimeOffset.MaxValue,
    };

    public ValueTask<JournalPage> LoadAsync(long after, int max, CancellationToken cancel) => ValueTask.FromResult(
        new JournalPage([], [], _rows, default(LogPosition), DateTimeOffset.UnixEpoch));

    public ValueTask KeepAsync(ReadOnlyMemory<LogEntry> own)
    {
        Throw(KeepFault);
        Kept.AddRange(own.Span);
        return ValueTask.CompletedTask;
    }

    public async ValueTask<long> JoinAsync(JournalUpdate update)
    {
        Updates.Add(update);
        await JoinGate;
        Throw(JoinFault);
        return _rows += update.Entries.Length;
    }

    public async ValueTask CompactAsync(DateTimeOffset now, CancellationToken cancel)
    {
        await Task.Yield();
        Throw(KeepFault);
    }

    private static void Throw(string? fault)
    {
        if (fault is not null)
        {
            throw new IOException(fault);
        }
    }
}
