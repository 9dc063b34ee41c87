namespace Rescind.Server.Mirror;

/// <summary>The records of revocations, which alone know original values; each is told to the mirror
/// too.</summary>
internal sealed class MirroredRecords(IRevocationRecords records, MirrorQueue queue) : IRevocationRecords
{
    public ValueTask AddAsync(IReadOnlyList<Revocation> added, CancellationToken cancel)
    {
        foreach (var record in added)
        {
            queue.Add(new MirrorItem.Recorded(record));
        }
        return records.AddAsync(added, cancel);
    }

    public ValueTask<IReadOnlyList<Revocation>> FindAsync(
        IReadOnlyList<RevocationId> ids, CancellationToken cancel) => records.FindAsync(ids, cancel);

    public ValueTask<RevocationPage> ListAsync(RevocationQuery query, CancellationToken cancel) =>
        records.ListAsync(query, cancel);
}
