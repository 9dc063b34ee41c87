namespace Rescind.Redis;

/// <summary>
/// The id of a stream entry, <c>number-random</c>, and the position it stands for. The number is that of the
/// pack's last entry; entries of one pack share the random part, so a position inside a pack names its pack
/// too.
/// </summary>
internal static class StreamId
{
    /// <summary>Reads an id; <c>0-0</c> stands before the first entry.</summary>
    /// <exception cref="IOException">It is none.</exception>
    public static LogPosition Parse(string? text)
    {
        var dash = text?.IndexOf('-', StringComparison.Ordinal) ?? -1;
        return dash > 0
            && ulong.TryParse(text.AsSpan(0, dash), out var number)
            && ulong.TryParse(text.AsSpan(dash + 1), out var random)
            && TextOf(new LogPosition(number, random)) == text
                ? new LogPosition(number, random)
                : throw new IOException(
                    "Redis answered with something that is not the id of a stream entry.");
    }

    public static string TextOf(LogPosition position) => $"{position.Number}-{position.History}";
}
