using System.Text.RegularExpressions;

namespace Rescind.EndToEnd.Hostile;

/// <summary>What a client has learned from the server: tokens, ids, addresses, cursors. Some of what is sent must be real,
/// or no call would get past its first check.</summary>
/// <param name="never">What is never used: the run's only administrator would delete itself, or lock itself out.</param>
internal sealed partial class Known(params string[] never)
{
    private const int Most = 200;

    private readonly Lock _gate = new();
    private readonly List<string> _tokens = ["eyJhbGciOiJub25lIn0.e30."];
    private readonly List<string> _values = ["an id that nobody has"];

    /// <summary>Remembers the ids, cursors, tokens and addresses in an answer.</summary>
    public void Learn(string answer)
    {
        foreach (Match match in Learned().Matches(answer))
        {
            Add(match.Groups[1].Value);
        }
    }

    public void Add(string value)
    {
        if (never.Contains(value))
        {
            return;
        }
        lock (_gate)
        {
            // A token is no id of anything: where ids are asked for, it would be written down as one.
            var list = value.StartsWith("eyJ", StringComparison.Ordinal) ? _tokens : _values;
            if (list.Count == Most)
            {
                list.RemoveAt(1);
            }
            list.Add(value);
        }
    }

    public string Any(Random random)
    {
        lock (_gate)
        {
            return _values[random.Next(_values.Count)];
        }
    }

    public string AnyToken(Random random)
    {
        lock (_gate)
        {
            return _tokens[random.Next(_tokens.Count)];
        }
    }

    [GeneratedRegex("\"(?:id|session_id|next_cursor|refresh_token|access_token|email|user_id|jti)\":\"([^\"\\\\]{1,2000})\"")]
    private static partial Regex Learned();
}
