using System.ComponentModel.DataAnnotations;
using Rescind.Server.Answers;
using Rescind.Server.Sessions;

namespace Rescind.Server.Accounts;

/// <summary>A user as the outside sees one.</summary>
internal sealed record UserBody(string Id, string Email, bool IsAdmin);

/// <summary>The answer of everything that logs somebody in.</summary>
internal sealed record TokenAnswer : Answer
{
    public required string AccessToken { get; init; }

    public required string RefreshToken { get; init; }

    [AllowedValues("Bearer")]
    public string TokenType { get; } = "Bearer";

    public required long ExpiresIn { get; init; }

    public required long RefreshExpiresIn { get; init; }

    public required string SessionId { get; init; }

    public required UserBody User { get; init; }

    /// <summary>The answer to an opening, or its refusal.</summary>
    public static IResult Of(Opening opening, int status, string message)
    {
        if (opening is not { Account: { } account, Session: { } session, Pair: { } pair })
        {
            return opening.Refusal!;
        }
        var answer = new TokenAnswer
        {
            Message = message,
            AccessToken = pair.Access,
            RefreshToken = pair.Refresh,
            ExpiresIn = (long)pair.AccessLives.TotalSeconds,
            RefreshExpiresIn = (long)pair.RefreshLives.TotalSeconds,
            SessionId = session,
            User = new UserBody(account.Id, account.Email, account.IsAdmin),
        };
        return TypedResults.Json(answer, statusCode: status);
    }
}
