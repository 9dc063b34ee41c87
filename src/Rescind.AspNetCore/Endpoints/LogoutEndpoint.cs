using System.Text.Json.Nodes;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;

namespace Rescind.AspNetCore;

/// <summary>
/// Ends the caller's own token and, when it names one, its session: the access and the refresh token of that
/// log-in, and no other session of the user. Asks for a bearer token by itself, so that no policy of the
/// application, and no AllowAnonymous around it, can turn it into a no-op that answers 200.
/// </summary>
internal static class LogoutEndpoint
{
    private const string Reason = "logout";

    public static async Task<IResult> HandleAsync(HttpContext context)
    {
        var services = context.RequestServices;
        var blacklist = services.GetRequiredService<Blacklist>();
        var presented = PresentedToken.Facts(context);
        var isAuthenticated = context.User.Identity?.IsAuthenticated == true;
        if (!isAuthenticated || presented.Count == 0)
        {
            return new Unauthenticated();
        }
        var now = services.GetRequiredService<Clock>().Now;
        var rules = presented.SelectMany(Rules).Distinct().ToList();
        var logger = services.GetRequiredService<ILogger<Guard>>();
        var stored = await StoreCall.TryAsync(
            context, logger, cancel => blacklist.RevokeAsync(rules, cancel));
        return stored.Fault ?? Answer.Of(
            new JsonObject { ["logged_out_at"] = Answer.Time(now) }, "Logged out", stored.Result!);
    }

    /// <summary>What ends with the log-out of a token.</summary>
    public static IEnumerable<Revocation> Rules(TokenFacts facts)
    {
        var actor = facts.Subject is { Length: <= 256 } subject ? subject : "";
        yield return Revocation.OfToken(facts.Issuer, facts.TokenId, facts.ExpiresAt) with
        {
            Reason = Reason, Actor = actor,
        };
        if (facts.Session is { } session)
        {
            yield return Revocation.OfSession(facts.Issuer, session) with { Reason = Reason, Actor = actor };
        }
    }

    /// <summary>Reached only where authorization was switched off around this endpoint: the answer that a
    /// challenge would have given.</summary>
    private sealed class Unauthenticated : IResult
    {
        private static readonly Problem Body = new(
            StatusCodes.Status401Unauthorized, "unauthenticated",
            "Send the bearer token that is to be logged out.");

        public async Task ExecuteAsync(HttpContext httpContext)
        {
            if (TokenRefusal.Of(httpContext) is { } refusal)
            {
                if (refusal.Status == StatusCodes.Status503ServiceUnavailable)
                {
                    TokenRefusal.AnswerUnknown(httpContext.Response);
                }
                else
                {
                    httpContext.Response.Headers.WWWAuthenticate =
                        $"Bearer error=\"invalid_token\", error_description=\"{refusal.Detail}\"";
                }
                await Problem.Of(refusal).ExecuteAsync(httpContext);
                return;
            }
            httpContext.Response.Headers.WWWAuthenticate = "Bearer";
            await Body.ExecuteAsync(httpContext);
        }
    }
}
