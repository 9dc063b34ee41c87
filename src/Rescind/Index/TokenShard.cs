namespace Rescind;

/// <summary>
/// A hash table of fixed size in native memory: one of the shards of <see cref="TokenTable"/>.
/// Guarantees: any number of readers beside one writer; a reader sees every entry that was published before
/// it began, and never half an entry. Trades away: a removed entry keeps its slot until the shard is rebuilt.
/// </summary>
/// <remarks>
/// Layout of the one allocation: lines of 64 bytes, each four keys of 16 bytes; then for each slot 8 bytes
/// that only the writer reads (expiry, tag); then a filter of 64-bit words in which each key sets four bits
/// of one word. A miss, the usual case, reads one word of the filter. At the fullest (90 % of slots) an entry
/// costs 26.7 bytes and 1.4 for the filter; just after a rebuild (80 %) 30 and 1.6. What expires next is kept
/// apart, see <see cref="EarliestExpiries"/>.
/// Memory order: the writer sets filter and side column, then the high half of the key, and publishes with a
/// release write of the low half; readers load the low half with acquire first. The low half is never 0
/// (empty) or 7 (removed) for a real key, see <see cref="TokenKey"/>. A reused slot can show a reader the low
/// half of the key that left and the high half of the one that came; neither is the key it looks for, so it
/// reads on. The memory is freed by the finalizer, so a reader that still holds a replaced shard reads it
/// safely.
/// </remarks>
internal sealed unsafe class TokenShard
{
    private const int SlotsPerLine = 4;
    private const ulong Empty = 0;
    private const ulong Removed = 7;

    private readonly ulong* _lines;
    private readonly ulong* _side;
    private readonly ulong* _filter;
    private readonly EarliestExpiries _earliest;
    private readonly uint _lineCount;
    private readonly uint _filterWords;
    private readonly int _fullAt;
    private readonly long _size;

    /// <summary>Holds nothing and is full: what a table begins with, so that only shards with entries cost
    /// memory and a finalizer.</summary>
    public static readonly TokenShard None = new(0, isFull: true);

    public TokenShard(int entries)
        : this(entries, isFull: false)
    {
    }

    private TokenShard(int entries, bool isFull)
    {
        _lineCount = (uint)(entries / (SlotsPerLine * 0.80)) + 2;
        var slots = (long)_lineCount * SlotsPerLine;
        _fullAt = isFull ? 0 : (int)(slots * 0.90);
        _filterWords = (uint)(slots * 10 / 64) + 1;
        _earliest = new EarliestExpiries((int)slots);
        _size = (slots * 24) + (_filterWords * 8L);
        _lines = (ulong*)ShardMemory.Take(_size);
        _side = _lines + (slots * 2);
        _filter = _side + slots;
        GC.AddMemoryPressure(_size);
    }

#pragma warning disable MA0055 // only the collector knows when the last reader has let go
    ~TokenShard()
    {
        ShardMemory.Return(_lines, _size);
        GC.RemoveMemoryPressure(_size);
    }
#pragma warning restore MA0055

    public long Bytes => _size + _earliest.Bytes;

    /// <summary>Entries that count; the writer's.</summary>
    public int Live { get; private set; }

    /// <summary>Slots that are not empty, removed ones included; the writer's.</summary>
    public int Used { get; private set; }

    public bool IsFull => Used >= _fullAt;

    /// <summary>Whether so many slots are wasted that a rebuild pays.</summary>
    public bool IsWasteful => Used - Live > 64 && Used - Live > Used / 8;

    private int SlotCount => (int)_lineCount * SlotsPerLine;

    /// <summary>The reader's only call.</summary>
    public bool Contains(ulong low, ulong high)
    {
        var mask = FilterMask(high);
        if ((_filter[FilterWord(high)] & mask) != mask)
        {
            return false;
        }
        for (var line = FirstLine(low); ; line = line + 1 == _lineCount ? 0 : line + 1)
        {
            var slot = _lines + ((long)line * SlotsPerLine * 2);
            for (var i = 0; i < SlotsPerLine * 2; i += 2)
            {
                var found = Volatile.Read(ref slot[i]);
                if (found == low && slot[i + 1] == high)
                {
                    return true;
                }
                if (found == Empty)
                {
                    return false;
                }
            }
        }
    }

    /// <summary>Adds an entry; one that is there already only gains the later expiry, and is looked at in
    /// vain at the earlier one.</summary>
    /// <returns>Whether it is new.</returns>
    public bool Add(ulong low, ulong high, uint expiry, uint tag)
    {
        var free = -1;
        for (var slot = (int)FirstLine(low) * SlotsPerLine; ; slot = slot + 1 == SlotCount ? 0 : slot + 1)
        {
            var found = _lines[2L * slot];
            if (found == low && _lines[(2L * slot) + 1] == high && TagAt(slot) == tag)
            {
                _side[slot] = Side(Math.Max(expiry, ExpiryAt(slot)), tag);
                return false;
            }
            if (found == Removed && free < 0)
            {
                free = slot;
            }
            if (found == Empty)
            {
                Publish(free < 0 ? slot : free, low, high, Side(expiry, tag));
                return true;
            }
        }
    }

    /// <summary>Finds the slot of an entry, or −1. With no tag, the first at or after
    /// <paramref name="from"/> with this key.</summary>
    public int Find(ulong low, ulong high, uint? tag, int from = -1)
    {
        for (var slot = from < 0 ? (int)FirstLine(low) * SlotsPerLine : from; ; slot++)
        {
            slot = slot == SlotCount ? 0 : slot;
            var found = _lines[2L * slot];
            if (found == Empty)
            {
                return -1;
            }
            if (found == low && _lines[(2L * slot) + 1] == high && (tag is null || TagAt(slot) == tag))
            {
                return slot;
            }
        }
    }

    public uint ExpiryAt(int slot) => (uint)_side[slot];

    public uint TagAt(int slot) => (uint)(_side[slot] >> 32);

    public UInt128 KeyAt(int slot) => new(_lines[(2L * slot) + 1], _lines[2L * slot]);

    public void Remove(int slot)
    {
        Volatile.Write(ref _lines[2L * slot], Removed);
        Live--;
    }

    /// <summary>Removes what expires before a time, and looks at nothing but the groups of slots in which
    /// something does.</summary>
    /// <returns>The low halves of their keys and their expiries.</returns>
    public List<(ulong Low, uint Expiry)> Forget(uint before)
    {
        var dead = new List<(ulong Low, uint Expiry)>();
        for (var group = _earliest.NextDue(0, before); group >= 0;
            group = _earliest.NextDue(group + 1, before))
        {
            _earliest.Set(group, ForgetIn(group, before, dead));
        }
        return dead;
    }

    /// <summary>The next slot at or after <paramref name="from"/> that holds an entry, or −1.</summary>
    public int NextLive(int from)
    {
        for (var slot = from; slot < SlotCount; slot++)
        {
            if (_lines[2L * slot] is not (Empty or Removed))
            {
                return slot;
            }
        }
        return -1;
    }

    /// <summary>A shard with the same live entries and room for more.</summary>
    public TokenShard Rebuilt()
    {
        var next = new TokenShard(Live + 1);
        for (var slot = NextLive(0); slot >= 0; slot = NextLive(slot + 1))
        {
            next.Add(_lines[2L * slot], _lines[(2L * slot) + 1], ExpiryAt(slot), TagAt(slot));
        }
        return next;
    }

    /// <returns>The earliest expiry left.</returns>
    private uint ForgetIn(int group, uint before, List<(ulong Low, uint Expiry)> dead)
    {
        var earliest = LogEntry.Never;
        var end = Math.Min((group + 1) * EarliestExpiries.Fan, SlotCount);
        for (var slot = group * EarliestExpiries.Fan; slot < end; slot++)
        {
            var expiry = ExpiryAt(slot);
            if (expiry >= before)
            {
                earliest = Math.Min(earliest, expiry);
            }
            else if (_lines[2L * slot] is var low and not (Empty or Removed))
            {
                dead.Add((low, expiry));
                Remove(slot);
            }
        }
        return earliest;
    }

    private void Publish(int slot, ulong low, ulong high, ulong side)
    {
        Used += _lines[2L * slot] == Empty ? 1 : 0;
        Live++;
        _filter[FilterWord(high)] |= FilterMask(high);
        _side[slot] = side;
        _earliest.Lower(slot, (uint)side);
        Volatile.Write(ref _lines[(2L * slot) + 1], high);
        Volatile.Write(ref _lines[2L * slot], low);
    }

    private static ulong Side(uint expiry, uint tag) => expiry | ((ulong)tag << 32);

    private uint FirstLine(ulong low) => (uint)(((low >> 32) * _lineCount) >> 32);

    private uint FilterWord(ulong high) => (uint)(((ulong)(uint)high * _filterWords) >> 32);

    private static ulong FilterMask(ulong high) =>
        (1UL << (int)(high >> 32)) | (1UL << (int)(high >> 38)) | (1UL << (int)(high >> 44))
        | (1UL << (int)(high >> 50));
}
