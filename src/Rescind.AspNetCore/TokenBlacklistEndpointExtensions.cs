using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Routing;
using Microsoft.Extensions.DependencyInjection;
using Rescind;
using Rescind.AspNetCore;

namespace Microsoft.AspNetCore.Builder;

/// <summary>Endpoints of the token blacklist, and a rule for endpoints of your own.</summary>
public static class TokenBlacklistEndpointExtensions
{
    /// <summary>Maps <c>POST</c> of a log-out: revokes the bearer token the caller presents and, when it has
    /// a <c>sid</c>, all tokens of that log-in. Needs an authenticated caller by itself. Answers 200 with a
    /// receipt, 202 when only this node could keep the revocation yet, 401 without a valid token, 503
    /// <c>store_unavailable</c> when nothing could keep it.</summary>
    /// <param name="endpoints">The application or a group.</param>
    /// <param name="pattern">The path.</param>
    public static RouteHandlerBuilder MapLogout(
        this IEndpointRouteBuilder endpoints, string pattern = "/logout")
    {
        ArgumentNullException.ThrowIfNull(endpoints);
        RequireBlacklist(endpoints, nameof(MapLogout));
        return endpoints.MapPost(pattern, (Delegate)LogoutEndpoint.HandleAsync).RequireAuthorization();
    }

    /// <summary>Maps the administration: <c>POST</c> and <c>GET revocations</c>, <c>POST
    /// revocations/batch</c>, <c>DELETE revocations/{id}</c>, <c>GET</c> and <c>POST explain</c>, <c>GET
    /// blacklist-metrics</c> and <c>POST cleanup</c>; below <c>/token-blacklist</c>, or below the group it is
    /// called on.</summary>
    /// <param name="endpoints">The application or a group.</param>
    /// <param name="policy">The authorization policy that callers must meet. The start is refused when it
    /// does not exist.</param>
    /// <param name="defaultIssuer">The <c>iss</c> that is meant when a request names none. Null: it must name
    /// one.</param>
    /// <returns>The group, for rate limits and the like.</returns>
    public static RouteGroupBuilder MapTokenBlacklistAdmin(
        this IEndpointRouteBuilder endpoints, string policy, string? defaultIssuer = null)
    {
        ArgumentNullException.ThrowIfNull(endpoints);
        ArgumentException.ThrowIfNullOrWhiteSpace(policy);
        RequireBlacklist(endpoints, nameof(MapTokenBlacklistAdmin));
        var services = endpoints.ServiceProvider;
        services.GetRequiredService<AdminPolicies>().Add(policy);

        var revocations = ActivatorUtilities.CreateInstance<RevocationEndpoints>(services);
        var verifier = ActivatorUtilities.CreateInstance<TokenVerifier>(services);
        var explain = ActivatorUtilities.CreateInstance<ExplainEndpoints>(services, verifier);
        var metrics = ActivatorUtilities.CreateInstance<MetricsEndpoint>(services);

        var group = endpoints.MapGroup(endpoints is RouteGroupBuilder ? "" : "/token-blacklist");
        group.RequireAuthorization(policy);
        Map(group, "POST", "revocations", context => revocations.MakeAsync(context, defaultIssuer));
        Map(group, "POST", "revocations/batch", context => revocations.MakeManyAsync(context, defaultIssuer));
        Map(group, "GET", "revocations", revocations.ListAsync);
        Map(group, "DELETE", "revocations/{id}", revocations.LiftAsync);
        Map(group, "GET", "explain", context => explain.ByFactsAsync(context, defaultIssuer));
        Map(group, "POST", "explain", explain.ByTokenAsync);
        Map(group, "GET", "blacklist-metrics", metrics.ReportAsync);
        Map(group, "POST", "cleanup", metrics.CleanUpAsync);
        return group;
    }

    /// <summary>These endpoints refuse a token with 503 <c>revocation_unknown</c> when it cannot be told
    /// whether it was revoked, whatever <see cref="BlacklistOptions.RefuseWhenUnknown"/> says.</summary>
    /// <typeparam name="TBuilder">The kind of builder.</typeparam>
    /// <param name="builder">An endpoint, a group, controllers.</param>
    public static TBuilder RequireKnownTokens<TBuilder>(this TBuilder builder)
        where TBuilder : IEndpointConventionBuilder
    {
        ArgumentNullException.ThrowIfNull(builder);
        builder.Add(KnownTokens.Require);
        return builder;
    }

    /// <summary>A typed delegate, so that filters of the group see the answer.</summary>
    private static void Map(
        RouteGroupBuilder group, string method, string pattern, Func<HttpContext, Task<IResult>> handle) =>
        group.MapMethods(pattern, [method], (Delegate)handle);

    private static void RequireBlacklist(IEndpointRouteBuilder endpoints, string call)
    {
        if (endpoints.ServiceProvider.GetService<AdminPolicies>() is null)
        {
            throw new InvalidOperationException($"{call}: call services.AddTokenBlacklist() first.");
        }
    }
}
