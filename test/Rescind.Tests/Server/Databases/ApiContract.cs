using System.Text.Json;

namespace Rescind.Tests.Server;

/// <summary>The API description of a server, held against an answer: the status, the media type, each field of the
/// body, and the code of a refusal. Enough of JSON Schema for what such a description uses; a word it does not know
/// fails.</summary>
public sealed class ApiContract
{
    /// <summary>What the listener answers by itself, before there is a call; without a body.</summary>
    private static readonly int[] OfTheListener = [400, 408, 414, 431];
    private static readonly string[] Words =
    [
        "type", "properties", "required", "items", "additionalProperties", "$ref", "oneOf", "format", "description",
        "pattern", "default", "enum", "title",
    ];

    private readonly JsonElement _document;
    private readonly List<(string[] Path, JsonElement Calls)> _paths;

    public ApiContract(JsonElement document)
    {
        _document = document;
        _paths = [.. document.GetProperty("paths").EnumerateObject().Select(path => (Segments(path.Name), path.Value))];
    }

    /// <summary>What leaves the description, or null.</summary>
    public string? WrongWith(string method, string address, int status, string? mediaType, string text)
    {
        if (OfTheListener.Contains(status) && text.Length == 0)
        {
            return null;
        }
        if (Find(method, address) is not { } operation)
        {
            return status is 400 or 404 or 405 or 401 ? null : "it is not described";
        }
        if (!operation.GetProperty("responses").TryGetProperty($"{status}", out var response))
        {
            return "the description has no such status";
        }
        if (!response.TryGetProperty("content", out var content))
        {
            return text.Length == 0 ? null : "the description has no body";
        }
        if (mediaType is null || !content.TryGetProperty(mediaType, out var media))
        {
            return $"the media type '{mediaType}' is not described";
        }
        if (!mediaType.EndsWith("json", StringComparison.Ordinal))
        {
            return null;
        }
        var body = JsonElement.Parse(text);
        return WrongWith(body, media.GetProperty("schema"), "") ?? WrongWithCode(body, response);
    }

    /// <summary>A refusal's description lists its codes.</summary>
    private static string? WrongWithCode(JsonElement body, JsonElement response)
    {
        const string List = "One of: ";
        var description = response.GetProperty("description").GetString()!;
        return !description.StartsWith(List, StringComparison.Ordinal)
            || description[List.Length..].TrimEnd('.').Split(", ").Contains(body.GetProperty("code").GetString())
                ? null
                : $"the code '{body.GetProperty("code")}' is not described";
    }

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
            var name = reference.GetString()!.Split('/')[^1];
            return WrongWith(value, _document.GetProperty("components").GetProperty("schemas").GetProperty(name), at);
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
