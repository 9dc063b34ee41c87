// The way into the audit trail. What it guarantees: an event that was recorded is on disk; one that could not
// be kept is written to the log in full and counted, never dropped in silence; events that one caller can
// repeat at will share two rows a minute.
namespace Rescind.Server.Audit;

internal sealed class AuditTrail(AuditSpool spool, AuditTally tally, ILogger<AuditTrail> logger)
{
    private long _recorded;
    private long _lost;

    /// <summary>How many events were kept since the start.</summary>
    public long Recorded => Interlocked.Read(ref _recorded);

    /// <summary>How many could not be kept, and stand in the log only.</summary>
    public long Lost => Interlocked.Read(ref _lost);

    /// <summary>Keeps events; completes when they are on disk.</summary>
    /// <exception cref="IOException">They could not be kept.</exception>
    public async Task RecordAsync(IReadOnlyCollection<AuditEvent> events)
    {
        var appends = events.Select(spool.AppendAsync).ToList();
        try
        {
            await Task.WhenAll(appends);
            Interlocked.Add(ref _recorded, appends.Count);
        }
        catch (IOException fault)
        {
            foreach (var (one, append) in events.Zip(appends))
            {
                Interlocked.Increment(ref append.IsCompletedSuccessfully ? ref _recorded : ref _lost);
                if (!append.IsCompletedSuccessfully)
                {
                    Log.AuditLost(logger, one, fault.Message);
                }
            }
            throw;
        }
    }

    /// <summary>Keeps an event that nobody waits for.</summary>
    public async Task NoteAsync(AuditEvent happened)
    {
        try
        {
            await RecordAsync([happened]);
        }
        catch (IOException)
        {
            // Counted and written to the log by RecordAsync.
        }
    }

    /// <summary>Keeps the first event of a kind in a minute, and counts the others; see
    /// <see cref="AuditTally"/>. Does not wait for the disk.</summary>
    /// <param name="happened">The event.</param>
    /// <param name="about">What it is about: a token or an address.</param>
    public void Count(AuditEvent happened, string about)
    {
        if (tally.IsFirst(happened, about))
        {
            _ = NoteAsync(happened);
        }
    }

    /// <summary>Keeps the counts of minutes that are over.</summary>
    /// <param name="all">Also those of the present minute.</param>
    public async Task KeepCountsAsync(bool all)
    {
        foreach (var counted in tally.Take(all))
        {
            await NoteAsync(counted);
        }
    }
}
