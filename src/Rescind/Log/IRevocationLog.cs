namespace Rescind;

/// <summary>Where revocations are kept and how they reach every node: an append-only list that several
/// processes may share. Appending an entry twice is harmless, so a caller that does not know the outcome
/// repeats the call. <c>RevocationLogConformance</c> tests an implementation; all of ours pass it.</summary>
public interface IRevocationLog
{
    /// <summary>Whether other processes append to this log. If so, a node's knowledge ages, and
    /// <see cref="BlacklistOptions.Freshness"/> applies.</summary>
    bool IsShared { get; }

    /// <summary>How the log is doing, from memory. Default: the store's name as the type says it.</summary>
    LogStatus Status => new()
    {
        Store = GetType().Name.Replace("RevocationLog", "", StringComparison.Ordinal).ToLowerInvariant(),
    };

    /// <summary>Adds entries; when the call returns they are durable, all of them.</summary>
    /// <param name="batch">1 to <see cref="BlacklistOptions.LargestBatch"/> entries.</param>
    /// <param name="cancel">Gives up waiting; the entries may be kept all the same.</param>
    /// <returns>The position of the last entry; the default value when the shared log did not confirm and a
    /// local copy is durable.</returns>
    /// <exception cref="IOException">The log could not confirm; the entries may be kept or not.</exception>
    ValueTask<LogPosition> AppendAsync(ReadOnlyMemory<LogEntry> batch, CancellationToken cancel);

    /// <summary>Reads on.</summary>
    /// <param name="after">The last position the caller has applied; the default value reads from the
    /// start. Asking is also saying: everything up to here is applied.</param>
    /// <param name="max">How many entries at most, at least 1.</param>
    /// <param name="cancel">Gives up.</param>
    /// <exception cref="IOException">The log cannot be reached or an entry cannot be read.</exception>
    ValueTask<LogBatch> ReadAsync(LogPosition after, int max, CancellationToken cancel);

    /// <summary>Waits until there may be something behind <paramref name="after"/>. May return early, never
    /// late; returns, and does not throw, when cancelled.</summary>
    /// <param name="after">The last position the caller has applied.</param>
    /// <param name="cancel">Ends the wait.</param>
    ValueTask WaitAsync(LogPosition after, CancellationToken cancel);

    /// <summary>Says how many processes have applied an entry, and how many follow this log. May wait for a
    /// change, but not past <paramref name="cancel"/>, unless it knows of leases that are longer than its
    /// own bound; returns, and does not throw, when cancelled or when the log is away. Default: one of one,
    /// or where the log is shared nobody of one: then a receipt waits for all leases to end.</summary>
    /// <param name="position">What an append returned.</param>
    /// <param name="cancel">Ends the wait.</param>
    /// <returns>Confirmed and expected. Never counts a process whose confirmation is not certain.</returns>
    ValueTask<(int Confirmed, int Expected)> ReachAsync(LogPosition position, CancellationToken cancel) =>
        ValueTask.FromResult((IsShared ? 0 : 1, 1));

    /// <summary>Says who applies entries that arrive ahead of a read, when the log can announce them. Called
    /// at most once, before the first read. An announced entry comes again in a read, in its order, and is in
    /// no file before. Default: nothing is announced.</summary>
    /// <param name="apply">Applies entries; may be called from any thread, until the log is disposed.</param>
    void Listen(Action<ReadOnlyMemory<LogEntry>> apply)
    {
    }

    /// <summary>Says that the caller, after a read that did not find its position, has read all of the log
    /// and given back whatever it held and did not find. A shared log that recovers from a loss waits for
    /// this. Default: nothing.</summary>
    void Reconciled()
    {
    }

    /// <summary>Says that the caller has forgotten revocations of tokens that ended by then, also such as
    /// this log never had or has lost: whoever reads the log must not accept those tokens either. A shared
    /// log tells it to the others as its <see cref="LogBatch.Horizon"/>. Default: nothing.</summary>
    /// <param name="horizon">When the last of these tokens ended.</param>
    void Forgot(DateTimeOffset horizon)
    {
    }

    /// <summary>Says whether the caller keeps entries that this log may lack, though no read has missed them:
    /// those that a process of before left on disk. While it does, a shared log that recovers from a loss
    /// waits for this process. Default: nothing.</summary>
    /// <param name="owes">Whether it does.</param>
    void Owes(bool owes)
    {
    }

    /// <summary>Drops entries that expired before <paramref name="now"/>, never a live one and never the
    /// newest, in steps that leave room for appends. Its caller follows the log: one that was lost is not
    /// compacted before it was read over.</summary>
    /// <param name="now">The time before which an expiry counts: earlier than any clock says, by the skew
    /// that validators allow.</param>
    /// <param name="cancel">Stops between two steps.</param>
    ValueTask<CompactionResult> CompactAsync(DateTimeOffset now, CancellationToken cancel);
}
