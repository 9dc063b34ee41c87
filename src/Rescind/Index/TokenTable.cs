namespace Rescind;

/// <summary>
/// All revoked tokens and sessions of a node, by key. Readers never lock and never allocate; one writer, who
/// holds the lock of <see cref="RevocationIndex"/>. Split into 256 shards by the top byte of the key, so that
/// growing copies a 256th of the table, not all of it: a writer is held up for about 1 ms per million
/// entries.
/// </summary>
internal sealed class TokenTable
{
    internal const int ShardCount = 256;

    /// <summary>Less than this is not worth a collection.</summary>
    private const long FewBytes = 64 * 1024 * 1024;

    private readonly TokenShard[] _shards = new TokenShard[ShardCount];
    private long _bytes;
    private long _replaced;

    public TokenTable() => Array.Fill(_shards, TokenShard.None);

    public long Bytes => Volatile.Read(ref _bytes);

    public bool Contains(UInt128 key)
    {
        var (low, high) = Halves(key);
        var shard = Volatile.Read(ref _shards[high >> 56]);
        var found = shard.Contains(low, high);
        GC.KeepAlive(shard); // its finalizer frees the memory that was just read
        return found;
    }

    /// <returns>Whether the entry is new.</returns>
    public bool Add_NeedsLock(UInt128 key, uint tag, uint expiry)
    {
        var (low, high) = Halves(key);
        var shard = _shards[high >> 56];
        if (shard.IsFull)
        {
            shard = Replace_NeedsLock((int)(high >> 56));
        }
        return shard.Add(low, high, expiry, tag);
    }

    /// <returns>Whether the entry was there.</returns>
    public bool Remove_NeedsLock(UInt128 key, uint tag)
    {
        var (low, high) = Halves(key);
        var shard = _shards[high >> 56];
        var slot = shard.Find(low, high, tag);
        if (slot >= 0)
        {
            shard.Remove(slot);
        }
        return slot >= 0;
    }

    /// <summary>The expiry of an entry, or null when it is not there.</summary>
    public uint? ExpiryOf_NeedsLock(UInt128 key, uint tag)
    {
        var (low, high) = Halves(key);
        var shard = _shards[high >> 56];
        var slot = shard.Find(low, high, tag);
        return slot < 0 ? null : shard.ExpiryAt(slot);
    }

    /// <summary>The tags of all entries with this key.</summary>
    public List<uint> TagsOf_NeedsLock(UInt128 key)
    {
        var (low, high) = Halves(key);
        var shard = _shards[high >> 56];
        var tags = new List<uint>();
        for (var slot = shard.Find(low, high, null); slot >= 0; slot = shard.Find(low, high, null, slot + 1))
        {
            tags.Add(shard.TagAt(slot));
        }
        return tags;
    }

    /// <summary>The live entries of one shard.</summary>
    public IEnumerable<(UInt128 Key, uint Tag, uint Expiry)> Entries_NeedsLock(int index)
    {
        var shard = _shards[index];
        for (var slot = shard.NextLive(0); slot >= 0; slot = shard.NextLive(slot + 1))
        {
            yield return (shard.KeyAt(slot), shard.TagAt(slot), shard.ExpiryAt(slot));
        }
    }

    /// <summary>Removes the entries of one shard that expire before a time, and rebuilds it once removals
    /// have left it a good deal emptier than it is large.</summary>
    /// <returns>The low halves of their keys and their expiries.</returns>
    public List<(ulong Low, uint Expiry)> Forget_NeedsLock(int index, uint before)
    {
        var dead = _shards[index].Forget(before);
        if (_shards[index].IsWasteful)
        {
            Replace_NeedsLock(index);
        }
        return dead;
    }

    private TokenShard Replace_NeedsLock(int index)
    {
        var old = _shards[index];
        var next = old.Rebuilt();
        _bytes += next.Bytes - (old == TokenShard.None ? 0 : old.Bytes);
        Volatile.Write(ref _shards[index], next);
        Collect_NeedsLock(old.Bytes);
        return next;
    }

    /// <summary>Only the collector knows when the last reader has left a replaced shard, and it does not see
    /// how much memory hangs on it: 12 GiB hung where 3 were in use. So it is asked, in the background, each
    /// time that as much was replaced as half the table.</summary>
    private void Collect_NeedsLock(long replaced)
    {
        _replaced += replaced;
        if (_replaced > Math.Max(FewBytes, _bytes / 2))
        {
            _replaced = 0;
            GC.Collect(GC.MaxGeneration, GCCollectionMode.Forced, blocking: false);
        }
    }

    private static (ulong Low, ulong High) Halves(UInt128 key) => ((ulong)key, (ulong)(key >> 64));
}
