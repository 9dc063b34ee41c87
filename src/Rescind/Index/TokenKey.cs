using System.IO.Hashing;
using System.Runtime.InteropServices;

namespace Rescind;

/// <summary>
/// The 128-bit key of a token or session: what the index compares instead of strings.
/// XxHash128 of the value, seeded by the hash of the issuer, which is seeded by the kind; so no copy is made
/// and nothing is allocated. The lowest three bits are overwritten with the kind, so a key says what it
/// names, and the table has key values to spare for "empty" and "removed".
/// Not collision-resistant against whoever chooses the ids: an issuer can make two of its own tokens collide,
/// and revoking one then refuses the other. It cannot make a revoked token pass.
/// </summary>
internal static class TokenKey
{
    private const ulong KindMask = 7;

    public static UInt128 Of(RuleKind kind, string issuer, string value)
    {
        var seed = XxHash3.HashToUInt64(MemoryMarshal.AsBytes(issuer.AsSpan()), (long)kind);
        var hash = XxHash128.HashToUInt128(MemoryMarshal.AsBytes(value.AsSpan()), (long)seed);
        return (hash & ~(UInt128)KindMask) | (byte)kind;
    }

    /// <summary>Whether a key that came from outside says the kind that its id says.</summary>
    public static bool Fits(RevocationId id) => ((ulong)id.Key & KindMask) == (byte)id.Kind;
}
