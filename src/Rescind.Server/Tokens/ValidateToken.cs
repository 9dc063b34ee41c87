using System.Text.Json.Serialization;
using Microsoft.IdentityModel.JsonWebTokens;
using Rescind.Server.Answers;

namespace Rescind.Server.Tokens;

/// <summary>What is known of the token that was shown.</summary>
internal sealed record TokenValidation(
    bool Valid, bool JtiPresent, string TokenType, bool NotExpired, long TimeToExpiry, bool IsBlacklisted);

/// <summary>The answer of <see cref="ValidateToken"/>.</summary>
internal sealed record ValidateTokenAnswer : Answer
{
    public required string UserId { get; init; }

    [JsonPropertyName("token_validation")]
    public required TokenValidation Validation { get; init; }
}

/// <summary><c>GET /api/auth/token/validate</c>. Only a token that passed the bearer scheme and the guard
/// gets here, so a 200 says that it counts.</summary>
internal sealed class ValidateToken(TimeProvider clock)
{
    public IResult Answer(HttpContext context)
    {
        var caller = Caller.Of(context);
        var seconds = (long)Math.Floor((caller.Token.ExpiresAt!.Value - clock.GetUtcNow()).TotalSeconds);
        var hasJti = context.User.HasClaim(claim => claim.Type == JwtRegisteredClaimNames.Jti);
        return TypedResults.Json(new ValidateTokenAnswer
        {
            Message = "The token is valid.",
            UserId = caller.Subject,
            Validation = new TokenValidation(
                Valid: true, hasJti, TokenKind.Access.Name(), NotExpired: seconds > 0, Math.Max(0, seconds),
                IsBlacklisted: false),
        });
    }
}
