namespace Rescind.EndToEnd.Chaos;

/// <summary>A history in a few lines.</summary>
internal static class Summary
{
    public static string Of(IReadOnlyList<Event> events, IReadOnlyDictionary<string, int> exceptions)
    {
        var checks = events.Where(one => one.What == "check").ToList();
        var revokes = events.Where(one => one.What == "revoke").ToList();
        var healed = events.Single(one => one.What == "healed").Begun;
        var slowest = events.Where(one => one.What == "fresh").Max(one => one.Begun - healed) / 1e6;
        return $"""
            {events.Count(one => one.What == "fault begins")} faults; {checks.Count} checks: {Counts(checks)}
            {revokes.Count} revocations: {Counts(revokes)}
            {Count("lift")} lifts, {Count("login")} log-ins, {Count("refresh")} refreshes, {Count("read")} reads; every node fresh and owing nothing {slowest:0.0} s after the last fault
            exceptions: {(exceptions.Count == 0 ? "none" : string.Join("; ", exceptions.Select(one => $"{one.Key}: {one.Value}")))}
            """;

        int Count(string what) => events.Count(one => one.What == what);
    }

    private static string Counts(IEnumerable<Event> events) => string.Join(", ", events
        .GroupBy(one => $"{one.Status} {one.Word}".Trim()).OrderByDescending(group => group.Count())
        .Select(group => $"{group.Count()} times {group.Key}"));
}
