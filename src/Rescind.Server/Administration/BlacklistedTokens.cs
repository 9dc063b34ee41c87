using Microsoft.EntityFrameworkCore;
using Rescind.Server.Accounts;
using Rescind.Server.Answers;
using Rescind.Server.Audit;
using Rescind.Server.Database;
using Rescind.Server.Settings;
using Rescind.Server.Tokens;

namespace Rescind.Server.Administration;

/// <summary>A token of a user that no longer counts.</summary>
internal sealed record BlacklistedToken(
    string Jti, string TokenType, string? SessionId, string Reason, DateTime RevokedAt, string? RevokedBy);

/// <summary>The answer of <see cref="BlacklistedTokens"/>.</summary>
internal sealed record BlacklistedTokensAnswer : Answer
{
    public required string UserId { get; init; }

    public required int BlacklistedTokenCount { get; init; }

    [System.Text.Json.Serialization.JsonPropertyName("blacklisted_tokens")]
    public required IReadOnlyList<BlacklistedToken> Tokens { get; init; }
}

/// <summary><c>GET /api/auth/admin/user-blacklisted-tokens/{user_id}</c>: the revoked refresh tokens of a
/// user's sessions, and the tokens that were revoked one by one. Both within the longest token lifetime; of
/// each kind at most <see cref="Most"/>, the newest.</summary>
internal sealed class BlacklistedTokens(
    AccountStore store, AuditShipper shipper, Blacklist blacklist, ServerSettings settings,
    TimeProvider clock)
{
    private const int Most = 500;

    public async Task<IResult> AnswerAsync(string user, HttpContext context)
    {
        var cancel = context.RequestAborted;
        await shipper.ShipAsync(cancel);
        var single = await SingleAsync(user, cancel);
        var ended = await EndedAsync(user, cancel);
        List<BlacklistedToken> all = [.. single.Concat(ended).OrderByDescending(one => one.RevokedAt)];
        return TypedResults.Json(new BlacklistedTokensAnswer
        {
            Message = $"{all.Count} token(s).",
            UserId = user,
            BlacklistedTokenCount = all.Count,
            Tokens = all,
        });
    }

    private async Task<IEnumerable<BlacklistedToken>> SingleAsync(string user, CancellationToken cancel)
    {
        var oldest = clock.GetUtcNow().UtcDateTime - settings.LongestLifetime;
        var (type, name) = (AuditEvents.OfRevoking(RuleKind.Token), AuditEvent.OfUser(user));
        var events = await store.ReadAsync(
            db => db.AuditEvents
                .Where(row => row.UserId == name && row.EventType == type && row.Timestamp > oldest)
                .OrderByDescending(row => row.Timestamp).Take(Most).ToListAsync(cancel),
            cancel);
        return events.Select(row => new BlacklistedToken(
            row.Jti ?? "", row.TokenType ?? TokenKind.Access.Name(), null, row.Reason ?? "", row.Timestamp,
            row.Actor));
    }

    private async Task<IEnumerable<BlacklistedToken>> EndedAsync(string user, CancellationToken cancel)
    {
        var now = clock.GetUtcNow().UtcDateTime;
        var sessions = await store.ReadAsync(
            db => db.Sessions.Where(row => row.AccountId == user && row.ExpiresAt > now)
                .OrderByDescending(row => row.LastUsedAt).Take(Most).ToListAsync(cancel),
            cancel);
        var tokens = new List<BlacklistedToken>();
        foreach (var session in sessions)
        {
            var why = await blacklist.ExplainAsync(FactsOf(session), cancel);
            if (why.Verdict == Verdict.Revoked && why.Rules.Count > 0)
            {
                var rule = why.Rules[0];
                tokens.Add(new BlacklistedToken(
                    AuditEvent.Short(session.RefreshId)!, TokenKind.Refresh.Name(), session.Id, rule.Reason,
                    rule.MadeAt == default ? session.EndedAt ?? now : rule.MadeAt.UtcDateTime, rule.Actor));
            }
        }
        return tokens;
    }

    private TokenFacts FactsOf(Session session) => new()
    {
        Issuer = settings.Issuer, TokenId = session.RefreshId, Subject = session.AccountId,
        Session = session.Id, IssuedAt = new DateTimeOffset(session.AuthenticatedAt, TimeSpan.Zero),
        ExpiresAt = new DateTimeOffset(session.ExpiresAt, TimeSpan.Zero),
    };
}
