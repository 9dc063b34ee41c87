namespace Rescind.EndToEnd.Chaos;

/// <summary>A history, sorted by what the promises ask: which revocations may cover a token, and what was broken when.
/// Names are paths: who revokes <c>user/session</c> revokes <c>user/session/1</c>.</summary>
internal sealed class Story
{
    private readonly Dictionary<string, Event> _issues;
    private readonly ILookup<string, Event> _revokes;
    private readonly ILookup<string, Event> _lifts;

    public Story(IReadOnlyList<Event> events)
    {
        Events = events;
        _issues = events.Where(one => one.What is "mint" or "login" or "refresh" && IsDone(one))
            .GroupBy(one => one.On).ToDictionary(group => group.Key, group => group.MaxBy(one => one.Ended)!);
        _revokes = events.Where(one => one.What == "revoke").ToLookup(one => one.On);
        _lifts = events.Where(one => one.What == "lift").ToLookup(one => one.On);
        Breaks = [.. BreaksOf(events)];
    }

    /// <summary>A time in which something was broken.</summary>
    public sealed record Break(string Name, long From, long Until);

    public IReadOnlyList<Event> Events { get; }

    public IReadOnlyList<Break> Breaks { get; }

    /// <summary>Every token that a client got.</summary>
    public IEnumerable<string> Tokens => _issues.Keys;

    public static bool IsDone(Event one) => one.Status is >= 200 and < 300;

    public IEnumerable<Event> Of(string what) => Events.Where(one => one.What == what);

    public Event IssueOf(string token) => _issues[token];

    public bool WasIssued(string token) => _issues.ContainsKey(token);

    /// <summary>Every try to revoke the token, its session or its user.</summary>
    public IEnumerable<Event> RevokesOf(string token)
    {
        for (var name = token; name.Length != 0; name = name[..Math.Max(0, name.LastIndexOf('/'))])
        {
            foreach (var revoke in _revokes[name])
            {
                yield return revoke;
            }
        }
    }

    public IEnumerable<Event> LiftsOf(string token) => _lifts[token];

    /// <summary>Whether a revocation that was answered has to refuse a token: that of a user those that were there before it
    /// was asked for.</summary>
    public bool Covers(Event revoke, string token) => IsDone(revoke)
        && (!IsOfUser(revoke) || IssueOf(token).Ended <= revoke.Begun);

    /// <summary>Whether a try to revoke may refuse a token, done or not.</summary>
    public bool MayCover(Event revoke, string token) => !IsOfUser(revoke) || IssueOf(token).Begun < revoke.Ended;

    public static bool IsOfUser(Event revoke) =>
        !revoke.On.Contains('/', StringComparison.Ordinal) && revoke.On.StartsWith("user", StringComparison.Ordinal);

    /// <summary>Whether something whose name holds all these words was broken within this time.</summary>
    public bool WasBroken(long from, long until, params string[] words) => Breaks.Any(one =>
        one.From <= until && one.Until >= from && words.All(word => one.Name.Contains(word, StringComparison.Ordinal)));

    private static IEnumerable<Break> BreaksOf(IReadOnlyList<Event> events)
    {
        var ends = events.Where(one => one.What == "fault ends").ToLookup(one => one.On);
        foreach (var begin in events.Where(one => one.What == "fault begins"))
        {
            var end = ends[begin.On].Where(one => one.Begun >= begin.Begun).MinBy(one => one.Begun);
            yield return new Break(begin.On, begin.Begun, end?.Begun ?? long.MaxValue);
        }
    }
}
