using System.Text;

namespace Rescind.Redis;

/// <summary>
/// What an append announces: a line of text (version, epoch, writer, id before, then id and length of each
/// pack), and the packs. Entries in it are applied at once; it never advances a position by itself, because
/// it may come from a server that has been replaced.
/// </summary>
internal sealed record PushMessage(string Epoch, string Writer, LogPosition Before, LogPosition Last,
    LogEntry[] Entries)
{
    /// <summary>Whether all entries up to <see cref="Last"/> are in the message; large batches are only
    /// announced.
    /// </summary>
    public bool IsWhole => Entries.Length != 0;

    /// <summary>Reads a message.</summary>
    /// <returns>Null for anything that this version did not write, or that lacks the fleet's seal; the next
    /// read then brings the entries, or refuses them.</returns>
    public static PushMessage? TryRead(ReadOnlySpan<byte> message, PackCodec codec)
    {
        var end = message.IndexOf((byte)'\n');
        if (end < 0)
        {
            return null;
        }
        var words = Encoding.ASCII.GetString(message[..end]).Split(' ');
        if (words.Length < 6 || words.Length % 2 != 0 || words[0] != "1")
        {
            return null;
        }
        try
        {
            return Read(words, message[(end + 1)..], codec);
        }
        catch (Exception fault) when (fault is IOException or FormatException or OverflowException)
        {
            // Not ours, or of a newer version: the read that follows says so, and stops if it must.
            return null;
        }
    }

    private static PushMessage? Read(string[] words, ReadOnlySpan<byte> bytes, PackCodec codec)
    {
        var entries = new List<LogEntry>();
        for (var i = 4; i < words.Length; i += 2)
        {
            var length = int.Parse(words[i + 1]);
            if (length < 0 || length > bytes.Length || (length > 0
                && codec.Unpack(bytes[..length], entries) != PackContent.Entries))
            {
                return null;
            }
            bytes = bytes[length..];
        }
        return new PushMessage(
            words[1], words[2], StreamId.Parse(words[3]), StreamId.Parse(words[^2]), [.. entries]);
    }
}
