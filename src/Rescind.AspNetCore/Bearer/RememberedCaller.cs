using Microsoft.AspNetCore.Authentication;
using Microsoft.AspNetCore.Authentication.JwtBearer;

namespace Rescind.AspNetCore;

/// <summary>
/// The few steps that the handler takes before and after the validation of a token, for a token that need not
/// be validated: where the token stands in the request, and what becomes of the application's answer. As
/// <see cref="JwtBearerHandler"/> of .NET 10 does it; tests compare the two.
/// </summary>
internal static class RememberedCaller
{
    private const string Scheme = "Bearer ";

    /// <summary>The token that the handler is about to validate.</summary>
    public static string? TokenIn(MessageReceivedContext context)
    {
        if (!string.IsNullOrEmpty(context.Token))
        {
            return context.Token;
        }
        var header = context.Request.Headers.Authorization.ToString();
        return header.StartsWith(Scheme, StringComparison.OrdinalIgnoreCase)
            ? header[Scheme.Length..].Trim()
            : null;
    }

    /// <summary>Ends as the application's own event wants it.</summary>
    public static void Take(MessageReceivedContext context, TokenValidatedContext validated, string token)
    {
        (context.Principal, context.Properties) = (validated.Principal, validated.Properties);
        switch (validated.Result)
        {
            case null:
                Succeed(context, token);
                break;
            case { Succeeded: true }:
                context.Success();
                break;
            case { Failure: { } failure }:
                context.Fail(failure);
                break;
            default:
                context.NoResult();
                break;
        }
    }

    public static void Succeed(MessageReceivedContext context, string token)
    {
        if (context.Options.SaveToken)
        {
            context.Properties.StoreTokens(
                [new AuthenticationToken { Name = "access_token", Value = token }]);
        }
        context.Success();
    }
}
