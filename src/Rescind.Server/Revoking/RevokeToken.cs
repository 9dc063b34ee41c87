using Rescind.Server.Answers;
using Rescind.Server.Audit;
using Rescind.Server.Sessions;
using Rescind.Server.Tokens;

namespace Rescind.Server.Revoking;

/// <summary>The body of <see cref="RevokeToken"/>.</summary>
internal sealed class RevokeBody
{
    public string? Token { get; init; }

    public string? Reason { get; init; }
}

/// <summary>The answer of <see cref="RevokeToken"/>.</summary>
internal sealed record RevokeTokenAnswer : RevokingAnswer;

/// <summary><c>POST /api/auth/revoke</c>: an access token ends alone, a refresh token takes its session with
/// it. </summary>
internal sealed class RevokeToken(OwnTokens tokens, Revoker revoker, SessionBook sessions)
{
    public async Task<IResult> AnswerAsync(RevokeBody body, HttpContext context)
    {
        var caller = Caller.Of(context);
        var token = new OwnToken(TokenKind.Access, caller.Token);
        if (!string.IsNullOrEmpty(body.Token))
        {
            var reading = await tokens.ReadToRevokeAsync(body.Token, kind: null, context.RequestAborted);
            if (reading.Token is null)
            {
                return Refusals.Invalidated("token", "token is not a token of this server.");
            }

            // One that is revoked already is revoked once more: harmless, and the caller gets its receipt.
            token = reading.Token;
        }
        if (token.Subject != caller.Subject && !caller.IsAdmin)
        {
            return Refusals.Forbidden;
        }
        AuditNotes.Of(context).UserId = token.Subject;
        return await RevokeAsync(Rule(token) with
        {
            Reason = string.IsNullOrEmpty(body.Reason) ? "revoked" : body.Reason,
            Actor = Revoker.ActorOf(caller.Subject),
        });
    }

    private async Task<IResult> RevokeAsync(Revocation rule)
    {
        var revoked = await revoker.RevokeAsync(rule);
        if (revoked.Receipt is not { } receipt)
        {
            return revoked.Refusal!;
        }
        if (rule.Kind == RuleKind.Session)
        {
            await sessions.EndAsync(rule.Value);
        }
        var answer = new RevokeTokenAnswer { Message = "Token revoked.", Receipt = ReceiptBody.Of(receipt) };
        return TypedResults.Json(answer, statusCode: answer.Status);
    }

    private static Revocation Rule(OwnToken token) =>
        token is { Kind: TokenKind.Refresh, Facts.Session: { } session }
            ? Revocation.OfSession(token.Facts.Issuer, session)
            : Revocation.OfToken(token.Facts.Issuer, token.Facts.TokenId, token.Facts.ExpiresAt);
}
