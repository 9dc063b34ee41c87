using System.Text.Json;
using System.Text.RegularExpressions;

namespace Rescind.Tests.Server;

/// <summary>The API description of a server, held against an answer: the status, the media type, each field of the
/// body, and the code of a refusal. Enough of JSON Schema for what such a description uses; a word or a format it does
/// not know fails.</summary>
public sealed partial class ApiContract
{
    private const string ProblemType = "application/problem+json";

    /// <summary>What the listener answers by itself, before there is a call: without a body, and nothing else is answered
    /// on that connection.</summary>
    private static readonly int[] OfTheListener = [400, 408, 414, 431];

    /// <summary>What is answered where there is no call.</summary>
    private static readonly Dictionary<int, string> OfRouting =
        new() { [404] = "not_found", [405] = "method_not_allowed" };
    private static readonly string[] Words =
    [
        "type", "properties", "required", "items", "additionalProperties", "$ref", "oneOf", "format", "description",
        "enum",
    ];

    private readonly JsonElement _document;
    private readonly List<(string[] Path, JsonElement Calls)> _paths;

    public ApiContract(JsonElement document)
    {
        _document = document;
        _paths = [.. document.GetProperty("paths").EnumerateObject().Select(path => (Segments(path.Name), path.Value))];
    }

    /// <summary>What leaves the description, or null.</summary>
    /// <param name="method">Of the request.</param>
    /// <param name="address">Its path and query.</param>
    /// <param name="status">Of the answer.</param>
    /// <param name="mediaType">Of the answer.</param>
    /// <param name="text">The body of the answer.</param>
    /// <param name="closes">Whether the answer says <c>Connection: close</c>.</param>
    public string? WrongWith(
        string method, string address, int status, string? mediaType, string text, bool closes)
    {
        if (text.Length == 0 && closes && OfTheListener.Contains(status))
        {
            return null;
        }
        if (Find(method, address) is not { } operation)
        {
            return !OfRouting.TryGetValue(status, out var code) ? "it is not described"
                : mediaType != ProblemType ? $"a refusal of the media type '{mediaType}'"
                : WrongWithBody(text, Schema("Problem"), status, [code]);
        }
        if (!operation.GetProperty("responses").TryGetProperty($"{status}", out var response))
        {
            return "the description has no such status";
        }
        if (mediaType is null || !response.GetProperty("content").TryGetProperty(mediaType, out var media))
        {
            return $"the media type '{mediaType}' is not described";
        }
        return mediaType.EndsWith("json", StringComparison.Ordinal)
            ? WrongWithBody(text, media.GetProperty("schema"), status, mediaType == ProblemType ? Codes(response) : null)
            : null;
    }

    /// <summary>A refusal's description lists its codes.</summary>
    private static string[] Codes(JsonElement response) =>
        response.GetProperty("description").GetString()!.Replace("One of: ", "", StringComparison.Ordinal)
            .TrimEnd('.').Split(", ");

    private string? WrongWithBody(string text, JsonElement schema, int status, string[]? codes)
    {
        JsonElement body;
        try
        {
            body = JsonElement.Parse(text);
        }
        catch (JsonException)
        {
            return "the body is not JSON";
        }
        return WrongWith(body, schema, "")
            ?? (codes is null ? null
                : !codes.Contains(body.GetProperty("code").GetString())
                    ? $"the code '{body.GetProperty("code")}' is not described"
                : body.GetProperty("status").GetInt32() != status ? "the body has another status"
                : null);
    }

    private JsonElement Schema(string name) =>
        _document.GetProperty("components").GetProperty("schemas").GetProperty(name);

    /// <summary>The most literal path that takes the method, as the server routes: DELETE /revocations/batch is that of
    /// /revocations/{id}.</summary>
    private JsonElement? Find(string method, string address)
    {
        var segments = Segments(address.Split('?')[0]);
        return _paths.Where(one => one.Path.Length == segments.Length && one.Path.Zip(segments).All(
                pair => pair.First.StartsWith('{') || string.Equals(pair.First, pair.Second, StringComparison.OrdinalIgnoreCase)))
            .OrderBy(one => one.Path.Count(segment => segment.StartsWith('{')))
            .Select(one => one.Calls.TryGetProperty(method.ToLowerInvariant(), out var call) ? call : (JsonElement?)null)
            .FirstOrDefault(call => call is not null);
    }

    private string? WrongWith(JsonElement value, JsonElement schema, string at)
    {
        if (schema.EnumerateObject().Select(word => word.Name).FirstOrDefault(word => !Words.Contains(word)) is { } unknown)
        {
            return $"{at}: the schema uses '{unknown}', which this check does not know";
        }
        if (schema.TryGetProperty("$ref", out var reference))
        {
            return WrongWith(value, Schema(reference.GetString()!.Split('/')[^1]), at);
        }
        if (schema.TryGetProperty("oneOf", out var choices))
        {
            return choices.EnumerateArray().Any(choice => WrongWith(value, choice, at) is null)
                ? null
                : $"{at}: fits no choice";
        }
        if (schema.TryGetProperty("type", out var type) && !IsOf(value, type))
        {
            return $"{at}: {value.ValueKind} is not {type}";
        }
        if (schema.TryGetProperty("enum", out var values)
            && !values.EnumerateArray().Any(one => JsonElement.DeepEquals(one, value)))
        {
            return $"{at}: is none of {values}";
        }
        if (schema.TryGetProperty("format", out var format) && !HasFormat(value, format.GetString()!))
        {
            return $"{at}: is no {format}";
        }
        return value.ValueKind switch
        {
            JsonValueKind.Object => WrongWithFields(value, schema, at),
            JsonValueKind.Array when schema.TryGetProperty("items", out var items) => value.EnumerateArray()
                .Select((item, index) => WrongWith(item, items, $"{at}[{index}]")).FirstOrDefault(wrong => wrong is not null),
            _ => null,
        };
    }

    private string? WrongWithFields(JsonElement value, JsonElement schema, string at)
    {
        if (schema.TryGetProperty("required", out var required)
            && required.EnumerateArray().FirstOrDefault(name => !value.TryGetProperty(name.GetString()!, out _))
                is { ValueKind: JsonValueKind.String } missing)
        {
            return $"{at}.{missing} is missing";
        }
        var known = schema.TryGetProperty("properties", out var properties);
        var others = schema.TryGetProperty("additionalProperties", out var additional);
        foreach (var field in value.EnumerateObject())
        {
            if (known && properties.TryGetProperty(field.Name, out var described))
            {
                if (WrongWith(field.Value, described, $"{at}.{field.Name}") is { } wrong)
                {
                    return wrong;
                }
            }
            else if (known && (!others || additional.ValueKind == JsonValueKind.False))
            {
                return $"{at}.{field.Name} is not described";
            }
            else if (others && additional.ValueKind == JsonValueKind.Object
                && WrongWith(field.Value, additional, $"{at}.{field.Name}") is { } wrong)
            {
                return wrong;
            }
        }
        return null;
    }

    /// <summary>Times are in UTC, as the HTTP contract says. A null has every format.</summary>
    private static bool HasFormat(JsonElement value, string format) => (format, value.ValueKind) switch
    {
        (_, JsonValueKind.Null) or ("double", JsonValueKind.Number) => true,
        ("int32", JsonValueKind.Number) => value.TryGetInt32(out _),
        ("int64", JsonValueKind.Number) => value.TryGetInt64(out _),
        ("date-time", JsonValueKind.String) => UtcTime().IsMatch(value.GetString()!) && value.TryGetDateTimeOffset(out _),
        _ => false,
    };

    [GeneratedRegex(@"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d{1,7})?Z\z", RegexOptions.CultureInvariant)]
    private static partial Regex UtcTime();

    private static string[] Segments(string path) => path.Trim('/').Split('/');

    private static bool IsOf(JsonElement value, JsonElement type) => type.ValueKind == JsonValueKind.Array
        ? type.EnumerateArray().Any(one => IsOf(value, one))
        : (type.GetString(), value.ValueKind) switch
        {
            ("object", JsonValueKind.Object) or ("array", JsonValueKind.Array) or ("string", JsonValueKind.String)
                or ("null", JsonValueKind.Null) or ("boolean", JsonValueKind.True or JsonValueKind.False)
                or ("number", JsonValueKind.Number) => true,
            ("integer", JsonValueKind.Number) => value.TryGetInt64(out _),
            _ => false,
        };
}
