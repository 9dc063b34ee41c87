using Rescind.Server.Accounts;
using Rescind.Server.Answers;
using Rescind.Server.Audit;
using Rescind.Server.Sessions;
using Rescind.Server.Tokens;

namespace Rescind.Server.Revoking;

/// <summary>The answer of <see cref="LogOut"/>.</summary>
internal sealed record LogOutAnswer : RevokingAnswer
{
    public required DateTime LoggedOutAt { get; init; }
}

/// <summary><c>POST /api/auth/logout</c>: ends the session of every genuine token that is shown, in the
/// header or in the body. Whoever holds a genuine token may end its session, also when its time is over: a
/// client that comes late still means it.</summary>
internal sealed class LogOut(OwnTokens tokens, Revoker revoker, SessionBook sessions, TimeProvider clock)
{
    public async Task<IResult> AnswerAsync(RefreshBody body, HttpContext context)
    {
        var shown = new List<Reading>();
        if (Caller.BearerOf(context.Request) is { } bearer)
        {
            shown.Add(await tokens.ReadToRevokeAsync(bearer, TokenKind.Access, context.RequestAborted));
        }
        if (!string.IsNullOrEmpty(body.RefreshToken))
        {
            shown.Add(await tokens.ReadToRevokeAsync(
                body.RefreshToken, TokenKind.Refresh, context.RequestAborted));
        }
        var genuine = shown.Where(reading => reading.Refusal is null).Select(reading => reading.Token!)
            .ToList();
        if (genuine.Count == 0)
        {
            return WhyNot(shown);
        }
        return await EndAsync(genuine, context);
    }

    private async Task<IResult> EndAsync(List<OwnToken> genuine, HttpContext context)
    {
        Receipt? receipt = null;
        var ended = genuine.Select(token => (Token: token, Rule: Rule(token)))
            .DistinctBy(one => (one.Rule.Kind, one.Rule.Value));
        foreach (var (token, rule) in ended)
        {
            // The tokens need not be of one person.
            AuditNotes.Of(context).UserId = token.Subject;
            var revoked = await revoker.RevokeAsync(rule);
            if (revoked.Refusal is not null)
            {
                return revoked.Refusal;
            }
            receipt ??= revoked.Receipt;
            AuditNotes.Add(context, new AuditEvent(AuditEvents.UserLoggedOut)
            {
                Jti = token.Facts.TokenId, TokenType = token.Kind.Name(), Reason = "logout",
                Actor = Revoker.ActorOf(token.Subject),
            });
            if (rule.Kind == RuleKind.Session)
            {
                await sessions.EndAsync(rule.Value);
            }
        }
        var answer = new LogOutAnswer
        {
            Message = "Logged out.",
            LoggedOutAt = clock.GetUtcNow().UtcDateTime,
            Receipt = ReceiptBody.Of(receipt!),
        };
        return TypedResults.Json(answer, statusCode: answer.Status);
    }

    /// <summary>A token that was minted elsewhere may belong to no session; then it ends alone.</summary>
    private static Revocation Rule(OwnToken token) =>
        (token.Facts.Session is { } session
            ? Revocation.OfSession(token.Facts.Issuer, session)
            : Revocation.OfToken(token.Facts.Issuer, token.Facts.TokenId, token.Facts.ExpiresAt)) with
        {
            Reason = "logout",
            Actor = Revoker.ActorOf(token.Subject),
        };

    private static Refusal WhyNot(List<Reading> shown)
    {
        if (shown.Count == 0)
        {
            return Refusals.NoToken;
        }
        return shown.Any(reading => reading.IsRevoked) ? Refusals.Revoked : shown[0].Refusal!;
    }
}
