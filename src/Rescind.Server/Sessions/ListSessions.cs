using Microsoft.EntityFrameworkCore;
using Rescind.Server.Accounts;
using Rescind.Server.Answers;
using Rescind.Server.Database;
using Rescind.Server.Tokens;

namespace Rescind.Server.Sessions;

/// <summary>A session as its owner, or an administrator, sees it.</summary>
internal sealed record SessionBody(
    string SessionId, DateTime CreatedAt, DateTime LastUsedAt, string? Ip, string? UserAgent, bool Current);

/// <summary>The answer of <see cref="ListSessions"/>.</summary>
internal sealed record ListSessionsAnswer : Answer
{
    public required IReadOnlyList<SessionBody> Sessions { get; init; }
}

/// <summary><c>GET /api/auth/sessions</c>, and the same of a user for administrators: the devices that are
/// logged in, the latest used first. The blacklist has the last word on which those are.</summary>
internal sealed class ListSessions(
    AccountStore store, Blacklist blacklist, SessionBook sessions, TimeProvider clock)
{
    public async Task<IResult> AnswerAsync(string account, HttpContext context)
    {
        var current = Caller.Of(context).Token.Session;
        var live = await LiveAsync(account, context.RequestAborted);
        return TypedResults.Json(new ListSessionsAnswer
        {
            Message = $"{live.Count} session(s).",
            Sessions = [.. live.Select(row => new SessionBody(
                row.Id, row.CreatedAt, row.LastUsedAt, row.Address, row.UserAgent, row.Id == current))],
        });
    }

    /// <summary>The live sessions of an account.</summary>
    public async Task<IReadOnlyList<Session>> LiveAsync(string account, CancellationToken cancel)
    {
        var now = clock.GetUtcNow().UtcDateTime;
        var rows = await store.ReadAsync(
            db => db.Sessions
                .Where(row => row.AccountId == account && row.EndedAt == null && row.ExpiresAt > now)
                .OrderByDescending(row => row.LastUsedAt).ToListAsync(cancel),
            cancel);
        return [.. rows.Where(row => blacklist.Check(sessions.FactsOf(row)) != Verdict.Revoked)];
    }
}
