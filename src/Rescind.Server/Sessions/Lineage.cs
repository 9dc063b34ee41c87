using System.Globalization;

namespace Rescind.Server.Sessions;

/// <summary>The refresh tokens of a session that were exchanged a moment ago, with the times, as one text: it
/// stands in the session's row, so that one conditional update changes all of a rotation or nothing. Limit:
/// <see cref="Most"/> of them; only a client that refreshes more often than that within the grace period
/// finds its oldest forgotten, which is then replay. What is not as it is written here counts for nothing, so
/// a token that only such a text names is replay too.</summary>
internal static class Lineage
{
    public const int Most = 8;

    private static readonly long Latest = DateTimeOffset.MaxValue.ToUnixTimeMilliseconds();

    /// <summary>The lineage after <paramref name="id"/> was exchanged.</summary>
    public static string Add(string lineage, string id, DateTime at, DateTime oldest) => string.Join(' ',
        Read(lineage).Where(one => one.At > oldest).TakeLast(Most - 1).Append((Written(id), at))
            .Select(one => $"{one.Item1}@{new DateTimeOffset(one.Item2).ToUnixTimeMilliseconds()}"));

    /// <summary>Whether <paramref name="id"/> was exchanged after <paramref name="oldest"/>.</summary>
    public static bool Holds(string lineage, string id, DateTime oldest) =>
        Read(lineage).Any(one => one.Written == Written(id) && one.At > oldest);

    private static IEnumerable<(string Written, DateTime At)> Read(string lineage)
    {
        foreach (var entry in lineage.Split(' ', StringSplitOptions.RemoveEmptyEntries))
        {
            var mark = entry.LastIndexOf('@');
            var time = entry.AsSpan(mark + 1);
            if (mark > 0 && long.TryParse(time, NumberStyles.None, CultureInfo.InvariantCulture, out var at)
                && at <= Latest)
            {
                yield return (entry[..mark], DateTimeOffset.FromUnixTimeMilliseconds(at).UtcDateTime);
            }
        }
    }

    /// <summary>An older service's id may be any text, also one with a space.</summary>
    private static string Written(string id) => Uri.EscapeDataString(id);
}
