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

/// <summary><c>POST /api/auth/refresh-token</c>; see <see cref="Rotation"/>.</summary>
internal sealed class Refresh(OwnTokens tokens, Rotation rotation, ServerSettings settings)
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
        var opening = await rotation.RefreshAsync(token, Device.Of(context));
        return TokenAnswer.Of(opening, settings, StatusCodes.Status200OK, "Token refreshed.");
    }
}
