using System.Globalization;

namespace Rescind.Server.Sessions;

/// <summary>The refresh tokens of a session that were exchanged a moment ago, with the times, as one text: it
/// stands in the session's row, so that one conditional update changes all of a rotation or nothing. Limit:
/// <see cref="Most"/> of them; only a client that refreshes more often than that within the grace period
/// finds its oldest forgotten, which is then replay.</summary>
internal static class Lineage
{
    public const int Most = 8;

    /// <summary>The lineage after <paramref name="id"/> was exchanged.</summary>
    public static string Add(string lineage, string id, DateTime at, DateTime oldest) => string.Join(' ',
        Read(lineage).Where(one => one.At > oldest).TakeLast(Most - 1).Append((id, at))
            .Select(one => $"{one.Item1}@{new DateTimeOffset(one.Item2).ToUnixTimeMilliseconds()}"));

    /// <summary>Whether <paramref name="id"/> was exchanged after <paramref name="oldest"/>.</summary>
    public static bool Holds(string lineage, string id, DateTime oldest) =>
        Read(lineage).Any(one => one.Id == id && one.At > oldest);

    private static IEnumerable<(string Id, DateTime At)> Read(string lineage) =>
        from entry in lineage.Split(' ', StringSplitOptions.RemoveEmptyEntries)
        let mark = entry.LastIndexOf('@')
        let milliseconds = long.Parse(entry.AsSpan(mark + 1), CultureInfo.InvariantCulture)
        select (entry[..mark], DateTimeOffset.FromUnixTimeMilliseconds(milliseconds).UtcDateTime);
}
