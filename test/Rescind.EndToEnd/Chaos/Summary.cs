namespace Rescind.EndToEnd.Chaos;

/// <summary>A history in a few lines.</summary>
internal static class Summary
{
    public static string Of(
        IReadOnlyList<Event> events, IReadOnlyDictionary<string, int> exceptions, int fullDisks)
    {
        var checks = events.Where(one => one.What == "check").ToList();
        var revokes = events.Where(one => one.What == "revoke").ToList();
        var healed = events.Single(one => one.What == "healed").Begun;
        var slowest = events.Where(one => one.What == "fresh").Max(one => one.Begun - healed) / 1e6;
        return $"""
            {events.Count(one => one.What == "fault begins")} faults; {checks.Count} checks: {Counts(checks)}
            {revokes.Count} revocations: {Counts(revokes)}
            {Count("lift")} lifts, {Count("login")} log-ins, {Count("refresh")} refreshes, {Count("dead refresh")} of ended sessions, {Count("read")} reads
            {Count("wrong date")} answers by a clock that was wrong, {fullDisks} times a disk was found full; every node fresh and owing nothing {slowest:0.0} s after the last fault
            exceptions: {(exceptions.Count == 0 ? "none" : string.Join("; ", exceptions.Select(one => $"{one.Key}: {one.Value}")))}
            """;

        int Count(string what) => events.Count(one => one.What == what);
    }

    /// <summary>What a history lacks that says something: a run in which nothing happened breaks no promise.</summary>
    public static IEnumerable<string> Lacks(IReadOnlyList<Event> events)
    {
        (string What, int Least, Func<Event, bool> Is)[] wanted =
        [
            ("accepted checks", 100, one => one is { What: "check", Status: 200 }),
            ("refused checks", 100, one => one is { What: "check", Status: 401, Word: "token_revoked" }),
            ("revocations that are everywhere", 20, one => one is { What: "revoke", Word: "everywhere" }),
            ("revocations that are stored", 5, one => one is { What: "revoke", Word: "stored" }),
            ("lifts", 5, one => one.What == "lift" && Story.IsDone(one)),
            ("refreshes", 5, one => one.What == "refresh" && Story.IsDone(one)),
            ("refused refreshes of ended sessions", 5, one => one is { What: "dead refresh", Status: 401 }),
        ];
        return wanted.Select(want => (want.What, want.Least, Count: events.Count(want.Is)))
            .Where(want => want.Count < want.Least).Select(want => $"{want.Count} {want.What}, at least {want.Least} are expected");
    }

    private static string Counts(IEnumerable<Event> events) => string.Join(", ", events
        .GroupBy(one => $"{one.Status} {one.Word}".Trim()).OrderByDescending(group => group.Count())
        .Select(group => $"{group.Count()} times {group.Key}"));
}
