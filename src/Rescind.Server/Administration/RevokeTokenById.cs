using Rescind.Server.Answers;
using Rescind.Server.Revoking;
using Rescind.Server.Settings;
using Rescind.Server.Tokens;

namespace Rescind.Server.Administration;

/// <summary>The body of <see cref="RevokeTokenById"/>.</summary>
internal sealed class RevokeTokenByIdBody
{
    public string? Jti { get; init; }

    public string? Issuer { get; init; }

    public DateTimeOffset? ExpiresAt { get; init; }

    public string? Reason { get; init; }

    public string? Note { get; init; }
}

/// <summary>The answer of <see cref="RevokeTokenById"/>.</summary>
internal sealed record RevokeTokenByIdAnswer : RevokingAnswer
{
    public required string Jti { get; init; }

    public required string RevokedBy { get; init; }
}

/// <summary><c>POST /api/auth/admin/revoke-token-by-jti</c>: ends a token that nobody has at hand any
/// more.</summary>
internal sealed class RevokeTokenById(Revoker revoker, ServerSettings settings, TimeProvider clock)
{
    public async Task<IResult> AnswerAsync(RevokeTokenByIdBody body, HttpContext context)
    {
        if (Required.Missing(("jti", body.Jti), ("reason", body.Reason)) is { } missing)
        {
            return missing;
        }
        var caller = Caller.Of(context);
        var rule = Revocation.OfToken(
            string.IsNullOrEmpty(body.Issuer) ? settings.Issuer : body.Issuer, body.Jti!) with
        {
            Reason = body.Reason!,
            Note = string.IsNullOrEmpty(body.Note) ? null : body.Note,
            Actor = Revoker.ActorOf(caller.Subject),
        };

        // The time is checked but not relied on: nobody verified it, and one that is too early would let the
        // token come back. Without it the revocation is kept as long as any token can live.
        if (WrongTime(body.ExpiresAt) is { } wrong)
        {
            return wrong;
        }
        var revoked = await revoker.RevokeAsync(rule, nameOfValue: "jti");
        if (revoked.Receipt is not { } receipt)
        {
            return revoked.Refusal!;
        }
        var answer = new RevokeTokenByIdAnswer
        {
            Message = "Token revoked.",
            Jti = body.Jti!,
            RevokedBy = caller.Subject,
            Receipt = ReceiptBody.Of(receipt),
        };
        return TypedResults.Json(answer, statusCode: answer.Status);
    }

    private Refusal? WrongTime(DateTimeOffset? expiresAt)
    {
        var latest = clock.GetUtcNow() + settings.LongestLifetime + TokenRules.ClockSkew;
        return expiresAt is null || (expiresAt >= DateTimeOffset.UnixEpoch && expiresAt <= latest)
            ? null
            : Refusals.Invalidated(new Dictionary<string, string[]>(StringComparer.Ordinal)
            {
                ["expires_at"] = ["expires_at must lie within the longest token lifetime from now."],
            });
    }
}
