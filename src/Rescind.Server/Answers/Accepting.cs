using Microsoft.AspNetCore.Http.Metadata;
using Microsoft.Net.Http.Headers;

namespace Rescind.Server.Answers;

/// <summary>Which form of an answer the caller takes (RFC 9110, section 12.5.1). Whoever takes none that
/// there is gets 406 before anything is done; without the header, or with one that cannot be read, all are
/// taken.</summary>
internal static class Accepting
{
    public const string Json = "application/json";
    public const string Csv = "text/csv";

    public static ValueTask<object?> Run(EndpointFilterInvocationContext context, EndpointFilterDelegate next)
    {
        var (request, endpoint) = (context.HttpContext.Request, context.HttpContext.GetEndpoint()!);
        var forms = endpoint.Metadata.GetOrderedMetadata<IProducesResponseTypeMetadata>()
            .SelectMany(answer => answer.ContentTypes).Append(Json);
        return forms.Any(form => Takes(request, form))
            ? next(context)
            : ValueTask.FromResult<object?>(Refusals.OfStatus(StatusCodes.Status406NotAcceptable));
    }

    /// <summary>Whether the caller takes this form, by its name or by a wildcard.</summary>
    public static bool Takes(HttpRequest request, string form)
    {
        var ranges = request.GetTypedHeaders().Accept;
        return ranges.Count == 0 || ranges.Any(range => range.Quality is not 0 && Covers(range, form));
    }

    /// <summary>Whether the caller asks for this form by its name.</summary>
    public static bool Names(HttpRequest request, string form) => request.GetTypedHeaders().Accept.Any(
        range => range.Quality is not 0 && range.MediaType.Equals(form, StringComparison.OrdinalIgnoreCase));

    private static bool Covers(MediaTypeHeaderValue range, string form) =>
        range.MatchesAllTypes
        || range.MediaType.Equals(form, StringComparison.OrdinalIgnoreCase)
        || (range.MatchesAllSubTypes
            && form.StartsWith($"{range.Type}/", StringComparison.OrdinalIgnoreCase));
}
