namespace Rescind;

/// <summary>What one read of the log brought.</summary>
public sealed record LogBatch
{
    /// <summary>The entries after the asked position, oldest first.</summary>
    public required ReadOnlyMemory<LogEntry> Entries { get; init; }

    /// <summary>The position of the last entry; the asked one when there was none.</summary>
    public required LogPosition Position { get; init; }

    /// <summary>Whether nothing lay behind the last entry when the read was made. Only such a read makes a
    /// node fresh.</summary>
    public required bool AtTail { get; init; }

    /// <summary>Whether a read that reached the tail may make a node fresh. Not while a shared log recovers
    /// from a loss: somebody may still hold entries that it has not got back. Default: true.</summary>
    public bool GrantsLease { get; init; } = true;

    /// <summary>Whether the log is as sure of what it answered as of an append that it answers. Not while
    /// half the servers of a replicated log are away: what is appended then is not confirmed either. Default:
    /// true.</summary>
    public bool IsConfirmed { get; init; } = true;

    /// <summary>Whether the asked position is still part of this log. When it is not, the log was trimmed,
    /// rolled back or replaced: the reader starts over and gives back what the log has lost.</summary>
    public bool Found { get; init; } = true;

    /// <summary>The log's own clock when it answered.</summary>
    public required DateTimeOffset Time { get; init; }

    /// <summary>The latest expiry that compaction has dropped, or somebody has forgotten. A token that ended
    /// no later is never accepted, so a clock that steps back revives nothing.</summary>
    public DateTimeOffset Horizon { get; init; } = DateTimeOffset.UnixEpoch;
}
