using Microsoft.AspNetCore.Http;
using Microsoft.IdentityModel.JsonWebTokens;
using Microsoft.IdentityModel.Tokens;

namespace Rescind.AspNetCore;

/// <summary>
/// What the guard has seen in a request: each token that a bearer scheme validated, and the verdict on it.
/// The usual request presents one token, and it is accepted: then the token itself stands in the request's
/// features, and nothing is allocated. Whatever else is seen makes one small object a token. The facts are
/// read again by the few endpoints that need them.
/// </summary>
internal sealed class PresentedToken
{
    private static readonly Type Place = typeof(PresentedToken);

    private readonly PresentedToken? _earlier;
    private readonly SecurityToken? _token;

    private PresentedToken(SecurityToken? token, Verdict verdict, PresentedToken? earlier) =>
        (_token, Verdict, _earlier) = (token, verdict, earlier);

    public Verdict Verdict { get; }

    /// <param name="context">The request.</param>
    /// <param name="token">A <see cref="JsonWebToken"/> or a <see cref="VerifiedToken"/>; null when the
    /// application let a caller in without one that could be read.</param>
    /// <param name="verdict">The verdict on it.</param>
    public static void Remember(HttpContext context, SecurityToken? token, Verdict verdict)
    {
        var earlier = context.Features[Place];
        context.Features[Place] = earlier is null && token is not null && verdict == Verdict.Accepted
            ? token
            : new PresentedToken(token, verdict, Latest(earlier));
    }

    /// <summary>All of this request, the latest first.</summary>
    public static IEnumerable<PresentedToken> All(HttpContext context)
    {
        for (var one = Latest(context.Features[Place]); one is not null; one = one._earlier)
        {
            yield return one;
        }
    }

    /// <summary>The facts of each token of this request, no token twice.</summary>
    public static IReadOnlyList<TokenFacts> Facts(HttpContext context) =>
        [.. All(context).Select(one => one.Facts()).OfType<TokenFacts>().Distinct()];

    public static bool HasUnknown(HttpContext context) =>
        context.Features[Place] is PresentedToken
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

    private static PresentedToken? Latest(object? seen) => seen switch
    {
        PresentedToken several => several,
        SecurityToken token => new PresentedToken(token, Verdict.Accepted, earlier: null),
        _ => null,
    };

    private TokenFacts? Facts() => _token switch
    {
        VerifiedToken known => known.Facts,
        JsonWebToken token => FactsReader.Read(token),
        _ => null,
    };
}
