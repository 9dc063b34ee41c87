using System.Collections.Concurrent;

namespace Rescind.EndToEnd.Chaos;

/// <summary>What the clients have in their hands.</summary>
internal sealed class Known
{
    private readonly ConcurrentDictionary<string, string> _tokens = new(StringComparer.Ordinal);
    private int _minted;

    /// <summary>Every token by its name in the history.</summary>
    public IReadOnlyDictionary<string, string> Tokens => _tokens;

    /// <summary>The names of revoked tokens, by the id that audit events show of them.</summary>
    public ConcurrentDictionary<string, string> Audited { get; } = new(StringComparer.Ordinal);

    /// <summary>The names of revoked tokens, by the rules that were to be lifted.</summary>
    public ConcurrentDictionary<string, string> Lifted { get; } = new(StringComparer.Ordinal);

    /// <summary>Refresh tokens of sessions that were ended, by the name of the access token beside them.</summary>
    public ConcurrentDictionary<string, string> Dead { get; } = new(StringComparer.Ordinal);

    /// <summary>Every user: the name in the history, and the id.</summary>
    public ConcurrentDictionary<string, (string Id, string Email)> Users { get; } = new(StringComparer.Ordinal);

    public string NextMinted() => $"minted{Interlocked.Increment(ref _minted)}";

    public void Keep(string name, string token) => _tokens[name] = token;

    /// <summary>One of the latest, so that what changes is looked at.</summary>
    public KeyValuePair<string, string>? Some() => SomeOf(_tokens);

    public KeyValuePair<string, string>? SomeDead() => SomeOf(Dead);

    private static KeyValuePair<string, string>? SomeOf(ConcurrentDictionary<string, string> tokens)
    {
        var all = tokens.ToArray();
        return all.Length == 0 ? null : all[Random.Shared.Next(all.Length)];
    }
}
