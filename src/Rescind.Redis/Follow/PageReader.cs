namespace Rescind.Redis;

/// <summary>From packs to entries: passes over what was read before, and stops at the page's size, if need be
/// inside a pack. What cannot be read stops the reader; it is never skipped.</summary>
internal static class PageReader
{
    /// <returns>The entries, the position of the last, and whether all packs were read to their
    /// end.</returns>
    /// <exception cref="IOException">The first pack cannot be read.</exception>
    public static (LogEntry[] Entries, LogPosition Position, bool IsWhole) Read(
        IReadOnlyList<(LogPosition Id, byte[] Bytes)> packs, LogPosition from, int max)
    {
        var (entries, position) = (new List<LogEntry>(), from);
        foreach (var (id, bytes) in packs)
        {
            var before = entries.Count;
            if (before == max)
            {
                // The page ends with the pack before this one, and so its position names that one.
                return ([.. entries], position, false);
            }
            var count = EntryPack.Unpack(bytes, entries);
            if (count == 0)
            {
                entries.RemoveRange(before, entries.Count - before);
                return before == 0 ? throw Unreadable(id) : ([.. entries], position, false);
            }
            var known = Known(id, count, from);
            entries.RemoveRange(before, known);
            if (entries.Count > max)
            {
                var left = entries.Count - max;
                return ([.. entries[..max]], id with { Number = id.Number - (ulong)left }, false);
            }
            position = id;
        }
        return ([.. entries], position, true);
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
