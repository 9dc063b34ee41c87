using Microsoft.AspNetCore.Http;
using Microsoft.IdentityModel.Tokens;

namespace Rescind.AspNetCore;

/// <summary>
/// Why the bearer token of a request was refused, as the answer will say it. Kept beside the request, because
/// the answer is written later, by whatever challenges the caller, and by nobody when the endpoint is open to
/// all.
/// </summary>
internal sealed record TokenRefusal(int Status, string Code, string Detail)
{
    public static readonly TokenRefusal Revoked = new(
        StatusCodes.Status401Unauthorized, "token_revoked", "The token has been revoked");

    /// <summary>Not a 401: clients would take that for a log-out.</summary>
    public static readonly TokenRefusal Unknown = new(
        StatusCodes.Status503ServiceUnavailable, "revocation_unknown",
        "It cannot be told at the moment whether the token has been revoked");

    public static readonly TokenRefusal Expired = new(
        StatusCodes.Status401Unauthorized, "token_expired", "The token has expired");

    public static readonly TokenRefusal Invalid = new(
        StatusCodes.Status401Unauthorized, "token_invalid", "The token is not valid");

    /// <summary>The refusal of this request, or null when no bearer token was refused.</summary>
    public static TokenRefusal? Of(HttpContext context) => context.Features.Get<TokenRefusal>();

    /// <summary>Notes a refusal; when several schemes refuse, the most telling one counts.</summary>
    public static void Note(HttpContext context, TokenRefusal refusal)
    {
        if (Of(context) is { } earlier && Rank(earlier) >= Rank(refusal))
        {
            return;
        }
        context.Features.Set(refusal);
    }

    /// <summary>Notes that the caller was turned away for this refusal. On an endpoint open to all nobody is,
    /// and its answers, a 401 for a wrong password for example, are not ours to touch.</summary>
    public static void NoteChallenge(HttpContext context)
    {
        context.Features.Set(Challenge.Made);
        if (ReferenceEquals(Of(context), Unknown) && !context.Response.HasStarted)
        {
            // A scheme that challenges after ours would make it a 401.
            context.Response.OnStarting(static state => CorrectStatus((HttpContext)state), context);
        }
    }

    /// <summary>The refusal for which the caller was turned away, or null.</summary>
    public static TokenRefusal? Answered(HttpContext context) =>
        context.Features.Get<Challenge>() is null ? null : Of(context);

    /// <summary>What a failed validation is called.</summary>
    public static TokenRefusal From(Exception? failure) => failure switch
    {
        SecurityTokenExpiredException => Expired,
        AggregateException several when several.InnerExceptions.Any(
            one => one is SecurityTokenExpiredException) =>
            Expired,
        _ => Invalid,
    };

    /// <summary>Sets status and headers of a 503; the body is written when nobody else writes one.</summary>
    public static void AnswerUnknown(HttpResponse response)
    {
        response.StatusCode = Unknown.Status;
        response.Headers.RetryAfter = "1";
        response.Headers.Remove("WWW-Authenticate");
    }

    private static Task CorrectStatus(HttpContext context)
    {
        if (context.Response.StatusCode == StatusCodes.Status401Unauthorized
            && ReferenceEquals(Of(context), Unknown))
        {
            AnswerUnknown(context.Response);
        }
        return Task.CompletedTask;
    }

    private sealed class Challenge
    {
        public static readonly Challenge Made = new();
    }

    private static int Rank(TokenRefusal refusal) => refusal.Code switch
    {
        "token_revoked" => 4,
        "revocation_unknown" => 3,
        "token_expired" => 2,
        _ => 1,
    };
}
