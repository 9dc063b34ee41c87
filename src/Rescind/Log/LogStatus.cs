namespace Rescind;

/// <summary>How a log is doing, as far as it can tell without asking anybody.</summary>
public sealed record LogStatus
{
    /// <summary>The store in one word, for instance <c>redis</c>.</summary>
    public required string Store { get; init; }

    /// <summary>Whether the store answered the last call; null when it is part of this process.</summary>
    public bool? Connected { get; init; }

    /// <summary>How long the last read took; null when it is part of this process or was never
    /// read.</summary>
    public TimeSpan? RoundTrip { get; init; }

    /// <summary>Calls to the store that failed within the last hour.</summary>
    public long ErrorsInLastHour { get; init; }

    /// <summary>The processes that follow a shared log, this one too, as it last saw them; empty when it is
    /// not shared.</summary>
    public IReadOnlyList<LogNode> Nodes { get; init; } = [];

    /// <summary>What an operator should mend, each a sentence with its remedy.</summary>
    public IReadOnlyList<string> Warnings { get; init; } = [];

    /// <summary>Whether what this node's disk keeps of a shared log has been read; null when it keeps
    /// nothing.</summary>
    public bool? JournalLoaded { get; init; }

    /// <summary>Revocations and lifts that were answered as <see cref="ReceiptState.Journaled"/> and are not
    /// in the shared log yet.</summary>
    public long JournalPending { get; init; }
}

/// <summary>A process that follows a shared log.</summary>
/// <param name="Name">Its name; need not be unique.</param>
/// <param name="Position">The number of the last entry it has confirmed.</param>
/// <param name="Silence">For how long its heartbeat has not been seen to move.</param>
/// <param name="Version">The version of Rescind it runs.</param>
public sealed record LogNode(string Name, ulong Position, TimeSpan Silence, string Version);
