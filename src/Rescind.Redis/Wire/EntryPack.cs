using System.Buffers.Binary;

namespace Rescind.Redis;

/// <summary>
/// Several entries in one stream entry: a stream entry costs about 40 bytes of its own, and a batch should
/// pay that once. Binary form, little-endian, pinned by golden files: version (1), number of entries (2),
/// then for each its length (2) and its bytes as <see cref="LogEntry"/> writes them. A pack stays below the
/// 4,096 bytes that Redis puts into one node of a stream; only a single entry may be larger.
/// </summary>
internal readonly record struct EntryPack(int Count, byte[] Bytes)
{
    public const int MostEntries = 128;
    private const int MostBytes = 3800;
    private const byte Version = 1;
    private const int HeadSize = 3;

    /// <summary>Packs entries in their order.</summary>
    public static List<EntryPack> Pack(ReadOnlySpan<LogEntry> entries)
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

    /// <summary>Adds the entries of a pack to a list.</summary>
    /// <returns>How many; 0 for anything that this version did not write.</returns>
    public static int Unpack(ReadOnlySpan<byte> bytes, List<LogEntry> entries)
    {
        if (bytes.Length < HeadSize || bytes[0] != Version)
        {
            return 0;
        }
        var count = BinaryPrimitives.ReadUInt16LittleEndian(bytes[1..]);
        var rest = bytes[HeadSize..];
        for (var i = 0; i < count; i++)
        {
            if (rest.Length < 2 || BinaryPrimitives.ReadUInt16LittleEndian(rest) is var length
                && (rest.Length < 2 + length || !LogEntry.TryRead(rest.Slice(2, length), out _)))
            {
                return 0;
            }
            LogEntry.TryRead(rest.Slice(2, length), out var entry);
            entries.Add(entry);
            rest = rest[(2 + length)..];
        }
        return rest.IsEmpty ? count : 0;
    }

    private static (int Count, int Size) Fitting(ReadOnlySpan<LogEntry> entries)
    {
        var (count, size) = (0, HeadSize);
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

    private static byte[] Write(ReadOnlySpan<LogEntry> entries, int size)
    {
        var bytes = new byte[size];
        bytes[0] = Version;
        BinaryPrimitives.WriteUInt16LittleEndian(bytes.AsSpan(1), (ushort)entries.Length);
        var used = HeadSize;
        foreach (ref readonly var entry in entries)
        {
            var length = entry.Write(bytes.AsSpan(used + 2));
            BinaryPrimitives.WriteUInt16LittleEndian(bytes.AsSpan(used), (ushort)length);
            used += 2 + length;
        }
        return bytes;
    }
}
