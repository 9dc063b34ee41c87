// The JSON body of a request as a type of ours. The library reads it (size, media type, UTF-8, well-formed,
// an object); here it gets its types. What it guarantees: a handler only sees bodies that are right;
// everything else ends as 413, 415 or 400 with a sentence that names the field and repeats nothing that was
// sent.
using System.Reflection;
using System.Runtime.InteropServices;
using System.Text.Json;
using Microsoft.AspNetCore.Http.Json;
using Microsoft.AspNetCore.Http.Metadata;
using Microsoft.Extensions.Options;
using Rescind.AspNetCore;

namespace Rescind.Server.Answers;

/// <summary>A body that may be refused before its handler runs.</summary>
internal interface IRefusableBody
{
    IResult? Refusal { get; }
}

/// <summary>A body, or the empty one when the request has none; each call says itself which fields it needs.
/// </summary>
internal readonly struct JsonBody<T> : IEndpointParameterMetadataProvider, IRefusableBody
    where T : class, new()
{
    private JsonBody(T? value, IResult? refusal) => (Value, Refusal) = (value ?? new T(), refusal);

    public T Value { get; }

    public IResult? Refusal { get; }

    /// <summary>Called by the framework.</summary>
    public static async ValueTask<JsonBody<T>> BindAsync(HttpContext context, ParameterInfo parameter)
    {
        var body = await JsonBody.ReadAsync(context, JsonBody.UsualLimit, isOptional: true);
        if (body.Fault is not null)
        {
            return new JsonBody<T>(null, body.Fault);
        }
        var options =
            context.RequestServices.GetRequiredService<IOptions<JsonOptions>>().Value.SerializerOptions;
        foreach (var known in options.GetTypeInfo(typeof(T)).Properties)
        {
            if (body.Root.TryGetProperty(known.Name, out var value)
                && HoldsNul(JsonMarshal.GetRawUtf8Value(value)))
            {
                return new JsonBody<T>(null, Refusals.Invalidated(known.Name, $"{known.Name} holds a NUL."));
            }
        }
        try
        {
            return new JsonBody<T>(body.Root.Deserialize<T>(options), null);
        }
        catch (JsonException fault)
        {
            // The path has only names of fields that we know; others are not looked at.
            var field = fault.Path?.TrimStart('$', '.') is { Length: > 0 } path ? path : "body";
            return new JsonBody<T>(null, Refusals.Invalidated(field, $"{field} is not of the right type."));
        }
    }

    /// <summary>PostgreSQL keeps no U+0000, and would be taken for away. A backslash stands in texts only,
    /// and what follows it belongs to it.</summary>
    private static bool HoldsNul(ReadOnlySpan<byte> json)
    {
        for (var at = json.IndexOf((byte)'\\'); at >= 0; at = json.IndexOf((byte)'\\'))
        {
            if (json[(at + 1)..].StartsWith("u0000"u8))
            {
                return true;
            }
            json = json[(at + 2)..];
        }
        return false;
    }

    /// <summary>Tells the API description what the body is.</summary>
    public static void PopulateMetadata(ParameterInfo parameter, EndpointBuilder builder) =>
        builder.Metadata.Add(new AcceptsMetadata(["application/json"], typeof(T), isOptional: true));
}

internal static class BodyFilter
{
    /// <summary>Answers for handlers whose body is refused.</summary>
    public static async ValueTask<object?> Run(
        EndpointFilterInvocationContext context, EndpointFilterDelegate next)
    {
        foreach (var argument in context.Arguments)
        {
            if (argument is IRefusableBody { Refusal: { } refusal })
            {
                return refusal;
            }
        }
        return await next(context);
    }
}
