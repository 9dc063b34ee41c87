// Makes our tokens. What it guarantees: the two tokens of one log-in share sid and auth_time, so that
// whatever ends one ends both; iat stands after every cutoff that is live for the user, so a log-in right
// after "revoke all" works at once, and what it is refreshed to on any node; auth_time stays that of the
// log-in, so a refresh cannot outrun a cutoff.
using Microsoft.IdentityModel.JsonWebTokens;
using Microsoft.IdentityModel.Tokens;
using Rescind.Server.Accounts;
using Rescind.Server.Database;
using Rescind.Server.Mirror;
using Rescind.Server.Settings;

namespace Rescind.Server.Tokens;

/// <summary>The two tokens of a log-in or a refresh.</summary>
internal sealed record TokenPair(
    string Access, string Refresh, string RefreshId, DateTimeOffset RefreshExpiresAt,
    DateTimeOffset IssuedAt, TimeSpan AccessLives, TimeSpan RefreshLives);

/// <summary>A refresh token that was made before and is handed out once more.</summary>
internal readonly record struct Successor(string Id, DateTimeOffset ExpiresAt);

internal sealed class TokenIssuer(
    ServerSettings settings, Blacklist blacklist, TimeProvider clock, MirrorQueue? mirror = null)
{
    private readonly JsonWebTokenHandler _handler = new() { SetDefaultTimesOnTokenCreation = false };

    /// <summary>Makes a pair.</summary>
    /// <param name="db">The write that the pair belongs to.</param>
    /// <param name="account">Whose.</param>
    /// <param name="session">The session's id.</param>
    /// <param name="authenticatedAt">When the password was shown; null: now.</param>
    /// <param name="successor">The refresh token that the pair has to hold; null: a new one.</param>
    /// <param name="endsBy">Neither lives longer; null: as the settings say.</param>
    /// <returns>The pair; null when the signing key is revoked, so that no token could count, or this node's
    /// clock is wrong.</returns>
    public TokenPair? Issue(
        AccountsDb db, Account account, string session, DateTimeOffset? authenticatedAt = null,
        Successor? successor = null, DateTimeOffset? endsBy = null)
    {
        if (IsClockDoubtful(db))
        {
            return null;
        }
        var now = DateTimeOffset.FromUnixTimeSeconds(clock.GetUtcNow().ToUnixTimeSeconds());
        var issuedAt = StampOf(account, session, authenticatedAt, now);
        if (issuedAt == DateTimeOffset.MaxValue)
        {
            return null;
        }
        var common = new Dictionary<string, object>(StringComparer.Ordinal)
        {
            ["iss"] = settings.Issuer,
            ["aud"] = settings.Audience,
            ["sub"] = account.Id,
            ["sid"] = session,
            ["iat"] = issuedAt.ToUnixTimeSeconds(),
            ["nbf"] = now.ToUnixTimeSeconds(),
            ["auth_time"] = (authenticatedAt ?? issuedAt).ToUnixTimeSeconds(),
        };
        if (account.TokenVersion is { } version)
        {
            common[OlderTokens.VersionClaim] = version;
        }
        var accessExpiresAt = Earlier(now + settings.AccessLifetime, endsBy);
        var access = new Dictionary<string, object>(common, StringComparer.Ordinal)
        {
            ["jti"] = NewId(),
            ["exp"] = accessExpiresAt.ToUnixTimeSeconds(),
            [TokenKinds.Claim] = TokenKind.Access.Name(),
            ["is_admin"] = account.IsAdmin,
            ["scope"] = account.IsAdmin ? "user admin" : "user",
        };
        var (refreshId, refreshExpiresAt) = successor is { } old
            ? (old.Id, old.ExpiresAt)
            : (NewId(), Earlier(now + settings.RefreshLifetime, endsBy));
        var refresh = new Dictionary<string, object>(common, StringComparer.Ordinal)
        {
            ["jti"] = refreshId,
            ["exp"] = refreshExpiresAt.ToUnixTimeSeconds(),
            [TokenKinds.Claim] = TokenKind.Refresh.Name(),
        };
        foreach (var claims in new[] { access, refresh })
        {
            mirror?.Add(new MirrorItem.Issued(
                account.Id, session, (string)claims["jti"], issuedAt, authenticatedAt ?? issuedAt,
                DateTimeOffset.FromUnixTimeSeconds((long)claims["exp"])));
        }
        return new TokenPair(
            Sign(access), Sign(refresh), refreshId, refreshExpiresAt, issuedAt,
            Lives(accessExpiresAt, now), Lives(refreshExpiresAt, now));
    }

    public static string NewId() => Guid.NewGuid().ToString();

    /// <summary>Started while the log is away, a node has nothing to compare its clock with but the database.
    /// </summary>
    private bool IsClockDoubtful(AccountsDb db)
    {
        var ahead = clock.GetUtcNow().UtcDateTime - db.TimeOf(clock);
        return ahead?.Duration() > blacklist.Options.IssuerClockDifference
            && blacklist.GetStatus().ClockAhead is null;
    }

    /// <summary>When it is issued, by what this node knows; never before a log-in that stepped over a cutoff,
    /// which this node may not have heard of yet.</summary>
    private DateTimeOffset StampOf(
        Account account, string session, DateTimeOffset? authenticatedAt, DateTimeOffset now)
    {
        var earliest = blacklist.EarliestIssueTime(new TokenFacts
        {
            Issuer = settings.Issuer,
            TokenId = session,
            Subject = account.Id,
            Session = session,
            KeyId = settings.Keys.Signing.Key.KeyId,
        });
        return authenticatedAt > earliest && authenticatedAt <= now + TokenRules.LongestUnheard
            ? authenticatedAt.Value
            : earliest;
    }

    private static DateTimeOffset Earlier(DateTimeOffset time, DateTimeOffset? endsBy) =>
        endsBy < time ? endsBy.Value : time;

    private static TimeSpan Lives(DateTimeOffset expiresAt, DateTimeOffset now) =>
        expiresAt > now ? expiresAt - now : TimeSpan.Zero;

    private string Sign(Dictionary<string, object> claims) => _handler.CreateToken(new SecurityTokenDescriptor
    {
        Claims = claims,
        SigningCredentials = settings.Keys.Signing,
        TokenType = "JWT",
    });
}
