using Microsoft.EntityFrameworkCore;
using Rescind.Server.Database;
using Rescind.Server.Settings;

namespace Rescind.Server.Audit;

/// <summary>Deletes events that are past their time. Of each chain only the beginning goes, and a signed
/// anchor takes its place in the same transaction, so that verification goes on from there and nobody else
/// can cut a chain short. What was changed is not deleted: else whoever can write to the database would only
/// have to make events look old, and this would delete them and sign for it. What this node has no key for is
/// deleted unread, and the log says so.</summary>
internal sealed class AuditRetention(
    AccountStore store, AuditKey key, ServerSettings settings, TimeProvider clock,
    ILogger<AuditRetention> logger)
{
    private const int LargestStep = 10_000;

    /// <summary>Deletes what is older than the retention.</summary>
    /// <returns>How many events went.</returns>
    public async Task<long> PruneAsync(CancellationToken cancel)
    {
        var oldest = clock.GetUtcNow().UtcDateTime - settings.AuditRetention;
        var chains = await store.ReadAsync(
            db => db.AuditEvents.Where(row => row.Timestamp < oldest).Select(row => row.Chain).Distinct()
                .ToListAsync(cancel),
            cancel);
        var dropped = 0L;
        foreach (var chain in chains)
        {
            while (await store.WriteSharedAsync(db => PruneAsync(db, chain, oldest)) is > 0 and var step)
            {
                dropped += step;
                cancel.ThrowIfCancellationRequested();
            }
        }
        return dropped;
    }

    private async Task<int> PruneAsync(AccountsDb db, string chain, DateTime oldest)
    {
        var rows = db.AuditEvents.Where(row => row.Chain == chain);
        var anchor = await db.AuditAnchors.SingleOrDefaultAsync(one => one.Chain == chain);
        var first = await rows.AsNoTracking().OrderBy(row => row.Number).Take(LargestStep).ToListAsync();
        var old = first.TakeWhile(row => row.Timestamp < oldest).ToList();
        if (old.Count == 0 || !IsIntact(chain, anchor, old))
        {
            return 0;
        }
        var last = old[^1];
        if (anchor is null)
        {
            anchor = new AuditAnchor
            {
                Chain = chain, Number = 0, Hash = [], PrunedAt = default, KeyId = "", Signature = [],
            };
            db.AuditAnchors.Add(anchor);
        }
        anchor.Number = last.Number;
        anchor.Hash = last.Hash;
        anchor.PrunedAt = AuditChain.Rounded(clock.GetUtcNow().UtcDateTime);
        anchor.KeyId = key.Id;
        anchor.Signature = AuditChain.SignatureOf(anchor, key);
        await db.SaveChangesAsync();
        return await rows.Where(row => row.Number <= last.Number).ExecuteDeleteAsync();
    }

    /// <summary>Whether these are the events that were written, as far as this node can tell.</summary>
    private bool IsIntact(string chain, AuditAnchor? anchor, List<AuditRow> rows)
    {
        if (rows.Exists(row => row.KeyId != key.Id) || (anchor is not null && anchor.KeyId != key.Id))
        {
            Log.AuditPrunedUnread(logger, rows.Count, chain);
            return true;
        }
        var broken = anchor is null ? null : AuditChain.FaultOf(anchor, key);
        var (number, hash) = (anchor?.Number ?? 0, anchor?.Hash ?? AuditChain.Beginning);
        foreach (var row in rows.TakeWhile(_ => broken is null))
        {
            broken = AuditChain.FaultOf(row, number, hash, key);
            (number, hash) = (row.Number, row.Hash);
        }
        if (broken is not null)
        {
            Log.AuditNotPruned(logger, chain, broken.Number, broken.Problem);
        }
        return broken is null;
    }
}
