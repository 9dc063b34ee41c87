using Microsoft.AspNetCore.Authentication.JwtBearer;
using Microsoft.IdentityModel.JsonWebTokens;
using Rescind.AspNetCore;
using Rescind.Server.Answers;
using Rescind.Server.Settings;

namespace Rescind.Server.Tokens;

/// <summary>The standard bearer scheme with our rules and our way to say no. The library's guard wraps it
/// like that of any other application.</summary>
internal static class BearerScheme
{
    public static void Configure(
        JwtBearerOptions options, ServerSettings settings, TimeProvider clock, Blacklist blacklist)
    {
        options.MapInboundClaims = false;
        options.SaveToken = false;
        options.TimeProvider = clock;
        options.TokenValidationParameters = TokenRules.Of(settings, clock, blacklist, TokenKind.Access);
        options.TokenHandlers.Clear();
        options.TokenHandlers.Add(new JsonWebTokenHandler
        {
            MapInboundClaims = false,
            MaximumTokenSizeInBytes = TokenRules.LongestToken,
        });
        options.Events = new JwtBearerEvents
        {
            OnTokenValidated = CheckOlderAsync,
            OnAuthenticationFailed = context =>
            {
                if (context.Exception is UnheardCutoffException)
                {
                    TokenRefusal.Note(context.HttpContext, TokenRefusal.Unknown);
                }
                return Task.CompletedTask;
            },
            OnChallenge = context =>
            {
                context.HandleResponse();
                var why = WhyNot(context.HttpContext, context.AuthenticateFailure);
                if (why == Refusals.Revoked)
                {
                    RevokedToken.ShownAsBearer(context.HttpContext);
                }
                return why.ExecuteAsync(context.HttpContext);
            },
            OnForbidden = context => Refusals.Forbidden.ExecuteAsync(context.HttpContext),
        };
    }

    /// <summary>After the guard: a token of the older service may be of a version that is over.</summary>
    private static async Task CheckOlderAsync(TokenValidatedContext context)
    {
        var older = context.HttpContext.RequestServices.GetRequiredService<OlderTokens>();
        if (context.SecurityToken is JsonWebToken token
            && await older.RefusalAsync(token, context.HttpContext.RequestAborted) is { } refusal)
        {
            TokenRefusal.Note(
                context.HttpContext,
                refusal == Refusals.RevocationUnknown ? TokenRefusal.Unknown
                    : refusal == Refusals.Revoked ? TokenRefusal.Revoked
                    : TokenRefusal.Invalid);
            context.Fail(refusal.Detail);
        }
    }

    /// <summary>Why the caller of this request does not count as logged in.</summary>
    public static Refusal WhyNot(HttpContext context, Exception? failure = null) =>
        TokenRefusal.Of(context)?.Code switch
        {
            "token_revoked" => Refusals.Revoked,
            "token_expired" => Refusals.Expired,
            "revocation_unknown" => Refusals.RevocationUnknown,
            null when failure is null => Refusals.NoToken,
            _ => Refusals.Invalid,
        };
}
