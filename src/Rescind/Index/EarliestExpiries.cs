namespace Rescind;

/// <summary>
/// The earliest expiry in each 64 slots of a shard, and in each 64 of these groups: finds what has expired
/// without a look at what lives. Guarantees: no group is passed over in which something has expired. Trades
/// away: a group is looked at once in vain when its earliest entry was lifted or got a later expiry. Costs
/// 0.08 bytes an entry.
/// </summary>
internal sealed class EarliestExpiries
{
    /// <summary>Slots in a group, and groups in a block.</summary>
    public const int Fan = 64;

    private readonly uint[] _groups;
    private readonly uint[] _blocks;

    public EarliestExpiries(int slots)
    {
        _groups = new uint[(slots + Fan - 1) / Fan];
        _blocks = new uint[(_groups.Length + Fan - 1) / Fan];
        Array.Fill(_groups, LogEntry.Never);
        Array.Fill(_blocks, LogEntry.Never);
    }

    public long Bytes => (_groups.Length + _blocks.Length) * 4L;

    /// <summary>An entry came, or was given another expiry.</summary>
    public void Lower(int slot, uint expiry)
    {
        var group = slot / Fan;
        if (expiry < _groups[group])
        {
            _groups[group] = expiry;
            _blocks[group / Fan] = Math.Min(expiry, _blocks[group / Fan]);
        }
    }

    /// <summary>A group was looked through, and this is the earliest expiry left in it.</summary>
    public void Set(int group, uint earliest) => _groups[group] = earliest;

    /// <summary>The first group at or after one in which something may expire before a time, or −1. A block
    /// that has none any more is not looked at again until its time comes.</summary>
    public int NextDue(int from, uint before)
    {
        for (var block = from / Fan; block < _blocks.Length; block++)
        {
            if (_blocks[block] >= before)
            {
                continue;
            }
            var groups = _groups.AsSpan()[(block * Fan)..Math.Min((block + 1) * Fan, _groups.Length)];
            var earliest = LogEntry.Never;
            for (var i = 0; i < groups.Length; i++)
            {
                if (groups[i] < before && (block * Fan) + i >= from)
                {
                    return (block * Fan) + i;
                }
                earliest = Math.Min(earliest, groups[i]);
            }
            _blocks[block] = earliest;
        }
        return -1;
    }
}
