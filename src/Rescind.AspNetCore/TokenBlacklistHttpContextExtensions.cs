using Rescind;
using Rescind.AspNetCore;

namespace Microsoft.AspNetCore.Http;

/// <summary>What the token blacklist knows of a request.</summary>
public static class TokenBlacklistHttpContextExtensions
{
    /// <summary>The verdict on the bearer token of this request. The worst one when several were
    /// validated.</summary>
    /// <param name="context">The request.</param>
    /// <returns>Null when no bearer scheme has validated a token, for example because there was none or it
    /// was forged or expired.</returns>
    public static Verdict? GetTokenVerdict(this HttpContext context)
    {
        ArgumentNullException.ThrowIfNull(context);
        return PresentedToken.Worst(context);
    }

    /// <summary>What the validated bearer token of this request says of itself: what to hand to
    /// <see cref="Blacklist"/> to revoke or to explain it.</summary>
    /// <param name="context">The request.</param>
    /// <returns>The latest one when several were validated; null when none was.</returns>
    public static TokenFacts? GetTokenFacts(this HttpContext context)
    {
        ArgumentNullException.ThrowIfNull(context);
        var all = PresentedToken.Facts(context);
        return all.Count == 0 ? null : all[0];
    }
}
