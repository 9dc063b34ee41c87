// What a token must be to count as ours. One place for the bearer scheme and for tokens in bodies, so that no
// path is laxer than another. What it guarantees: signed by our key with its algorithm, our issuer and
// audience, in its time, a plain JWT, without header extensions we do not understand, and of the kind that is
// asked for. Nor does a token count that could outlive or outrun its revocation: one that lives longer than
// revocations are kept, or that claims to be issued in the future, or, where every token says when it was
// issued, that does not. The blacklist calls those unknown, and the usual policy lets unknown ones pass.
using Microsoft.IdentityModel.JsonWebTokens;
using Microsoft.IdentityModel.Tokens;
using Rescind.AspNetCore;
using Rescind.Server.Settings;

namespace Rescind.Server.Tokens;

internal static class TokenRules
{
    /// <summary>Longest token that is looked at, in characters; ours have about 700. It stays below what the
    /// listener takes as headers, so an oversized bearer token is refused either here or there.</summary>
    public const int LongestToken = 16 * 1024;

    /// <summary>How far clocks may differ when <c>exp</c> and <c>nbf</c> are compared.</summary>
    public static readonly TimeSpan ClockSkew = TimeSpan.FromSeconds(5);

    /// <summary>How far ahead <c>iat</c> may lie: our own does by up to three seconds, right after a
    /// cutoff.</summary>
    private static readonly TimeSpan LongestAhead = TimeSpan.FromSeconds(3);

    /// <summary>How far ahead <c>iat</c> may lie after several cutoffs in one second that this node has not
    /// heard of: each adds a second or three.</summary>
    public static readonly TimeSpan LongestUnheard = TimeSpan.FromSeconds(30);

    public static TokenValidationParameters Of(
        ServerSettings settings, TimeProvider clock, Blacklist blacklist, TokenKind? kind)
    {
        var rules = new TokenValidationParameters
        {
            IssuerSigningKeys = settings.Keys.Accepted,
            ValidAlgorithms = settings.Keys.Algorithms,
            ValidIssuer = settings.Issuer,
            ValidAudience = settings.Audience,
            ClockSkew = ClockSkew,
            RequireExpirationTime = true,
            RequireSignedTokens = true,
            NameClaimType = JwtRegisteredClaimNames.Sub,
            RoleClaimType = "role",
            TypeValidator = (type, token, _) =>
            {
                CheckSpan(token, settings, clock.GetUtcNow().UtcDateTime);
                return TypeOf(type, token, kind);
            },
            LifetimeValidator = (notBefore, expires, token, _) =>
                IsBegun(notBefore, clock) && CheckNotOver(expires, clock)
                && CheckNotAhead(token, clock.GetUtcNow().UtcDateTime, blacklist),
        };
        return rules;
    }

    /// <summary>The same, for a token that is to be revoked: its time may be over, and it may have stepped
    /// over cutoffs that this node has not heard of. One that is not valid yet stays refused.</summary>
    public static TokenValidationParameters ToRevoke(
        this TokenValidationParameters rules, TimeProvider clock)
    {
        var lenient = rules.Clone();
        lenient.LifetimeValidator = (notBefore, expires, token, _) =>
            IsBegun(notBefore, clock) && expires is not null
            && IssuedAt(token) <= clock.GetUtcNow().UtcDateTime + LongestUnheard;
        return lenient;
    }

    private static bool IsBegun(DateTime? notBefore, TimeProvider clock) =>
        notBefore is null || notBefore <= clock.GetUtcNow().UtcDateTime + ClockSkew;

    private static bool CheckNotOver(DateTime? expires, TimeProvider clock) =>
        expires is not null && (expires > clock.GetUtcNow().UtcDateTime - ClockSkew
            ? true
            : throw new SecurityTokenExpiredException("The token has expired."));

    /// <summary>Our own <c>iat</c> stands a second after the latest cutoff of its user, which after several
    /// revocations in one second lies more than the usual few seconds ahead. A node that has not heard of
    /// these cutoffs yet cannot tell such a token from one of a wrong clock: it says so.</summary>
    private static bool CheckNotAhead(SecurityToken token, DateTime now, Blacklist blacklist)
    {
        var issued = IssuedAt(token);
        if (issued <= now + LongestAhead || token is not JsonWebToken jwt
            || issued <= blacklist.EarliestIssueTime(FactsReader.Read(jwt)).UtcDateTime)
        {
            return true;
        }
        if (issued <= now + LongestUnheard && blacklist.Check(FactsReader.Read(jwt)) != Verdict.Unknown)
        {
            return true; // it stepped over cutoffs that were lifted since
        }
        const string Ahead = "The token claims to be issued in the future.";
        throw issued <= now + LongestUnheard
            ? new UnheardCutoffException(Ahead)
            : new SecurityTokenInvalidLifetimeException(Ahead);
    }

    private static DateTime IssuedAt(SecurityToken token) =>
        token is JsonWebToken jwt ? jwt.IssuedAt : DateTime.MinValue;

    private static void CheckSpan(SecurityToken token, ServerSettings settings, DateTime now)
    {
        var issued = IssuedAt(token);
        var hasNone = issued == DateTime.MinValue;
        if (hasNone && settings.TokensCarryIssuedAt)
        {
            throw new SecurityTokenInvalidLifetimeException("The token does not say when it was issued.");
        }
        if (token.ValidTo - (hasNone ? now + ClockSkew : issued) > settings.LongestLifetime)
        {
            throw new SecurityTokenInvalidLifetimeException("The token lives longer than any may.");
        }
    }

    private static string TypeOf(string? type, SecurityToken token, TokenKind? kind)
    {
        if (token is not JsonWebToken jwt)
        {
            throw new SecurityTokenInvalidTypeException("The token is not a JSON web token.");
        }
        if (!string.IsNullOrEmpty(type)
            && !type.Equals("JWT", StringComparison.OrdinalIgnoreCase)
            && !type.Equals("at+jwt", StringComparison.OrdinalIgnoreCase))
        {
            throw new SecurityTokenInvalidTypeException("The header 'typ' is not that of an access token.");
        }

        // RFC 7515, 4.1.11: whoever does not understand every name in crit must refuse the token. We know
        // none.
        if (jwt.TryGetHeaderValue<object>("crit", out _))
        {
            throw new SecurityTokenInvalidTypeException(
                "The header 'crit' names an extension that is not known.");
        }
        if (KindOf(jwt) is not { } found || (kind is not null && found != kind))
        {
            throw new SecurityTokenInvalidTypeException(
                "The claim 'token_type' is not the one that is needed here.");
        }
        return "JWT";
    }

    /// <summary>The kind a token says it is, or null when it says nothing that we know.</summary>
    public static TokenKind? KindOf(JsonWebToken token)
    {
        if (!token.TryGetPayloadValue<object>(TokenKinds.Claim, out var value))
        {
            return null;
        }
        return value switch
        {
            "access_token" => TokenKind.Access,
            "refresh_token" => TokenKind.Refresh,
            _ => null,
        };
    }
}

/// <summary>The token may have stepped over cutoffs that this node does not know yet; in a moment it
/// will.</summary>
internal sealed class UnheardCutoffException(string message) : SecurityTokenInvalidLifetimeException(message);
