using Rescind.AspNetCore;

namespace Rescind.Server.Answers;

/// <summary>Gives words to refusals that came about without any, such as those of routing.</summary>
internal static class Wordless
{
    public static Task AnswerAsync(HttpContext context)
    {
        var status = context.Response.StatusCode;
        var refusal = status == StatusCodes.Status503ServiceUnavailable
            && ReferenceEquals(TokenRefusal.Of(context), TokenRefusal.Unknown)
                ? Refusals.RevocationUnknown
                : Refusals.OfStatus(status);
        return refusal.ExecuteAsync(context);
    }
}
