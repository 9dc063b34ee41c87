// The records of all nodes, in the database that they share. What it guarantees: revoking never waits for the
// database: a record is kept on this node's disk, and carried over with its audit event, in order, also after
// an outage. While the database is away a list shows what this node made, and an explanation names what it
// knows.
using System.Globalization;
using Microsoft.EntityFrameworkCore;
using Rescind.Server.Answers;
using Rescind.Server.Audit;
using Rescind.Server.Database;

namespace Rescind.Server.Records;

internal sealed class SharedRecords(
    IRevocationRecords own, AccountStore store, AuditShipper shipper, ILogger<SharedRecords> logger)
    : IRevocationRecords
{
    public ValueTask AddAsync(IReadOnlyList<Revocation> records, CancellationToken cancel) =>
        own.AddAsync(records, cancel);

    public async ValueTask<IReadOnlyList<Revocation>> FindAsync(
        IReadOnlyList<RevocationId> ids, CancellationToken cancel)
    {
        var found = await own.FindAsync(ids, cancel);

        // What stands in for a record here may have it there.
        var whole = found.Where(one => !RevocationRow.Of(one).StandsIn).Select(one => one.Id);
        var missing = ids.Except(whole).Select(id => id.ToString()).ToList();
        if (missing.Count == 0)
        {
            return found;
        }
        var rows = await TryAsync(
            db => db.Revocations.Where(row => missing.Contains(row.Id)).ToListAsync(cancel), cancel);
        return rows is null
            ? found
            : [.. rows.Select(row => row.ToRevocation()).Concat(found).DistinctBy(one => one.Id)];
    }

    public async ValueTask<RevocationPage> ListAsync(RevocationQuery query, CancellationToken cancel)
    {
        var after = Place.Parse(query.Cursor);
        if (query.Cursor is not null && after is null)
        {
            // A page of this node alone is continued as such; or the cursor is none.
            return await own.ListAsync(query, cancel);
        }
        var rows = await TryAsync(
            async db => await Asked(db, query, after).Take(query.Limit + 1).ToListAsync(cancel), cancel);
        if (rows is null)
        {
            return query.Cursor is null
                ? await own.ListAsync(query, cancel)
                : throw new IOException("The accounts database is away, which knows the next page.");
        }
        var page = rows.Take(query.Limit).ToList();
        return new RevocationPage(
            [.. page.Select(row => row.ToRevocation())],
            rows.Count > query.Limit ? new Place(page[^1].MadeAt, page[^1].Id).ToString() : null);
    }

    /// <summary>Puts records into the database. A lift that is there already stays, and what stands in for a
    /// record gives way to it, whichever node's news come first.</summary>
    public static async Task PutAsync(AccountsDb db, IReadOnlyList<RevocationRow> rows)
    {
        var ids = rows.Select(row => row.Id).ToList();
        var known = await db.Revocations.Where(row => ids.Contains(row.Id)).ToDictionaryAsync(row => row.Id);
        foreach (var row in rows)
        {
            if (known.TryAdd(row.Id, row))
            {
                db.Revocations.Add(row);
            }
            else
            {
                Merge(db, known[row.Id], row);
            }
        }
    }

    private static void Merge(AccountsDb db, RevocationRow known, RevocationRow row)
    {
        var lift = known.LiftedAt is null ? row : known;
        var (at, by, reason) = (lift.LiftedAt, lift.LiftedBy, lift.LiftReason);
        if (known.StandsIn)
        {
            db.Entry(known).CurrentValues.SetValues(row);
        }
        (known.LiftedAt, known.LiftedBy, known.LiftReason) = (at, by, reason);
    }

    private static IQueryable<RevocationRow> Asked(AccountsDb db, RevocationQuery query, Place? after)
    {
        var (since, until) = (query.Since?.UtcDateTime, query.Until?.UtcDateTime);
        var rows = db.Revocations.Where(row => (query.Kind == null || row.Kind == query.Kind)
            && (query.Issuer == null || row.Issuer == query.Issuer)
            && (query.Value == null || row.Value == query.Value)
            && (query.Reason == null || row.Reason == query.Reason)
            && (since == null || row.MadeAt >= since) && (until == null || row.MadeAt < until));
        if (after is not null)
        {
            rows = rows.Where(row => row.MadeAt < after.MadeAt
                || (row.MadeAt == after.MadeAt && string.Compare(row.Id, after.Id) < 0));
        }
        return rows.OrderByDescending(row => row.MadeAt).ThenByDescending(row => row.Id);
    }

    /// <summary>Reads, after what this node has not carried over yet; null while the database is
    /// away.</summary>
    private async Task<List<RevocationRow>?> TryAsync(
        Func<AccountsDb, Task<List<RevocationRow>>> read, CancellationToken cancel)
    {
        try
        {
            await shipper.ShipAsync(cancel);
            return await store.ReadAsync(read, cancel);
        }
        catch (Exception fault) when (FaultHandler.IsDatabaseAway(fault))
        {
            Log.OwnRecordsOnly(logger, fault.GetBaseException().Message);
            return null;
        }
    }

    /// <summary>Where a page ended.</summary>
    private sealed record Place(DateTime MadeAt, string Id)
    {
        private const char Mark = '_';

        public override string ToString() => $"{MadeAt.Ticks}{Mark}{Id}";

        public static Place? Parse(string? cursor)
        {
            var parts = cursor?.Split(Mark, 2) ?? [];
            return parts.Length == 2
                && long.TryParse(parts[0], NumberStyles.None, CultureInfo.InvariantCulture, out var ticks)
                && ticks <= DateTime.MaxValue.Ticks
                    ? new Place(new DateTime(ticks, DateTimeKind.Utc), parts[1])
                    : null;
        }
    }
}
