using Microsoft.EntityFrameworkCore;
using Rescind.Server.Answers;
using Rescind.Server.Database;
using Rescind.Server.Revoking;
using Rescind.Server.Settings;
using Rescind.Server.Tokens;

namespace Rescind.Server.Sessions;

/// <summary>The answer of <see cref="EndSession"/>.</summary>
internal sealed record EndSessionAnswer : RevokingAnswer
{
    public required string SessionId { get; init; }
}

/// <summary><c>DELETE /api/auth/sessions/{session_id}</c>: ends one of the caller's sessions. Only for
/// another session than the caller's own is the database asked whose it is.</summary>
internal sealed class EndSession(
    AccountStore store, Revoker revoker, SessionBook sessions, ServerSettings settings)
{
    private static readonly Refusal Unknown =
        new(404, "not_found", "You have no session of this id.");

    public async Task<IResult> AnswerAsync(string session, HttpContext context)
    {
        var (caller, cancel) = (Caller.Of(context), context.RequestAborted);
        var isOwn = session == caller.Token.Session || await store.ReadAsync(
            db => db.Sessions.AnyAsync(row => row.Id == session && row.AccountId == caller.Subject, cancel),
            cancel);
        if (!isOwn)
        {
            return Unknown;
        }
        var revoked = await revoker.RevokeAsync(
            Revocation.OfSession(settings.Issuer, session) with
            {
                Reason = "logout",
                Actor = Revoker.ActorOf(caller.Subject),
            });
        if (revoked.Receipt is not { } receipt)
        {
            return revoked.Refusal!;
        }
        await sessions.EndAsync(session);
        var answer = new EndSessionAnswer
        {
            Message = "Session ended.", SessionId = session, Receipt = ReceiptBody.Of(receipt),
        };
        return TypedResults.Json(answer, statusCode: answer.Status);
    }
}
