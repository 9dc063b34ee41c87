using Microsoft.Extensions.Logging;

namespace Rescind;

/// <summary>
/// Writes and reads records for the façade. A fault of the records never becomes a fault of the revocation:
/// it is logged, and the revocation counts.
/// </summary>
internal sealed class RecordKeeper(IRevocationRecords records, ILogger logger)
{
    private const string NotRecorded = "not_recorded";

    public async ValueTask WriteAsync(IReadOnlyList<Revocation> made)
    {
        try
        {
            await records.AddAsync(made, CancellationToken.None);
        }
        catch (Exception fault)
        {
            Log.RecordsNotWritten(logger, made.Count, fault.Message);
        }
    }

    /// <summary>Writes that rules were lifted. One that has no record here, because another node made it or
    /// its record is only just being written, gets one that stands in for it.</summary>
    public async ValueTask WriteLiftsAsync(
        IReadOnlyList<LogEntry> lifted, string reason, string actor, DateTimeOffset now)
    {
        var known = await ReadAsync([.. lifted.Select(rule => rule.Id)], CancellationToken.None);
        var missing = lifted.ExceptBy(known.Select(record => record.Id), rule => rule.Id)
            .Select(rule => StandIn(rule, now));
        await WriteAsync([.. known.Concat(missing).Select(
            record => record with { LiftedAt = now, LiftedBy = actor, LiftReason = reason })]);
    }

    /// <summary>The records of ids; none when they cannot be read.</summary>
    public async ValueTask<IReadOnlyList<Revocation>> ReadAsync(
        IReadOnlyList<RevocationId> ids, CancellationToken cancel)
    {
        try
        {
            return await records.FindAsync(ids, cancel);
        }
        catch (Exception fault) when (!cancel.IsCancellationRequested)
        {
            Log.RecordsNotRead(logger, fault.Message);
            return [];
        }
    }

    /// <summary>What can be said of a rule that has no record: what it names, taken from the token it hits.
    /// </summary>
    public static Revocation Unrecorded(RevocationId id, TokenFacts token)
    {
        var value = id.Kind switch
        {
            RuleKind.Token => token.TokenId,
            RuleKind.Session => token.Session,
            RuleKind.Subject => token.Subject,
            RuleKind.Client => token.Client,
            RuleKind.Key => token.KeyId,
            _ => token.Issuer,
        };
        return Revocation.Of(id.Kind, token.Issuer, value!) with { Id = id, Reason = NotRecorded };
    }

    /// <summary>What becomes of a record when one of the same id is written: a lift stays, and what stands in
    /// gives way, whichever came first.</summary>
    public static Revocation Merge(Revocation known, Revocation written)
    {
        var (record, lift) = (StandsIn(written) ? known : written, known.LiftedAt is null ? written : known);
        return record with
        {
            LiftedAt = lift.LiftedAt, LiftedBy = lift.LiftedBy, LiftReason = lift.LiftReason,
        };
    }

    /// <summary>All that the log knows of a rule; for a token or a session that is no more than its id. It
    /// counts as made when it was lifted.</summary>
    private static Revocation StandIn(LogEntry rule, DateTimeOffset now) =>
        Revocation.Of(rule.Id.Kind, rule.Issuer ?? "", rule.Value ?? "") with
        {
            Id = rule.Id, Reason = NotRecorded, MadeAt = now,
            IssuedBefore = rule.Value is null || rule.Cutoff >= LogEntry.LatestCutoff
                ? null
                : rule.IssuedBefore,
        };

    private static bool StandsIn(Revocation record) => record is { Reason: NotRecorded, Actor: "" };
}
