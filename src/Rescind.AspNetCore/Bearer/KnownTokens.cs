using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.DependencyInjection;

namespace Rescind.AspNetCore;

/// <summary>
/// The mark of an endpoint that refuses a token nobody can judge. The guard sees the mark when routing ran
/// before authentication; for the other order the endpoint itself looks once more, so the order cannot be
/// wrong.
/// </summary>
internal sealed class KnownTokens
{
    private static readonly KnownTokens Required = new();

    public static bool AreRequired(HttpContext context) =>
        context.GetEndpoint()?.Metadata.GetMetadata<KnownTokens>() is not null;

    public static void Require(EndpointBuilder endpoint)
    {
        if (endpoint.Metadata.Contains(Required))
        {
            return;
        }
        endpoint.Metadata.Add(Required);
        if (endpoint.RequestDelegate is { } next)
        {
            endpoint.RequestDelegate = context =>
                PresentedToken.HasUnknown(context) ? Refuse(context) : next(context);
        }
    }

    private static Task Refuse(HttpContext context)
    {
        if (TokenRefusal.Of(context) != TokenRefusal.Unknown)
        {
            context.RequestServices.GetRequiredService<GuardMetrics>().Decided(GuardMetrics.UnknownRefused);
        }
        TokenRefusal.Note(context, TokenRefusal.Unknown);
        TokenRefusal.AnswerUnknown(context.Response);
        return Problem.Of(TokenRefusal.Unknown).ExecuteAsync(context);
    }
}
