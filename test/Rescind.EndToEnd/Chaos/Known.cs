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

    /// <summary>Every user: the name in the history, and the id.</summary>
    public ConcurrentDictionary<string, (string Id, string Email)> Users { get; } = new(StringComparer.Ordinal);

    public string NextMinted() => $"minted{Interlocked.Increment(ref _minted)}";

    public void Keep(string name, string token) => _tokens[name] = token;

    /// <summary>One of the latest, so that what changes is looked at.</summary>
    public KeyValuePair<string, string>? Some()
    {
        var all = _tokens.ToArray();
        return all.Length == 0 ? null : all[Random.Shared.Next(all.Length)];
    }
}
