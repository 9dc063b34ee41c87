using Microsoft.AspNetCore.Http;
using Microsoft.IdentityModel.JsonWebTokens;

namespace Rescind.AspNetCore;

/// <summary>
/// What the guard has seen in a request: each token that a bearer scheme validated, and the verdict on it.
/// One small object a token; the facts are read again by the few endpoints that need them.
/// </summary>
internal sealed class PresentedToken
{
    private readonly PresentedToken? _earlier;

    private PresentedToken(JsonWebToken? token, Verdict verdict, PresentedToken? earlier) =>
        (Token, Verdict, _earlier) = (token, verdict, earlier);

    /// <summary>The token; null when the application let a caller in without one that could be
    /// read.</summary>
    public JsonWebToken? Token { get; }

    public Verdict Verdict { get; }

    public static void Remember(HttpContext context, JsonWebToken? token, Verdict verdict)
    {
        var earlier = context.Features.Get<PresentedToken>();
        context.Features.Set(new PresentedToken(token, verdict, earlier));
    }

    /// <summary>All of this request, the latest first.</summary>
    public static IEnumerable<PresentedToken> All(HttpContext context)
    {
        for (var one = context.Features.Get<PresentedToken>(); one is not null; one = one._earlier)
        {
            yield return one;
        }
    }

    /// <summary>The facts of each token of this request, no token twice.</summary>
    public static IReadOnlyList<TokenFacts> Facts(HttpContext context) =>
        [.. All(context).Select(one => one.Token).OfType<JsonWebToken>().Select(FactsReader.Read).Distinct()];

    public static bool HasUnknown(HttpContext context) =>
        context.Features.Get<PresentedToken>() is not null
        && All(context).Any(one => one.Verdict == Verdict.Unknown);

    /// <summary>The worst verdict of this request, or null when no token was presented.</summary>
    public static Verdict? Worst(HttpContext context)
    {
        Verdict? worst = null;
        foreach (var one in All(context))
        {
            if (one.Verdict == Verdict.Revoked)
            {
                return Verdict.Revoked;
            }
            worst = worst == Verdict.Unknown ? worst : one.Verdict;
        }
        return worst;
    }
}
