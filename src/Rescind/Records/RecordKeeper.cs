using Microsoft.Extensions.Logging;

namespace Rescind;

/// <summary>
/// Writes and reads records for the façade. A fault of the records never becomes a fault of the revocation:
/// it is logged, and the revocation counts.
/// </summary>
internal sealed class RecordKeeper(IRevocationRecords records, ILogger logger)
{
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

    public async ValueTask WriteLiftsAsync(
        IReadOnlyList<RevocationId> lifted, string reason, string actor, DateTimeOffset now)
    {
        var known = await ReadAsync(lifted, CancellationToken.None);
        if (known.Count != 0)
        {
            await WriteAsync([.. known.Select(
                record => record with { LiftedAt = now, LiftedBy = actor, LiftReason = reason })]);
        }
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
        return Revocation.Of(id.Kind, token.Issuer, value!) with { Id = id, Reason = "not_recorded" };
    }
}
