namespace Rescind;

/// <summary>Keeps for people what the index has no room for: the original values, who, why and when. A check
/// never asks it, and a revocation counts whether or not its record could be written.</summary>
public interface IRevocationRecords
{
    /// <summary>Keeps records. A record whose id is known replaces the earlier one, with two exceptions: a
    /// lift that is known stays; and a record with the reason <c>not_recorded</c> and no actor, which a node
    /// writes that lifts what it has no record of, adds its lift and nothing else.</summary>
    /// <param name="records">At most <see cref="BlacklistOptions.LargestBatch"/>.</param>
    /// <param name="cancel">Gives up.</param>
    ValueTask AddAsync(IReadOnlyList<Revocation> records, CancellationToken cancel);

    /// <summary>Finds records by id; ids without a record are left out.</summary>
    /// <param name="ids">The ids.</param>
    /// <param name="cancel">Gives up.</param>
    ValueTask<IReadOnlyList<Revocation>> FindAsync(IReadOnlyList<RevocationId> ids, CancellationToken cancel);

    /// <summary>Lists records, newest first.</summary>
    /// <param name="query">What to list.</param>
    /// <param name="cancel">Gives up.</param>
    ValueTask<RevocationPage> ListAsync(RevocationQuery query, CancellationToken cancel);
}
