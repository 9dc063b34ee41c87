namespace Rescind.EndToEnd.Chaos;

/// <summary>A history, sorted by what the promises ask: which revocations may cover a token, and what was broken when.
/// Names are paths: who revokes <c>user/session</c> revokes <c>user/session/1</c>.</summary>
internal sealed class Story
{
    /// <summary>A node with a wrong clock is killed before it is started with the right one; and answers take time.</summary>
    private const long Killing = 3_000_000;

    /// <summary>A node that is started has read the log by then, where Redis and the way there have been whole for as long.
    /// </summary>
    private const long Start = 15_000_000;

    private readonly Dictionary<string, Event> _issues;
    private readonly ILookup<string, Event> _revokes;
    private readonly ILookup<string, Event> _lifts;
    private readonly ILookup<(string Where, string On), Event> _refusals;

    public Story(IReadOnlyList<Event> events)
    {
        Events = events;
        _issues = events.Where(one => one.What is "mint" or "login" or "refresh" && IsDone(one))
            .GroupBy(one => one.On).ToDictionary(group => group.Key, group => group.MaxBy(one => one.Ended)!);
        _revokes = events.Where(one => one.What == "revoke").ToLookup(one => one.On);
        _lifts = events.Where(one => one.What == "lift").ToLookup(one => one.On);
        _refusals = events.Where(one => one is { What: "check", Status: 401, Word: "token_revoked" })
            .ToLookup(one => (one.Where, NamedTogether(one.On)));
        Breaks = [.. BreaksOf(events)];
        Nodes = [.. events.Where(one => one.What == "started").Select(one => one.Where)];
    }

    /// <summary>A time in which something was broken.</summary>
    public sealed record Break(string Name, long From, long Until);

    public IReadOnlyList<Event> Events { get; }

    public IReadOnlyList<Break> Breaks { get; }

    public IReadOnlyList<string> Nodes { get; }

    /// <summary>Every token that a client got.</summary>
    public IEnumerable<string> Tokens => _issues.Keys;

    public static bool IsDone(Event one) => one.Status is >= 200 and < 300;

    public IEnumerable<Event> Of(string what) => Events.Where(one => one.What == what);

    public Event IssueOf(string token) => _issues[token];

    public bool WasIssued(string token) => _issues.ContainsKey(token);

    /// <summary>When and by whom its user was logged in, which says for all tokens of a session whom a cutoff hits; of a
    /// token without a session, when it was issued.</summary>
    public Event LogInOf(string token) =>
        _issues[token.Contains('/', StringComparison.Ordinal) ? SessionOf(token) + "/1" : token];

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

    /// <summary>The first time that a node called revoked what it is asked again, or another token of that session, or null.
    /// What is revoked has a session or none: a cutoff makes of one token of a session what it makes of all, since they have
    /// one log-in, and none is stamped before it.</summary>
    public Event? RefusalBefore(Event check) => check.Where == "front" ? null
        : _refusals[(check.Where, NamedTogether(check.On))].FirstOrDefault(one => one.Ended < check.Begun);

    /// <summary>Whether a revocation that was answered has to refuse a token: that of a user those of log-ins before it was
    /// asked for.</summary>
    public bool Covers(Event revoke, string token) => IsDone(revoke)
        && (!IsOfUser(revoke) || LogInOf(token).Ended <= revoke.Begun);

    /// <summary>Whether a try to revoke may refuse a token, done or not.</summary>
    public bool MayCover(Event revoke, string token) => !IsOfUser(revoke) || LogInOf(token).Begun < revoke.Ended;

    public static bool IsOfUser(Event revoke) =>
        !revoke.On.Contains('/', StringComparison.Ordinal) && revoke.On.StartsWith("user", StringComparison.Ordinal);

    /// <summary>Whether something whose name holds all these words was broken within this time.</summary>
    public bool WasBroken(long from, long until, params string[] words) => Breaks.Any(one =>
        one.From <= until && one.Until >= from && words.All(word => one.Name.Contains(word, StringComparison.Ordinal)));

    /// <summary>Whether a node was started within this time, and may have lost what only its memory had.</summary>
    public bool WasStarted(string node, long from, long until) =>
        WasBroken(from, until, $"killed {node}") || WasBroken(from, until, "clock", node);

    /// <summary>Whether a node was dead, stood still or was cut off from Redis at any time between these.</summary>
    public bool WasAway(string node, long from, long until) => WasStarted(node, from, until)
        || WasBroken(from, until, $"frozen {node}") || WasBroken(from, until, $"{node} to redis");

    /// <summary>Whether a server of Redis was.</summary>
    public bool RedisWasBroken(long from, long until) => WasBroken(from, until, "killed redis")
        || WasBroken(from, until, "frozen redis") || WasBroken(from, until, "rolled back redis");

    /// <summary>Whether the clock of the node that gave an answer was wrong.</summary>
    public bool HadWrongClock(Event answer) => WrongClocks(answer).Any();

    /// <summary>Whether a try to revoke a user may have a cutoff that is minutes too late or too early: its node's clock was
    /// wrong, and when that was started Redis could not tell it the time.</summary>
    public bool HasUnknownCutoff(Event revoke) => IsOfUser(revoke) && WrongClocks(revoke).Any(wrong =>
    {
        var (from, until) = (wrong.From - Start, Math.Min(revoke.Ended, wrong.From + Start));
        return RedisWasBroken(from, until) || WasBroken(from, until, $"{revoke.Where} to redis") || WasBroken(from, until, "sentinel");
    });

    private IEnumerable<Break> WrongClocks(Event answer) => Breaks.Where(one =>
        one.Name.StartsWith("clock", StringComparison.Ordinal) && one.Name.EndsWith(answer.Where, StringComparison.Ordinal)
        && one.From <= answer.Ended && one.Until >= answer.Begun - Killing);

    /// <summary>The session of a token; of one that has none, itself.</summary>
    private static string NamedTogether(string token) =>
        token.Contains('/', StringComparison.Ordinal) ? SessionOf(token) : token;

    private static string SessionOf(string token) => token[..token.LastIndexOf('/')];

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
