using Rescind.AspNetCore;
using Rescind.Server.Answers;
using Rescind.Server.Audit;
using Rescind.Server.Limits;
using Rescind.Server.Sessions;
using Rescind.Server.Tokens;

namespace Rescind.Server.Accounts;

/// <summary>The body of refresh, and of logout where it is optional.</summary>
internal sealed class RefreshBody
{
    public string? RefreshToken { get; init; }
}

/// <summary><c>POST /api/auth/refresh-token</c>; see <see cref="Rotation"/>.</summary>
internal sealed class Refresh(OwnTokens tokens, Rotation rotation, RateLimits limits, Blacklist blacklist)
{
    public async Task<IResult> AnswerAsync(RefreshBody body, HttpContext context)
    {
        if (string.IsNullOrEmpty(body.RefreshToken))
        {
            return Refusals.Invalidated("refresh_token", "refresh_token is missing.");
        }
        var status = blacklist.GetStatus();
        if (Warnings.IsClockWrong(status, blacklist.Options))
        {
            // By such a clock a good token looks invalid and a retry like a replay: a user would be logged
            // out.
            return Refusals.NoIssuing;
        }
        var reading = await tokens.ReadAsync(body.RefreshToken, TokenKind.Refresh, context.RequestAborted);
        if (reading.Refusal is not null || reading.Token is not { } token)
        {
            if (reading.IsRevoked)
            {
                RevokedToken.Shown(context, reading.Token?.Facts, TokenKind.Refresh);
            }
            return status.ClockAhead is null && MayBeByTheClock(reading)
                ? Refusals.NoIssuing
                : reading.Refusal!;
        }
        if (await limits.TakeAsync(Limit.Refresh, "session:" + token.Facts.Session) is { } tooMany)
        {
            return tooMany;
        }
        AuditNotes.Of(context).UserId = token.Subject;
        var opening = await rotation.RefreshAsync(token, Device.Of(context));
        if (opening.Refusal is null || opening.Refusal == Refusals.Replayed)
        {
            var type = opening.Refusal is null ? AuditEvents.TokenRefreshed : AuditEvents.RefreshTokenReuse;
            AuditNotes.Add(context, new AuditEvent(type)
            {
                Jti = token.Facts.TokenId, TokenType = TokenKind.Refresh.Name(), Actor = token.Subject,
            });
        }
        return TokenAnswer.Of(opening, StatusCodes.Status200OK, "Token refreshed.");
    }

    /// <summary>Started while the log is away, a node has nothing to compare its clock with, and by a wrong
    /// one a good token looks as if it were over or not valid yet. Who is told so is logged out.</summary>
    private static bool MayBeByTheClock(Reading reading) =>
        reading.Refusal == Refusals.Invalid || reading.Refusal == Refusals.Expired;
}
