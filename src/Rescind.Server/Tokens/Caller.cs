using System.Security.Claims;
using Rescind.AspNetCore;

namespace Rescind.Server.Tokens;

/// <summary>Who calls, by the access token that the bearer scheme validated. Whether it is an administrator
/// counts from the token, so that administration works while the database is away.</summary>
internal sealed record Caller(string Subject, bool IsAdmin, TokenFacts Token)
{
    public const string AdminPolicy = "administrator";
    private const string AdminClaim = "is_admin";

    /// <summary>The caller of an endpoint that requires one.</summary>
    public static Caller Of(HttpContext context)
    {
        var facts = PresentedToken.Facts(context)[0];
        return new Caller(facts.Subject ?? "", IsAdministrator(context.User), facts);
    }

    public static bool IsAdministrator(ClaimsPrincipal user) =>
        user.HasClaim(claim => claim.Type == AdminClaim
            && claim.ValueType == ClaimValueTypes.Boolean
            && string.Equals(claim.Value, "true", StringComparison.OrdinalIgnoreCase));

    /// <summary>The token of the Authorization header as it was sent, or null.</summary>
    public static string? BearerOf(HttpRequest request)
    {
        const string Scheme = "Bearer ";
        var header = request.Headers.Authorization.ToString();
        return header.StartsWith(Scheme, StringComparison.OrdinalIgnoreCase)
            ? header[Scheme.Length..].Trim()
            : null;
    }
}
