using System.Text.Json;

namespace Rescind.Tests.Server;

/// <summary>The API description of the running server, held against every answer that a test gets from it: the status,
/// the media type, and each field of the body. Enough of JSON Schema for what such a description uses; a word it does
/// not know fails.</summary>
public sealed class ApiContract
{
    private static readonly Lazy<Task<ApiContract>> Loaded = new(LoadAsync);
    private static readonly int[] OfTheListener = [400, 404, 405, 406, 408, 414, 431];
    private static readonly string[] Words =
    [
        "type", "properties", "required", "items", "additionalProperties", "$ref", "oneOf", "format", "description",
        "pattern", "default", "enum", "title",
    ];

    private readonly JsonElement _document;
    private readonly List<(string[] Path, JsonElement Calls)> _paths;

    private ApiContract(JsonElement document)
    {
        _document = document;
        _paths = [.. document.GetProperty("paths").EnumerateObject().Select(path => (Segments(path.Name), path.Value))];
    }

    public static async Task CheckAsync(HttpMethod method, string address, Reply reply)
    {
        // The description itself, metrics and health are not part of it or were asked by the loading.
        if (!address.StartsWith("/openapi", StringComparison.Ordinal)
            && !address.StartsWith("/metrics", StringComparison.Ordinal))
        {
            (await Loaded.Value).Check(method, address, reply);
        }
    }

    private static async Task<ApiContract> LoadAsync()
    {
        await using var server = new ServerUnderTest();
        await server.StartWithAsync(("ENVIRONMENT", "Development"));
        return new ApiContract((await Reply.OfAsync(await server.Http.GetAsync("/openapi/v1.json"))).Json);
    }

    private void Check(HttpMethod method, string address, Reply reply)
    {
        var call = $"{method} {address.Split('?')[0]} → {reply.Status}";
        if (Find(method, address) is not { } operation)
        {
            Assert.True(reply.Status is 404 or 405 or 401, $"{call} is not described.");
            return;
        }
        if (!operation.GetProperty("responses").TryGetProperty($"{reply.Status}", out var response))
        {
            Assert.True(OfTheListener.Contains(reply.Status), $"{call}: the description has no such status. {reply.Text}");
            return;
        }
        if (!response.TryGetProperty("content", out var content))
        {
            Assert.True(reply.Text.Length == 0, $"{call}: the description has no body.");
            return;
        }
        Assert.True(reply.MediaType is not null, $"{call}: no media type.");
        Assert.True(content.TryGetProperty(reply.MediaType!, out var media), $"{call}: {reply.MediaType} is not described.");
        if (reply.MediaType!.EndsWith("json", StringComparison.Ordinal))
        {
            var wrong = WrongWith(reply.Json, media.GetProperty("schema"), "");
            Assert.True(wrong is null, $"{call}: {wrong}");
        }
    }

    private JsonElement? Find(HttpMethod method, string address)
    {
        var segments = Segments(address.Split('?')[0]);
        var match = _paths.Where(one => one.Path.Length == segments.Length && one.Path.Zip(segments).All(
                pair => pair.First.StartsWith('{') || string.Equals(pair.First, pair.Second, StringComparison.OrdinalIgnoreCase)))
            .OrderBy(one => one.Path.Count(segment => segment.StartsWith('{'))).Select(one => one.Calls).FirstOrDefault();
        return match.ValueKind == JsonValueKind.Object
            && match.TryGetProperty(method.Method.ToLowerInvariant(), out var operation) ? operation : null;
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
