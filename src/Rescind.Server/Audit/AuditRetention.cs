using Microsoft.EntityFrameworkCore;
using Rescind.Server.Database;
using Rescind.Server.Settings;

namespace Rescind.Server.Audit;

/// <summary>Deletes events that are past their time. Of each chain only the beginning goes, and a signed
/// anchor takes its place in the same transaction, so that verification goes on from there and nobody else
/// can cut a chain short.</summary>
internal sealed class AuditRetention(
    AccountStore store, AuditKey key, ServerSettings settings, TimeProvider clock)
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
            while (await store.WriteAsync(db => PruneAsync(db, chain, oldest), cancel) is > 0 and var step)
            {
                dropped += step;
            }
        }
        return dropped;
    }

    private async Task<int> PruneAsync(AccountsDb db, string chain, DateTime oldest)
    {
        var rows = db.AuditEvents.Where(row => row.Chain == chain);
        var kept = await rows.Where(row => row.Timestamp >= oldest).MinAsync(row => (long?)row.Number)
            ?? long.MaxValue;
        var last = await rows.AsNoTracking().Where(row => row.Number < kept).OrderBy(row => row.Number)
            .Take(LargestStep).OrderByDescending(row => row.Number).FirstOrDefaultAsync();
        if (last is null)
        {
            return 0;
        }
        var anchor = await db.AuditAnchors.SingleOrDefaultAsync(one => one.Chain == chain);
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
}
