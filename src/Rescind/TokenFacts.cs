using System.Security.Cryptography;
using System.Text;

namespace Rescind;

/// <summary>What a validated token says of itself, as far as a revocation can name it. Fill it from a token
/// whose signature has been verified; claims that are absent stay <see langword="null"/>.</summary>
/// <remarks>Every token has an identity: <see cref="TokenId"/> is its <c>jti</c>; without one its <c>uti</c>;
/// without that <see cref="IdentityOf"/>. A check with an empty <see cref="TokenId"/> is never
/// <see cref="Verdict.Accepted"/>.</remarks>
public readonly record struct TokenFacts
{
    /// <summary><c>iss</c>; empty for a token without one.</summary>
    public string Issuer { get; init; }

    /// <summary><c>jti</c>, or what stands in for it. Any string; it need not be a UUID.</summary>
    public string TokenId { get; init; }

    /// <summary><c>sub</c>.</summary>
    public string? Subject { get; init; }

    /// <summary><c>sid</c>, the log-in the token belongs to.</summary>
    public string? Session { get; init; }

    /// <summary><c>client_id</c>, else <c>azp</c>.</summary>
    public string? Client { get; init; }

    /// <summary><c>kid</c> of the header.</summary>
    public string? KeyId { get; init; }

    /// <summary><c>iat</c>. Without it every live cutoff matches.</summary>
    public DateTimeOffset? IssuedAt { get; init; }

    /// <summary><c>auth_time</c>: when the user proved who they are. Cutoffs compare with the earlier of this
    /// and <see cref="IssuedAt"/>, so a refresh cannot outrun them while they are kept.</summary>
    public DateTimeOffset? AuthenticatedAt { get; init; }

    /// <summary><c>exp</c>. A token without one is never <see cref="Verdict.Accepted"/>.</summary>
    public DateTimeOffset? ExpiresAt { get; init; }

    /// <summary>The identity of a token that has neither <c>jti</c> nor <c>uti</c>: SHA-256 of its signing
    /// input. Not of the whole token: an ECDSA signature can be changed without becoming invalid.</summary>
    /// <param name="signingInput"><c>header.payload</c> exactly as received (RFC 7515, section 5.1).</param>
    /// <returns><c>sha256:</c> and 64 hexadecimal digits.</returns>
    public static string IdentityOf(ReadOnlySpan<char> signingInput)
    {
        using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        Span<byte> bytes = stackalloc byte[1024 * 3];
        while (!signingInput.IsEmpty)
        {
            var part = signingInput[..Math.Min(1024, signingInput.Length)];
            hash.AppendData(bytes[..Encoding.UTF8.GetBytes(part, bytes)]);
            signingInput = signingInput[part.Length..];
        }
        Span<byte> digest = stackalloc byte[32];
        hash.GetHashAndReset(digest);
        return "sha256:" + Convert.ToHexStringLower(digest);
    }
}
