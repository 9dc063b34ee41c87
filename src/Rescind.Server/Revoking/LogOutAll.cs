using Rescind.Server.Answers;
using Rescind.Server.Audit;
using Rescind.Server.Sessions;
using Rescind.Server.Tokens;

namespace Rescind.Server.Revoking;

/// <summary>The answer of <see cref="LogOutAll"/>.</summary>
internal sealed record LogOutAllAnswer : RevokingAnswer
{
    /// <summary>How many sessions lived; null when the accounts database could not say.</summary>
    public required int? SessionsRevoked { get; init; }
}

/// <summary><c>POST /api/auth/logout-all</c>: every token of the caller issued so far is dead.</summary>
internal sealed class LogOutAll(Revoker revoker, SessionBook sessions)
{
    public async Task<IResult> AnswerAsync(HttpContext context)
    {
        var caller = Caller.Of(context);
        var rule = Revocation.OfSubject(caller.Token.Issuer, caller.Subject) with
        {
            Reason = "logout", Actor = Revoker.ActorOf(caller.Subject),
        };
        var revoked = await revoker.RevokeAsync(rule);
        if (revoked.Receipt is not { } receipt)
        {
            return revoked.Refusal!;
        }
        AuditNotes.Add(context, new AuditEvent(AuditEvents.UserLoggedOut) { Reason = "logout" });
        var answer = new LogOutAllAnswer
        {
            Message = "Logged out everywhere.",
            SessionsRevoked = await sessions.EndHitAsync(AuditNotes.Of(context).Made(rule)),
            Receipt = ReceiptBody.Of(receipt),
        };
        return TypedResults.Json(answer, statusCode: answer.Status);
    }
}
