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

    /// <summary>A service has few issuers, and to compare one costs a fifth of hashing it. Each slot is
    /// filled once and then stays, so this is bounded and no check allocates; an issuer that finds its slot
    /// taken is hashed each time.</summary>
    private static readonly IssuerSeeds?[] Known = new IssuerSeeds?[16];

    private sealed record IssuerSeeds(string Issuer, ulong Token, ulong Session);

    public static UInt128 Of(RuleKind kind, string issuer, string value)
    {
        var hash = XxHash128.HashToUInt128(
            MemoryMarshal.AsBytes(value.AsSpan()), (long)SeedOf(kind, issuer));
        return (hash & ~(UInt128)KindMask) | (byte)kind;
    }

    private static ulong SeedOf(RuleKind kind, string issuer)
    {
        ref var slot = ref Known[issuer.Length % Known.Length];
        var seeds = Volatile.Read(ref slot);
        if (seeds is null)
        {
            seeds = new IssuerSeeds(issuer, Hash(RuleKind.Token, issuer), Hash(RuleKind.Session, issuer));
            Volatile.Write(ref slot, seeds);
        }
        return !string.Equals(seeds.Issuer, issuer) ? Hash(kind, issuer)
            : kind == RuleKind.Token ? seeds.Token
            : kind == RuleKind.Session ? seeds.Session
            : Hash(kind, issuer);
    }

    private static ulong Hash(RuleKind kind, string issuer) =>
        XxHash3.HashToUInt64(MemoryMarshal.AsBytes(issuer.AsSpan()), (long)kind);

    /// <param name="low">The low half of a key.</param>
    public static RuleKind KindOf(ulong low) => (RuleKind)(low & KindMask);

    /// <summary>Whether a key that came from outside says the kind that its id says.</summary>
    public static bool Fits(RevocationId id) => KindOf((ulong)id.Key) == id.Kind;
}
