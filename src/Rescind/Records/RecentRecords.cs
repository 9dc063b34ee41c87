namespace Rescind;

/// <summary>
/// The last records, in memory: the default when no store is chosen. Holds <see cref="Capacity"/> records;
/// the oldest goes when one more comes, and all go with the process.
/// </summary>
internal sealed class RecentRecords : IRevocationRecords
{
    public const int Capacity = 10_000;

    private readonly Lock _gate = new();
    private readonly Dictionary<RevocationId, (ulong Number, Revocation Record)> _byId = [];
    private readonly Queue<RevocationId> _order = [];
    private ulong _last;

    public ValueTask AddAsync(IReadOnlyList<Revocation> records, CancellationToken cancel)
    {
        lock (_gate)
        {
            foreach (var record in records)
            {
                Add_NeedsLock(record);
            }
        }
        return ValueTask.CompletedTask;
    }

    public ValueTask<IReadOnlyList<Revocation>> FindAsync(
        IReadOnlyList<RevocationId> ids, CancellationToken cancel)
    {
        lock (_gate)
        {
            return ValueTask.FromResult<IReadOnlyList<Revocation>>(
                [.. ids.Where(_byId.ContainsKey).Select(id => _byId[id].Record)]);
        }
    }

    public ValueTask<RevocationPage> ListAsync(RevocationQuery query, CancellationToken cancel)
    {
        var before = ulong.MaxValue;
        if (query.Cursor is { } cursor && !ulong.TryParse(cursor, out before))
        {
            throw new ArgumentException("The cursor is not one that a page gave.", nameof(query));
        }
        List<(ulong Number, Revocation Record)> found;
        lock (_gate)
        {
            found = [.. _byId.Values.Where(kept => kept.Number < before && IsAsked(kept.Record, query))
                .OrderByDescending(kept => kept.Number).Take(query.Limit + 1)];
        }
        var page = found.Take(query.Limit).ToList();
        return ValueTask.FromResult(new RevocationPage(
            [.. page.Select(kept => kept.Record)],
            found.Count > query.Limit ? page[^1].Number.ToString() : null));
    }

    private static bool IsAsked(Revocation record, RevocationQuery query) =>
        (query.Kind is null || record.Kind == query.Kind)
        && (query.Issuer is null || record.Issuer == query.Issuer)
        && (query.Value is null || record.Value == query.Value)
        && (query.Reason is null || record.Reason == query.Reason)
        && (query.Since is null || record.MadeAt >= query.Since)
        && (query.Until is null || record.MadeAt < query.Until);

    private void Add_NeedsLock(Revocation record)
    {
        if (_byId.TryGetValue(record.Id, out var known))
        {
            _byId[record.Id] = (known.Number, RecordKeeper.Merge(known.Record, record));
            return;
        }
        if (_order.Count == Capacity)
        {
            _byId.Remove(_order.Dequeue());
        }
        _order.Enqueue(record.Id);
        _byId.Add(record.Id, (++_last, record));
    }
}
