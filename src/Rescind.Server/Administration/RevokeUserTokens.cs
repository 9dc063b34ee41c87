using Microsoft.EntityFrameworkCore;
using Rescind.Server.Accounts;
using Rescind.Server.Answers;
using Rescind.Server.Audit;
using Rescind.Server.Database;
using Rescind.Server.Revoking;
using Rescind.Server.Sessions;
using Rescind.Server.Settings;
using Rescind.Server.Tokens;

namespace Rescind.Server.Administration;

/// <summary>The body of <see cref="RevokeUserTokens"/>; query parameters of the same names do as
/// well.</summary>
internal sealed class RevokeUserTokensBody
{
    public string? UserId { get; init; }

    public string? Reason { get; init; }

    public string? Note { get; init; }

    /// <summary>Fills what the body lacks from the query.</summary>
    public RevokeUserTokensBody Or(IQueryCollection query) => new()
    {
        UserId = Or(UserId, query["user_id"]),
        Reason = Or(Reason, query["reason"]),
        Note = Or(Note, query["note"]),
    };

    private static string? Or(string? value, string? other)
    {
        var chosen = string.IsNullOrEmpty(value) ? other : value;
        return string.IsNullOrEmpty(chosen) ? null : chosen;
    }
}

/// <summary>The answer of <see cref="RevokeUserTokens"/>.</summary>
internal sealed record RevokeUserTokensAnswer : RevokingAnswer
{
    public required string UserId { get; init; }

    /// <summary>Whether the account is ours; null when the accounts database could not say.</summary>
    public required bool? KnownUser { get; init; }

    public required int? SessionsRevoked { get; init; }

    public required DateTime RevokedBefore { get; init; }

    public required string RevokedBy { get; init; }
}

/// <summary><c>POST /api/auth/admin/revoke-user-tokens</c>: every token issued to a user so far is dead,
/// whether or not this server has ever seen it.</summary>
internal sealed class RevokeUserTokens(
    Revoker revoker, SessionBook sessions, AccountStore store, ServerSettings settings,
    TimeProvider clock, ILogger<RevokeUserTokens> logger)
{
    /// <summary>The revocation has been made; its answer waits no longer for a database.</summary>
    private static readonly TimeSpan LongestWait = TimeSpan.FromSeconds(1);

    public async Task<IResult> AnswerAsync(RevokeUserTokensBody sent, HttpContext context)
    {
        var body = sent.Or(context.Request.Query);
        if (Required.Missing(("user_id", body.UserId), ("reason", body.Reason)) is { } missing)
        {
            return missing;
        }
        var (user, caller) = (body.UserId!, Caller.Of(context));
        var rule = Revocation.OfSubject(settings.Issuer, user) with
        {
            Reason = body.Reason!, Note = body.Note, Actor = Revoker.ActorOf(caller.Subject),
        };
        var revoked = await revoker.RevokeAsync(rule, nameOfValue: "user_id");
        if (revoked.Receipt is not { } receipt)
        {
            return revoked.Refusal!;
        }
        var made = AuditNotes.Of(context).Made(rule);
        var answer = new RevokeUserTokensAnswer
        {
            Message = "Every token issued to the user so far is revoked.",
            UserId = user,
            KnownUser = await IsKnownAsync(user),
            SessionsRevoked = await sessions.EndHitAsync(made),
            RevokedBefore = made.IssuedBefore!.Value.UtcDateTime,
            RevokedBy = caller.Subject,
            Receipt = ReceiptBody.Of(receipt),
        };
        return TypedResults.Json(answer, statusCode: answer.Status);
    }

    private async Task<bool?> IsKnownAsync(string user)
    {
        try
        {
            return await store.ReadAsync(
                db => db.Accounts.AnyAsync(row => row.Id == user), CancellationToken.None)
                .WaitAsync(LongestWait, clock);
        }
        catch (Exception fault) when (FaultHandler.IsDatabaseAway(fault))
        {
            Log.NotNoted(logger, fault.GetBaseException().Message);
            return null;
        }
    }
}
