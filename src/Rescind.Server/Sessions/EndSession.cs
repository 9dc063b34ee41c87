using Microsoft.AspNetCore.Http.HttpResults;
using Microsoft.EntityFrameworkCore;
using Rescind.Server.Accounts;
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
/// another session than the caller's own is the database asked whose it is. One that has ended already gets
/// no other rule, so that nobody can make the log grow by asking again; what was lifted is ended
/// anew.</summary>
internal sealed class EndSession(
    AccountStore store, Revoker revoker, SessionBook sessions, Blacklist blacklist, ServerSettings settings)
{
    private static readonly Refusal Unknown =
        new(404, "not_found", "You have no session of this id.");

    public async Task<IResult> AnswerAsync(string session, HttpContext context)
    {
        var (caller, cancel) = (Caller.Of(context), context.RequestAborted);
        if (session != caller.Token.Session)
        {
            var row = await store.ReadAsync(
                db => db.Sessions.SingleOrDefaultAsync(
                    one => one.Id == session && one.AccountId == caller.Subject, cancel),
                cancel);
            if (row is null)
            {
                return Unknown;
            }
            if (await EndedByAsync(row, cancel) is { } rule)
            {
                return AnswerOf(session, Already(rule));
            }
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
        return AnswerOf(session, receipt);
    }

    /// <summary>The rule that ended this very session, or null. Others that hit it may be lifted, and it
    /// would live again.</summary>
    private async Task<RevocationId?> EndedByAsync(Session row, CancellationToken cancel)
    {
        var explained = await blacklist.ExplainAsync(sessions.FactsOf(row), cancel);
        return explained.Rules.FirstOrDefault(rule => rule.Kind == RuleKind.Session)?.Id;
    }

    /// <summary>What can be said of a rule without asking the other nodes: this one has applied it, and while
    /// anything of its journal waits, this may too.</summary>
    private Receipt Already(RevocationId rule)
    {
        var status = blacklist.GetStatus();
        var state = !status.Shared ? ReceiptState.Everywhere
            : status.Log.JournalPending > 0 ? ReceiptState.Journaled
            : ReceiptState.Stored;
        return new Receipt(
            rule, status.Position, state, 1, Math.Max(status.Log.Nodes.Count, 1), TimeSpan.Zero);
    }

    private static JsonHttpResult<EndSessionAnswer> AnswerOf(string session, Receipt receipt)
    {
        var answer = new EndSessionAnswer
        {
            Message = "Session ended.", SessionId = session, Receipt = ReceiptBody.Of(receipt),
        };
        return TypedResults.Json(answer, statusCode: answer.Status);
    }
}
