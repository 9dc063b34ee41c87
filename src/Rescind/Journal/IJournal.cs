namespace Rescind;

/// <summary>The local file of a node on a shared log, as <see cref="JournaledLog"/> needs it. Own entries are
/// <em>kept</em> before their call is answered; entries that the shared log brought <em>join</em> later, in
/// the log's order and together with the position they reach to. An own entry that comes back from the log is
/// kept no longer. All members may be called side by side.</summary>
internal interface IJournal
{
    /// <summary>A page of what the file holds.</summary>
    /// <param name="after">0, then what the page before said.</param>
    /// <param name="max">How many entries at most.</param>
    /// <param name="cancel">Gives up.</param>
    /// <exception cref="IOException">The file cannot be read.</exception>
    ValueTask<JournalPage> LoadAsync(long after, int max, CancellationToken cancel);

    /// <summary>Makes own entries durable.</summary>
    /// <exception cref="IOException">Not durable.</exception>
    ValueTask KeepAsync(ReadOnlyMemory<LogEntry> own);

    /// <summary>Takes in what the shared log brought, all of it or nothing.</summary>
    /// <returns>A mark: everything in the file so far lies before it.</returns>
    /// <exception cref="IOException">Nothing was taken in.</exception>
    ValueTask<long> JoinAsync(JournalUpdate update);

    /// <summary>Drops what expired before a time.</summary>
    /// <exception cref="IOException">The file cannot be written.</exception>
    ValueTask CompactAsync(DateTimeOffset now, CancellationToken cancel);
}

/// <summary>A page of the local file.</summary>
/// <param name="Entries">What the shared log had brought.</param>
/// <param name="Kept">Own entries that did not come back from the shared log; all with the last page.</param>
/// <param name="Next">From where to go on.</param>
/// <param name="Position">On the last page: where to read on in the shared log; otherwise null.</param>
/// <param name="Horizon">The horizon of the shared log when it was last read.</param>
internal sealed record JournalPage(
    LogEntry[] Entries, LogEntry[] Kept, long Next, LogPosition? Position, DateTimeOffset Horizon);

/// <summary>What joins the local file.</summary>
/// <param name="Entries">Entries of the shared log.</param>
/// <param name="Position">Everything up to here is in the file; null: the file has no position, because the
/// shared log is being read over and not everything is given back yet. An old one must not stay: the history
/// that it belongs to may come back, and would then seem to hold all that the file does.</param>
/// <param name="Horizon">The horizon of the shared log.</param>
/// <param name="DropTo">What joined before this mark belongs to a history that is over; 0: nothing.</param>
internal sealed record JournalUpdate(
    LogEntry[] Entries, LogPosition? Position, DateTimeOffset Horizon, long DropTo);
