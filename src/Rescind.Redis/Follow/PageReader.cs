using Microsoft.Extensions.Logging;

namespace Rescind.Redis;

/// <summary>From packs to entries: passes over what was read before, and stops at the page's size, if need be
/// inside a pack. What cannot be read stops the reader; it is never skipped. What was not written with the
/// fleet's key is refused, counted and passed over: whoever can write to Redis must not be able to stop the
/// fleet. Numbers that are missing were deleted by somebody, which is said: only whoever read them before
/// knows them.</summary>
internal sealed class PageReader(PackCodec codec, ILogger logger)
{
    private long _forged;
    private long _missing;

    /// <summary>What a page brought.</summary>
    /// <param name="Entries">The entries after the asked position.</param>
    /// <param name="Position">The position of the last.</param>
    /// <param name="IsWhole">Whether all packs were read to their end.</param>
    public readonly record struct Page(LogEntry[] Entries, LogPosition Position, bool IsWhole);

    /// <summary>What an operator should mend.</summary>
    public IEnumerable<string> Warnings
    {
        get
        {
            if (Interlocked.Read(ref _forged) is > 0 and var forged)
            {
                yield return ForgedWarning(forged);
            }
            if (Interlocked.Read(ref _missing) is > 0 and var missing)
            {
                yield return MissingWarning(missing);
            }
        }
    }

    /// <exception cref="IOException">The first pack cannot be read.</exception>
    public Page Read(IReadOnlyList<(LogPosition Id, byte[] Bytes)> packs, LogPosition from, int max)
    {
        if (from == default)
        {
            Interlocked.Exchange(ref _missing, 0);
        }
        var (entries, position) = (new List<LogEntry>(), from);
        foreach (var (id, bytes) in packs)
        {
            var before = entries.Count;
            if (before == max)
            {
                // The page ends with the pack before this one, and so its position names that one.
                return new([.. entries], position, false);
            }
            var content = codec.Unpack(bytes, entries);
            if (content == PackContent.Unreadable)
            {
                return before == 0 ? throw Unreadable(id) : new([.. entries], position, false);
            }
            if (content == PackContent.Forged)
            {
                NoteForged();
            }
            else
            {
                NoteMissing(position, id.Number - (ulong)(entries.Count - before) + 1);
            }
            entries.RemoveRange(before, Known(id, entries.Count - before, from));
            if (entries.Count > max)
            {
                var left = entries.Count - max;
                position = id with { Number = id.Number - (ulong)left };
                return new([.. entries[..max]], position, false);
            }
            position = id;
        }
        return new([.. entries], position, true);
    }

    /// <summary>How many entries of a pack stand at or before a position.</summary>
    private static int Known(LogPosition id, int count, LogPosition from)
    {
        var first = id.Number - (ulong)count + 1;
        return from.Number < first ? 0 : (int)Math.Min((ulong)count, from.Number - first + 1);
    }

    private void NoteForged()
    {
        if (Interlocked.Increment(ref _forged) == 1)
        {
            Log.Forged(logger, ForgedWarning(1));
        }
    }

    /// <summary>Every entry has a number; only the head of the log is ever cut.</summary>
    private void NoteMissing(LogPosition before, ulong first)
    {
        if (before != default && first > before.Number + 1
            && Interlocked.CompareExchange(ref _missing, (long)first, 0) == 0)
        {
            Log.Missing(logger, MissingWarning((long)first));
        }
    }

    private static IOException Unreadable(LogPosition id) => new(
        $"The log in Redis holds an entry (number {id.Number}) that this version cannot read. It is not "
        + "skipped: run the version that wrote it on this node too.");

    private static string ForgedWarning(long count) =>
        $"Refused {count} stream entries in Redis that were not written with the fleet's key. Somebody else "
        + "can write to Redis, or the key was changed while old entries stood there; see the log key in the "
        + "README.";

    private static string MissingWarning(long number) =>
        $"Entries are missing in the log in Redis, before number {number}: somebody deleted them, or wrote "
        + "into the log himself. Nodes that started since may accept what they revoked. DEL the log and the "
        + "fleet hash together; all nodes then give back what they know.";
}
