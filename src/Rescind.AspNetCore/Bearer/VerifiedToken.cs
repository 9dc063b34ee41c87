using System.Runtime.InteropServices;
using System.Security.Claims;
using System.Security.Cryptography;
using System.Text;
using Microsoft.AspNetCore.Authentication;
using Microsoft.IdentityModel.JsonWebTokens;
using Microsoft.IdentityModel.Tokens;

namespace Rescind.AspNetCore;

/// <summary>SHA-256 of a whole token as received.</summary>
[StructLayout(LayoutKind.Sequential)]
internal readonly record struct TokenDigest(ulong A, ulong B, ulong C, ulong D)
{
    /// <summary>The longest token that is remembered, in characters.</summary>
    public const int LongestToken = 8 * 1024;

    /// <summary>False for what is no token that could have been remembered.</summary>
    public static bool TryCompute(ReadOnlySpan<char> token, out TokenDigest digest)
    {
        digest = default;
        if (token.IsEmpty || token.Length > LongestToken)
        {
            return false;
        }
        Span<byte> bytes = stackalloc byte[token.Length];

        // No letter may be replaced by another: two tokens must never have one digest.
        if (Ascii.FromUtf16(token, bytes, out _) != System.Buffers.OperationStatus.Done)
        {
            return false;
        }
        SHA256.HashData(bytes, MemoryMarshal.AsBytes(new Span<TokenDigest>(ref digest)));
        return true;
    }
}

/// <summary>
/// What is kept of a token whose signature was verified: what it says, which key signed it, and a caller that
/// is copied for each request. Not the token itself, and nothing that is handed out: a request cannot change
/// what a later one sees. What may change from one request to the next (the time, the keys and rules of the
/// scheme) is judged anew each time by <see cref="IsStillGood"/>, with the functions that the scheme's own
/// validation calls.
/// </summary>
internal sealed class VerifiedToken : SecurityToken
{
    // A claim with its strings, and what surrounds them; measured, rounded up.
    private const int BytesOfOne = 1024;
    private const int BytesOfClaim = 256;

    private readonly ClaimsIdentity _identity;
    private readonly AuthenticationProperties _properties;
    private readonly string[] _audiences;
    private readonly string _algorithm;
    private readonly string _type;
    private readonly SecurityKey _key;

    public VerifiedToken(
        TokenDigest digest, JsonWebToken token, in TokenFacts facts, ClaimsIdentity identity,
        BaseConfiguration? configuration, long rememberedAt)
    {
        (Digest, Facts, Configuration, RememberedAt) = (digest, facts, configuration, rememberedAt);
        (Id, Issuer, _key) = (token.Id, token.Issuer, token.SigningKey);
        (ValidFrom, ValidTo) = (token.ValidFrom, token.ValidTo);
        (_algorithm, _type, _audiences) = (token.Alg, token.Typ, [.. token.Audiences]);
        _identity = identity.Clone();
        _properties = new AuthenticationProperties
        {
            ExpiresUtc = Time(ValidTo), IssuedUtc = Time(ValidFrom),
        };
        Bytes = BytesOfOne + _identity.Claims.Sum(
            claim => BytesOfClaim + sizeof(char) * (claim.Type.Length + claim.Value.Length));
    }

    public TokenDigest Digest { get; }

    public TokenFacts Facts { get; }

    /// <summary>The provider's metadata by which the token was verified; null without any.</summary>
    public BaseConfiguration? Configuration { get; }

    /// <summary>A timestamp of the scheme's clock.</summary>
    public long RememberedAt { get; }

    /// <summary>What it takes in memory, at most.</summary>
    public int Bytes { get; }

    /// <summary>Whether it was asked for since somebody last looked for one to forget.</summary>
    public bool IsUsed { get; set; }

    public override string Id { get; }

    public override string Issuer { get; }

    public override SecurityKey? SecurityKey => null;

    public override SecurityKey SigningKey
    {
        get => _key;
        set => throw new NotSupportedException("A remembered token is never changed.");
    }

    public override DateTime ValidFrom { get; }

    public override DateTime ValidTo { get; }

    /// <summary>A caller of one request's own.</summary>
    public ClaimsPrincipal MakeCaller() => new(_identity.Clone());

    /// <summary>Properties of one request's own.</summary>
    public AuthenticationProperties MakeProperties() => _properties.Clone();

    /// <summary>The token as an application sees it, read again from the request.</summary>
    public JsonWebToken Read(string text) => new(text) { SigningKey = _key };

    /// <summary>Judges all but the signature, as the scheme does it.</summary>
    /// <param name="rules">The rules of the scheme.</param>
    /// <param name="configuration">The provider's metadata of this moment.</param>
    /// <param name="token">What the application's own validators are shown.</param>
    /// <exception cref="Exception">The token is not good any more: whatever a validator throws.</exception>
    public bool IsStillGood(
        TokenValidationParameters rules, BaseConfiguration? configuration, SecurityToken token)
    {
        if (!ReferenceEquals(configuration, Configuration) || !IsKeyOf(rules, configuration, _key))
        {
            return false;
        }
        Validators.ValidateAlgorithm(_algorithm, _key, token, rules);
        if (rules.IssuerSigningKeyValidatorUsingConfiguration is { } judgeKey)
        {
            return judgeKey(_key, token, rules, configuration) && IsPayloadGood(rules, configuration, token);
        }
        Validators.ValidateIssuerSecurityKey(_key, token, rules);
        return IsPayloadGood(rules, configuration, token);
    }

    /// <summary>Whether the scheme accepts this key now: this object, not one of the same name.</summary>
    public static bool IsKeyOf(
        TokenValidationParameters rules, BaseConfiguration? configuration, SecurityKey key) =>
        ReferenceEquals(rules.IssuerSigningKey, key)
        || rules.IssuerSigningKeys?.Contains(key) == true
        || configuration?.SigningKeys.Contains(key) == true;

    private bool IsPayloadGood(
        TokenValidationParameters rules, BaseConfiguration? configuration, SecurityToken token)
    {
        DateTime? notBefore = ValidFrom == DateTime.MinValue ? null : ValidFrom;
        Validators.ValidateLifetime(notBefore, ValidTo, token, rules);
        Validators.ValidateAudience(_audiences, token, rules);
        if (rules.IssuerValidatorUsingConfiguration is { } judgeIssuer)
        {
            judgeIssuer(Issuer, token, rules, configuration);
        }
        else if (rules.IssuerValidator is not null || configuration is null || configuration.Issuer != Issuer)
        {
            Validators.ValidateIssuer(Issuer, token, rules);
        }
        Validators.ValidateTokenType(_type, token, rules);
        return true;
    }

    private static DateTimeOffset? Time(DateTime time) =>
        time == DateTime.MinValue ? null : new DateTimeOffset(DateTime.SpecifyKind(time, DateTimeKind.Utc));
}
