using System.Text.Json;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.WebUtilities;

namespace Rescind.AspNetCore;

/// <summary>
/// An error as <c>application/problem+json</c> (RFC 9457) with a <c>code</c> for programs and a <c>detail</c>
/// for people. Nothing that a caller sent is repeated in it, so nothing secret and nothing hostile gets into
/// an answer.
/// </summary>
internal sealed record Problem(int Status, string Code, string Detail) : IResult, IStatusCodeHttpResult
{
    /// <summary>What is wrong, by field.</summary>
    public IReadOnlyDictionary<string, string[]>? Errors { get; init; }

    /// <summary>Seconds.</summary>
    public int? RetryAfter { get; init; }

    int? IStatusCodeHttpResult.StatusCode => Status;

    public static Problem Of(TokenRefusal refusal) => new(refusal.Status, refusal.Code, refusal.Detail);

    public static Problem Malformed(string detail) =>
        new(StatusCodes.Status400BadRequest, "malformed_json", detail);

    public static Problem NotFound(string detail) => new(StatusCodes.Status404NotFound, "not_found", detail);

    public static Problem StoreUnavailable { get; } = new(
        StatusCodes.Status503ServiceUnavailable, "store_unavailable",
        "No store could confirm it. Repeat the call; that does no harm.") { RetryAfter = 1 };

    public async Task ExecuteAsync(HttpContext httpContext)
    {
        var response = httpContext.Response;
        response.StatusCode = Status;
        response.ContentType = "application/problem+json";
        if (RetryAfter is { } seconds)
        {
            response.Headers.RetryAfter = seconds.ToString();
        }
        var body = Bytes();
        response.ContentLength = body.Length;
        await response.Body.WriteAsync(body, httpContext.RequestAborted);
    }

    private byte[] Bytes()
    {
        using var buffer = new MemoryStream();
        using (var json = new Utf8JsonWriter(buffer))
        {
            json.WriteStartObject();
            json.WriteString("type", "about:blank");
            json.WriteString("title", ReasonPhrases.GetReasonPhrase(Status));
            json.WriteNumber("status", Status);
            json.WriteString("code", Code);
            json.WriteString("detail", Detail);
            if (Errors is not null)
            {
                json.WritePropertyName("errors");
                JsonSerializer.Serialize(json, Errors);
            }
            json.WriteEndObject();
        }
        return buffer.ToArray();
    }
}
