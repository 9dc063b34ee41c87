using System.Buffers.Binary;

namespace Rescind.Redis;

/// <summary>Several entries in one stream entry.</summary>
internal readonly record struct EntryPack(int Count, byte[] Bytes);

/// <summary>What the bytes of a stream entry turned out to be.</summary>
internal enum PackContent
{
    /// <summary>Of a version that this one does not know, or damaged.</summary>
    Unreadable,

    /// <summary>Not written with the fleet's key.</summary>
    Forged,

    Entries,
}

/// <summary>
/// Writes and reads packs: a stream entry costs about 40 bytes of its own, and a batch should pay that once.
/// Binary form, little-endian, pinned by golden files: version (1), number of entries (2), then for each its
/// length (2) and its bytes as <see cref="LogEntry"/> writes them; in version 2, as in any later one that has
/// a key, a seal (16) over all of that. A pack stays below the 4,096 bytes that Redis puts into one node of a
/// stream; only a single entry may be larger.
/// </summary>
internal sealed class PackCodec(LogSeal? seal)
{
    public const int MostEntries = 128;
    private const int MostBytes = 3800;
    private const byte Plain = 1;
    private const byte Sealed = 2;
    private const int HeadSize = 3;

    private readonly int _tailSize = seal is null ? 0 : LogSeal.Size;

    /// <summary>Packs entries in their order.</summary>
    public List<EntryPack> Pack(ReadOnlySpan<LogEntry> entries)
    {
        var packs = new List<EntryPack>(entries.Length / MostEntries + 1);
        while (!entries.IsEmpty)
        {
            var (count, size) = Fitting(entries);
            packs.Add(new EntryPack(count, Write(entries[..count], size)));
            entries = entries[count..];
        }
        return packs;
    }

    /// <summary>Adds the entries of a pack to a list, which stays as it was for any other content.</summary>
    public PackContent Unpack(ReadOnlySpan<byte> bytes, List<LogEntry> entries)
    {
        var version = Plain;
        if (seal is not null)
        {
            // First of all: readers stop at what is unreadable, and whoever has no key must not stop them.
            if (bytes.Length < HeadSize + LogSeal.Size
                || !seal.IsGenuine(bytes[..^LogSeal.Size], bytes[^LogSeal.Size..]))
            {
                return PackContent.Forged;
            }
            version = Sealed;
            bytes = bytes[..^LogSeal.Size];
        }
        return bytes.Length >= HeadSize && bytes[0] == version && Read(bytes, entries)
            ? PackContent.Entries
            : PackContent.Unreadable;
    }

    private static bool Read(ReadOnlySpan<byte> bytes, List<LogEntry> entries)
    {
        var before = entries.Count;
        var count = BinaryPrimitives.ReadUInt16LittleEndian(bytes[1..]);
        var rest = bytes[HeadSize..];
        for (var i = 0; i < count; i++)
        {
            var length = rest.Length < 2 ? -1 : BinaryPrimitives.ReadUInt16LittleEndian(rest);
            if (length < 0 || rest.Length < 2 + length
                || !LogEntry.TryRead(rest.Slice(2, length), out var entry))
            {
                entries.RemoveRange(before, entries.Count - before);
                return false;
            }
            entries.Add(entry);
            rest = rest[(2 + length)..];
        }
        if (rest.IsEmpty && count != 0)
        {
            return true;
        }
        entries.RemoveRange(before, entries.Count - before);
        return false;
    }

    private (int Count, int Size) Fitting(ReadOnlySpan<LogEntry> entries)
    {
        var (count, size) = (0, HeadSize + _tailSize);
        while (count < entries.Length && count < MostEntries)
        {
            var next = size + 2 + entries[count].Size;
            if (count > 0 && next > MostBytes)
            {
                break;
            }
            (count, size) = (count + 1, next);
        }
        return (count, size);
    }

    private byte[] Write(ReadOnlySpan<LogEntry> entries, int size)
    {
        var bytes = new byte[size];
        bytes[0] = seal is null ? Plain : Sealed;
        BinaryPrimitives.WriteUInt16LittleEndian(bytes.AsSpan(1), (ushort)entries.Length);
        var used = HeadSize;
        foreach (ref readonly var entry in entries)
        {
            var length = entry.Write(bytes.AsSpan(used + 2));
            BinaryPrimitives.WriteUInt16LittleEndian(bytes.AsSpan(used), (ushort)length);
            used += 2 + length;
        }
        seal?.Write(bytes.AsSpan(0, used), bytes.AsSpan(used));
        return bytes;
    }
}
