using Rescind.Server.Answers;
using Rescind.Server.Sessions;
using Rescind.Server.Settings;
using Rescind.Server.Tokens;

namespace Rescind.Server.Accounts;

/// <summary>The body of refresh, and of logout where it is optional.</summary>
internal sealed class RefreshBody
{
    public string? RefreshToken { get; init; }
}

/// <summary><c>POST /api/auth/refresh-token</c>: the old refresh token is dead when the new pair is
/// made.</summary>
internal sealed class Refresh(OwnTokens tokens, SessionBook sessions, ServerSettings settings)
{
    public async Task<IResult> AnswerAsync(RefreshBody body, HttpContext context)
    {
        if (string.IsNullOrEmpty(body.RefreshToken))
        {
            return Refusals.Invalidated("refresh_token", "refresh_token is missing.");
        }
        var reading = await tokens.ReadAsync(body.RefreshToken, TokenKind.Refresh, context.RequestAborted);
        if (reading.Token is not { } token)
        {
            return reading.Refusal!;
        }

        // Not cancelled with the request: a rotation that has begun is carried through.
        var opening = await sessions.RefreshAsync(token, CancellationToken.None);
        return TokenAnswer.Of(opening, settings, StatusCodes.Status200OK, "Token refreshed.");
    }
}
