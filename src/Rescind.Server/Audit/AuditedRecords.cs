namespace Rescind.Server.Audit;

/// <summary>The records of revocations, through which every revocation and lift of this node goes; each
/// becomes an event of its request, or at once when no request made it.</summary>
internal sealed class AuditedRecords(
    IRevocationRecords records, IHttpContextAccessor requests, AuditTrail trail) : IRevocationRecords
{
    public async ValueTask AddAsync(IReadOnlyList<Revocation> added, CancellationToken cancel)
    {
        if (requests.HttpContext is { } context)
        {
            AuditNotes.Of(context).Add(added);
            await records.AddAsync(added, cancel);
            return;
        }
        await records.AddAsync(added, cancel);
        foreach (var one in added)
        {
            await trail.NoteAsync(AuditNotes.EventOf(one));
        }
    }

    public ValueTask<IReadOnlyList<Revocation>> FindAsync(
        IReadOnlyList<RevocationId> ids, CancellationToken cancel) => records.FindAsync(ids, cancel);

    public ValueTask<RevocationPage> ListAsync(RevocationQuery query, CancellationToken cancel) =>
        records.ListAsync(query, cancel);
}
