namespace Rescind.Redis;

/// <summary>From packs to entries: passes over what was read before, and stops at the page's size, if need be
/// inside a pack. What cannot be read stops the reader; it is never skipped. What was not written with the
/// fleet's key is refused, counted and passed over: whoever can write to Redis must not be able to stop the
/// fleet.</summary>
internal sealed class PageReader(PackCodec codec)
{
    /// <summary>What a page brought.</summary>
    /// <param name="Entries">The entries after the asked position.</param>
    /// <param name="Position">The position of the last.</param>
    /// <param name="IsWhole">Whether all packs were read to their end.</param>
    /// <param name="Forged">Packs that were refused.</param>
    public readonly record struct Page(LogEntry[] Entries, LogPosition Position, bool IsWhole, int Forged);

    /// <exception cref="IOException">The first pack cannot be read.</exception>
    public Page Read(IReadOnlyList<(LogPosition Id, byte[] Bytes)> packs, LogPosition from, int max)
    {
        var (entries, position, forged) = (new List<LogEntry>(), from, 0);
        foreach (var (id, bytes) in packs)
        {
            var before = entries.Count;
            if (before == max)
            {
                // The page ends with the pack before this one, and so its position names that one.
                return new([.. entries], position, false, forged);
            }
            var content = codec.Unpack(bytes, entries);
            if (content == PackContent.Unreadable)
            {
                return before == 0 ? throw Unreadable(id) : new([.. entries], position, false, forged);
            }
            forged += content == PackContent.Forged ? 1 : 0;
            entries.RemoveRange(before, Known(id, entries.Count - before, from));
            if (entries.Count > max)
            {
                var left = entries.Count - max;
                position = id with { Number = id.Number - (ulong)left };
                return new([.. entries[..max]], position, false, forged);
            }
            position = id;
        }
        return new([.. entries], position, true, forged);
    }

    /// <summary>How many entries of a pack stand at or before a position.</summary>
    private static int Known(LogPosition id, int count, LogPosition from)
    {
        var first = id.Number - (ulong)count + 1;
        return from.Number < first ? 0 : (int)Math.Min((ulong)count, from.Number - first + 1);
    }

    private static IOException Unreadable(LogPosition id) => new(
        $"The log in Redis holds an entry (number {id.Number}) that this version cannot read. It is not "
        + "skipped: run the version that wrote it on this node too.");
}
