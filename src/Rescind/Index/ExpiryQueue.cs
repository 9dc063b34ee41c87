namespace Rescind;

/// <summary>Ids in the order in which they expire: finds what has expired without a look at what lives. An id
/// stays in line when it is lifted, and stands there twice when it was given a later expiry; whoever takes it
/// asks whether it is due.</summary>
internal sealed class ExpiryQueue
{
    private readonly PriorityQueue<RevocationId, uint> _line = new();

    public long Bytes => _line.Count * 48L;

    public void Add(RevocationId id, uint expiry)
    {
        if (expiry != LogEntry.Never)
        {
            _line.Enqueue(id, expiry);
        }
    }

    /// <summary>Takes out what expires before a time, in Unix seconds.</summary>
    public IEnumerable<RevocationId> TakeDue(long before)
    {
        while (_line.TryPeek(out var id, out var expiry) && expiry < before)
        {
            _line.Dequeue();
            yield return id;
        }
    }
}
