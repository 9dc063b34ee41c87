using Microsoft.EntityFrameworkCore;
using Rescind.Server.Answers;
using Rescind.Server.Database;

namespace Rescind.Server.Audit;

/// <summary>The first event of a chain that is not as it was written.</summary>
internal sealed record BrokenEvent(long Number, string Problem);

/// <summary>How a node's chain was found.</summary>
/// <param name="Node">The chain.</param>
/// <param name="Events">How many events of it are there.</param>
/// <param name="Head">The hash of the newest.</param>
/// <param name="FirstBroken">Null: the chain is whole.</param>
internal sealed record ChainBody(string Node, long Events, string? Head, BrokenEvent? FirstBroken);

/// <summary>The answer of <see cref="VerifyAudit"/>.</summary>
internal sealed record VerifyAuditAnswer : Answer
{
    public required bool Intact { get; init; }

    public required IReadOnlyList<ChainBody> Nodes { get; init; }
}

/// <summary><c>GET /api/auth/admin/audit/verify</c>: reads every chain from its beginning, or from where
/// retention cut it, and says whether anything was changed, dropped or reordered.</summary>
internal sealed class VerifyAudit(AccountStore store, AuditShipper shipper, AuditSpool spool, AuditKey key)
{
    private const int Page = 1_000;

    public async Task<IResult> AnswerAsync(HttpContext context)
    {
        var cancel = context.RequestAborted;
        await shipper.ShipAsync(cancel);
        var (own, number) = spool.Carried;
        var chains = await store.ReadAsync(ReadChainsAsync, cancel);
        if (number > 0 && !chains.Contains(own))
        {
            chains.Add(own);
        }
        var nodes = new List<ChainBody>();
        foreach (var chain in chains.Order(StringComparer.Ordinal))
        {
            nodes.Add(await store.ReadAsync(
                db => VerifyAsync(db, chain, chain == own ? number : 0, cancel), cancel));
        }
        var intact = nodes.All(node => node.FirstBroken is null);
        return TypedResults.Json(new VerifyAuditAnswer
        {
            Message = intact ? "The audit trail is intact." : "The audit trail is NOT intact.",
            Intact = intact,
            Nodes = nodes,
        });
    }

    private static async Task<List<string>> ReadChainsAsync(AccountsDb db) =>
        await db.AuditEvents.Select(row => row.Chain)
            .Union(db.AuditAnchors.Select(anchor => anchor.Chain)).ToListAsync();

    private static Task<AuditAnchor?> AnchorOf(AccountsDb db, string chain, CancellationToken cancel) =>
        db.AuditAnchors.SingleOrDefaultAsync(one => one.Chain == chain, cancel);

    /// <param name="db">The database.</param>
    /// <param name="chain">Which chain.</param>
    /// <param name="known">The number up to which this node knows that the chain goes.</param>
    /// <param name="cancel">Gives up.</param>
    private async Task<ChainBody> VerifyAsync(
        AccountsDb db, string chain, long known, CancellationToken cancel)
    {
        var anchor = await AnchorOf(db, chain, cancel);
        var (number, hash, events) = (anchor?.Number ?? 0, anchor?.Hash ?? AuditChain.Beginning, 0L);
        BrokenEvent? broken = anchor is null ? null : AuditChain.FaultOf(anchor, key);
        while (broken is null)
        {
            var after = number;
            var rows = await db.AuditEvents.Where(row => row.Chain == chain && row.Number > after)
                .OrderBy(row => row.Number).Take(Page).ToListAsync(cancel);
            foreach (var row in rows.TakeWhile(_ => broken is null))
            {
                broken = AuditChain.FaultOf(row, number, hash, key);
                (number, hash, events) = (row.Number, row.Hash, events + 1);
            }
            if (rows.Count < Page)
            {
                break;
            }
        }
        if (broken is null && number < known)
        {
            broken = new BrokenEvent(number + 1, "missing: this node wrote it");
        }
        if (broken is not null && (await AnchorOf(db, chain, cancel))?.Number != anchor?.Number)
        {
            // Retention has cut the chain in between.
            return await VerifyAsync(db, chain, known, cancel);
        }
        return new ChainBody(chain, events, events == 0 ? null : Convert.ToHexStringLower(hash), broken);
    }
}
