// What a process that was killed left behind. A revocation counts from the moment it is stored, and its
// record is on this node's disk; but the event that carries the record over, and is the trail's word of it,
// is only kept with the answer. So the next process looks once what of the last day the database lacks.
using Microsoft.EntityFrameworkCore;
using Rescind.Server.Answers;
using Rescind.Server.Audit;
using Rescind.Server.Database;
using Rescind.Server.Operations;

namespace Rescind.Server.Records;

internal sealed class LeftBehind(
    SqliteStore files, AccountStore store, AuditShipper shipper, AuditTrail trail, Blacklist blacklist,
    TimeProvider clock, ILogger<LeftBehind> logger) : LastingService(clock, logger)
{
    private const int Page = 1_000;
    private const string Remark = "kept at a later start";
    private static readonly TimeSpan LookedBack = TimeSpan.FromDays(1);
    private static readonly TimeSpan Retry = TimeSpan.FromSeconds(2);

    protected override async Task RunAsync(CancellationToken cancel)
    {
        var start = Clock.GetUtcNow();
        while (!await TryAsync(start, cancel))
        {
            await Task.Delay(Retry, Clock, cancel);
        }
    }

    /// <returns>False while the database is away, or this node does not know what is revoked.</returns>
    private async Task<bool> TryAsync(DateTimeOffset start, CancellationToken cancel)
    {
        if (!blacklist.GetStatus().Fresh)
        {
            return false;
        }
        try
        {
            await shipper.ShipAsync(cancel);
            for (string? cursor = null; ;)
            {
                var page = await files.Records.ListAsync(
                    new RevocationQuery
                    {
                        Since = start - LookedBack, Until = start, Limit = Page, Cursor = cursor,
                    },
                    cancel);
                await KeepAsync(page.Items, cancel);
                if ((cursor = page.Next) is null)
                {
                    return true;
                }
            }
        }
        catch (Exception fault) when (FaultHandler.IsDatabaseAway(fault))
        {
            return false;
        }
    }

    private async Task KeepAsync(IReadOnlyList<Revocation> records, CancellationToken cancel)
    {
        var ids = records.Select(one => one.Id.ToString()).ToList();
        var known = await store.ReadAsync(
            db => db.Revocations.Where(row => ids.Contains(row.Id))
                .ToDictionaryAsync(row => row.Id, row => row.LiftedAt, cancel),
            cancel);
        foreach (var one in records)
        {
            var isKnown = known.TryGetValue(one.Id.ToString(), out var liftedAt);

            // A record is written beside the log's entry, and one that the log did not take is none.
            if (!isKnown && blacklist.Find(one.Kind, one.Issuer, one.Value).Contains(one.Id))
            {
                await NoteAsync(one with { LiftedAt = null, LiftedBy = null, LiftReason = null });
            }
            if (one.LiftedAt is not null && liftedAt is null)
            {
                await NoteAsync(one);
            }
        }
    }

    private Task NoteAsync(Revocation one)
    {
        var happened = AuditNotes.EventOf(one);
        return trail.NoteAsync(happened with { Note = $"{Remark} {happened.Note}".TrimEnd() });
    }
}
