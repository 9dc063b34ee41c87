namespace Rescind;

/// <summary>How a blacklist is doing: one snapshot for metrics, health and people.</summary>
public sealed record BlacklistStatus
{
    /// <summary>Whether a check is answered from memory now.</summary>
    public required bool Fresh { get; init; }

    /// <summary>Whether the log has been read to its end once, or what this node's disk keeps of it while
    /// the log is away; the latter does not count with <see cref="BlacklistOptions.RefuseWhenUnknown"/>,
    /// because every check would be refused.</summary>
    public required bool Loaded { get; init; }

    /// <summary>Whether other processes append to the log.</summary>
    public required bool Shared { get; init; }

    /// <summary>How the log is doing.</summary>
    public required LogStatus Log { get; init; }

    /// <summary>How long ago the read that this node's knowledge comes from was sent; zero when no other
    /// process can append.</summary>
    public required TimeSpan Lag { get; init; }

    /// <summary>How far this node's clock is ahead of the log's, negative: behind; the time a read took does
    /// not count. Null: the log has not been read since the start. Past
    /// <see cref="BlacklistOptions.IssuerClockDifference"/> health is degraded and nothing may be issued
    /// (<see cref="Blacklist.EarliestIssueTime"/>).</summary>
    public TimeSpan? ClockAhead { get; init; }

    /// <summary>The last position applied.</summary>
    public required LogPosition Position { get; init; }

    /// <summary>The last fault of the log, in words; null while it works.</summary>
    public required string? Fault { get; init; }

    /// <summary>Live revocations by kind.</summary>
    public required IReadOnlyDictionary<RuleKind, long> Rules { get; init; }

    /// <summary>Memory of the index, in bytes.</summary>
    public required long IndexBytes { get; init; }

    /// <summary>Checks since the start.</summary>
    public required long Checks { get; init; }

    /// <summary>Checks that ended <see cref="Verdict.Revoked"/>.</summary>
    public required long Revoked { get; init; }

    /// <summary>Checks that ended <see cref="Verdict.Unknown"/>.</summary>
    public required long Unknown { get; init; }

    /// <summary>Checks that had to ask the log first.</summary>
    public required long CatchUps { get; init; }

    /// <summary>Mean time of a check in milliseconds, from a sample of one in 64.</summary>
    public required double MeanCheckMs { get; init; }

    /// <summary>99th percentile of the time of a check in milliseconds, from the last 1,024
    /// samples.</summary>
    public required double P99CheckMs { get; init; }
}
