using System.Diagnostics.CodeAnalysis;
using System.Globalization;

namespace Rescind;

/// <summary>Names one revocation: the key of what it revokes, and a random tag drawn once when it was made.
/// It stays the same through retry, journal, compaction and restore, so a lift undoes exactly the revocations
/// it names, in whatever order they arrive (docs/decisions/0003).</summary>
/// <param name="Kind">The kind of rule.</param>
/// <param name="Key">128-bit hash of kind, issuer and value.</param>
/// <param name="Tag">The random tag.</param>
public readonly record struct RevocationId(RuleKind Kind, UInt128 Key, uint Tag)
{
    private const int TextLength = 41;
    private const string Letters = "-tsucki";

    /// <summary>The text form, 41 characters that need no escaping in a URL: a letter for the kind
    /// (<c>t s u c k i</c>), 32 hexadecimal digits of the key, 8 of the tag.</summary>
    public override string ToString() =>
        Kind is >= RuleKind.Token and <= RuleKind.Issuer
            ? $"{Letters[(int)Kind]}{Key:x32}{Tag:x8}"
            : "";

    /// <summary>Reads the text form.</summary>
    /// <param name="text">What <see cref="ToString"/> wrote.</param>
    /// <param name="id">The id, or the default value.</param>
    /// <returns>Whether <paramref name="text"/> is one.</returns>
    public static bool TryParse([NotNullWhen(true)] string? text, out RevocationId id)
    {
        id = default;
        if (text is not { Length: TextLength })
        {
            return false;
        }
        var kind = Letters.IndexOf(text[0], StringComparison.Ordinal);
        if (kind < 1
            || !UInt128.TryParse(text.AsSpan(1, 32), NumberStyles.AllowHexSpecifier, null, out var key)
            || !uint.TryParse(text.AsSpan(33), NumberStyles.AllowHexSpecifier, null, out var tag))
        {
            return false;
        }
        // Numbers may end in U+0000, says their parser.
        if (text[^1] == '\0' || text[32] == '\0')
        {
            return false;
        }
        id = new RevocationId((RuleKind)kind, key, tag);
        return true;
    }
}
