using System.Buffers;
using System.Text.Json;
using System.Text.Unicode;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Features;
using Microsoft.Net.Http.Headers;

namespace Rescind.AspNetCore;

/// <summary>
/// Reads the JSON object of a request. Whatever arrives ends as an object or as a 4xx: too large, cut off,
/// another media type or encoding, no JSON, no object, a field given twice. Holds a whole body in memory,
/// which its limit allows.
/// </summary>
internal readonly record struct JsonBody(JsonElement Root, Problem? Fault)
{
    /// <summary>1 MiB.</summary>
    public const int UsualLimit = 1 << 20;

    /// <summary>16 MiB.</summary>
    public const int BatchLimit = 16 << 20;

    /// <summary>A field given twice is refused: two readers could each believe another one.</summary>
    private static readonly JsonDocumentOptions Strict =
        new() { MaxDepth = 32, AllowDuplicateProperties = false };

    private static readonly JsonElement Nothing = JsonElement.Parse("{}");

    /// <param name="context">The request.</param>
    /// <param name="limit">In bytes.</param>
    /// <param name="isOptional">Whether no body at all counts as an empty object.</param>
    public static async ValueTask<JsonBody> ReadAsync(HttpContext context, int limit, bool isOptional = false)
    {
        var request = context.Request;
        var mayHaveBody = context.Features.Get<IHttpRequestBodyDetectionFeature>()?.CanHaveBody
            ?? request.ContentLength is not 0;
        if (!mayHaveBody)
        {
            return isOptional
                ? new(Nothing, null)
                : Refused(Problem.Malformed("The body must be a JSON object."));
        }
        if (request.ContentLength > limit)
        {
            return Refused(TooLarge(limit));
        }
        AllowListener(context, limit);
        byte[]? bytes;
        try
        {
            bytes = await ReadToEndAsync(context, limit);
        }
        catch (BadHttpRequestException fault)
        {
            return Refused(fault.StatusCode == StatusCodes.Status413PayloadTooLarge
                ? TooLarge(limit)
                : new Problem(
                    fault.StatusCode, "malformed_request", "The body could not be read to its end."));
        }
        catch (IOException)
        {
            // What the listener says of a chunk size beyond all numbers, or of a caller that is gone.
            return Refused(new Problem(
                StatusCodes.Status400BadRequest, "malformed_request",
                "The body could not be read to its end."));
        }
        if (bytes is null)
        {
            return Refused(TooLarge(limit));
        }
        if (bytes.Length == 0 && isOptional)
        {
            return new(Nothing, null);
        }
        return IsJson(request) ? Parse(bytes) : Refused(new Problem(
            StatusCodes.Status415UnsupportedMediaType, "unsupported_media_type",
            "Send application/json in UTF-8."));
    }

    /// <summary>The listener may have a lower limit for bodies in general, as the server of this repository
    /// has; a call that takes more says so before it reads.</summary>
    private static void AllowListener(HttpContext context, int limit)
    {
        if (context.Features.Get<IHttpMaxRequestBodySizeFeature>() is { IsReadOnly: false } listener
            && listener.MaxRequestBodySize < limit)
        {
            listener.MaxRequestBodySize = limit;
        }
    }

    private static async ValueTask<byte[]?> ReadToEndAsync(HttpContext context, int limit)
    {
        var reader = context.Request.BodyReader;
        while (true)
        {
            var read = await reader.ReadAsync(context.RequestAborted);
            if (read.Buffer.Length > limit)
            {
                reader.AdvanceTo(read.Buffer.End);
                return null;
            }
            if (read.IsCompleted || read.IsCanceled)
            {
                var bytes = read.Buffer.ToArray();
                reader.AdvanceTo(read.Buffer.End);
                return bytes;
            }
            reader.AdvanceTo(read.Buffer.Start, read.Buffer.End);
        }
    }

    private static JsonBody Parse(byte[] bytes)
    {
        if (!Utf8.IsValid(bytes))
        {
            return Refused(Problem.Malformed("The body is not UTF-8."));
        }
        try
        {
            var root = JsonElement.Parse(bytes, Strict);
            return root.ValueKind == JsonValueKind.Object
                ? new(root, null)
                : Refused(Problem.Malformed("The body must be a JSON object."));
        }
        catch (JsonException fault)
        {
            var where = fault.LineNumber is { } line
                ? $" (line {line + 1}, byte {fault.BytePositionInLine})"
                : "";
            return Refused(Problem.Malformed(
                $"The body is not well-formed JSON, or a field is in it twice{where}."));
        }
        catch (InvalidOperationException)
        {
            // What the parser says of a field name with half of a surrogate pair.
            return Refused(Problem.Malformed("A field name in the body is not well-formed Unicode."));
        }
    }

    private static bool IsJson(HttpRequest request)
    {
        if (!MediaTypeHeaderValue.TryParse(request.ContentType, out var type))
        {
            return false;
        }
        var isJson = type.MediaType.Equals("application/json", StringComparison.OrdinalIgnoreCase)
            || type.Suffix.Equals("json", StringComparison.OrdinalIgnoreCase);
        var charset = HeaderUtilities.RemoveQuotes(type.Charset);
        return isJson
            && (!charset.HasValue || charset.Length == 0
                || charset.Equals("utf-8", StringComparison.OrdinalIgnoreCase));
    }

    private static Problem TooLarge(int limit) => new(
        StatusCodes.Status413PayloadTooLarge, "body_too_large",
        $"The body may have at most {limit >> 20} MiB.");

    private static JsonBody Refused(Problem fault) => new(default, fault);
}
