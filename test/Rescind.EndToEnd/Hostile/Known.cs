using System.Text.RegularExpressions;

namespace Rescind.EndToEnd.Hostile;

/// <summary>What a client has learned from the server: tokens, ids, addresses, cursors. Some of what is sent must be real,
/// or no call would get past its first check.</summary>
/// <param name="never">What is never used: the run's only administrator would delete itself, or lock itself out.</param>
internal sealed partial class Known(params string[] never)
{
    /// <summary>The field under which ids of rules are kept: before their position or their target.</summary>
    public const string RuleId = "revocation_id";

    /// <summary>Of each field: a page of the audit trail must not push out all ids of rules.</summary>
    private const int Most = 100;

    private readonly Lock _gate = new();
    private readonly List<(string Field, string Value)> _tokens = [("", "eyJhbGciOiJub25lIn0.e30.")];
    private readonly List<(string Field, string Value)> _values = [("", "an id that nobody has")];

    /// <summary>Remembers the ids, cursors, tokens and addresses in an answer.</summary>
    public void Learn(string answer)
    {
        foreach (Match match in Learned().Matches(answer))
        {
            Add(match.Groups[3].Success ? RuleId : match.Groups[1].Value, match.Groups[2].Value);
        }
    }

    public void Add(string field, string value)
    {
        if (never.Contains(value))
        {
            return;
        }
        lock (_gate)
        {
            // A token is no id of anything: where ids are asked for, it would be written down as one.
            var list = value.StartsWith("eyJ", StringComparison.Ordinal) ? _tokens : _values;
            list.Remove((field, value));
            if (list.Count(one => one.Field == field) == Most)
            {
                list.RemoveAt(list.FindIndex(one => one.Field == field));
            }
            list.Add((field, value));
        }
    }

    public string Any(Random random, string field) => Any(_values, random, field);

    public string AnyToken(Random random, string field) => Any(_tokens, random, field);

    /// <summary>Mostly what was learned from a field of this name, and rather what was learned last: it may still
    /// live.</summary>
    private string Any(List<(string Field, string Value)> list, Random random, string field)
    {
        lock (_gate)
        {
            var same = random.Next(3) > 0 ? list.Where(one => one.Field == field).ToList() : [];
            var from = same.Count > 0 ? same : list;
            return from[Math.Max(random.Next(from.Count), random.Next(from.Count))].Value;
        }
    }

    [GeneratedRegex(
        "\"(?:next_)?(id|session_id|cursor|refresh_token|access_token|email|user_id|jti)\":\"([^\"\\\\]{1,2000})\"(,\"(?:position|target)\")?")]
    private static partial Regex Learned();
}
