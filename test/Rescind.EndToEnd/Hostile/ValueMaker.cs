using System.Text.Encodings.Web;
using System.Text.Json;

namespace Rescind.EndToEnd.Hostile;

/// <summary>Draws JSON from a schema of the API description: what fits it, what is at its edge, and what does not fit. Writes
/// text and not objects, so that it can be wrong in ways that no serializer would write.</summary>
internal sealed class ValueMaker(JsonElement schemas, Random random, Known known)
{
    private static readonly JsonSerializerOptions Plain = new() { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping };

    private static readonly string[] Words =
    [
        "logout", "revoked", "admin_action", "security_incident", "token", "session", "subject", "client", "key", "issuer",
        "rescind", "revoke everything", "somebody@example.com", "user_1", "a1b2c3d4", "true", "5", "access_token",
        "2026-01-31T12:00:00Z", "2030-01-01T00:00:00+02:00", "9999-12-31T23:59:59.9999999Z", "0001-01-01T00:00:00Z",
    ];

    /// <summary>As they stand between the quotes of a JSON text.</summary>
    private static readonly string[] OddTexts =
    [
        "", " ", "\\u0000", "a\\u0000b", "\\ud800", "\\udc00\\ud800", "\\ufffe", "\\uffff", "\\u202e", "\\u0085", "\\r\\nX: y", "\u00e4\u4e2d\U0001F600",
        "I\u0307\u0131\u00df@\u00df.example", "=1+1", "' OR 1=1 --", "%", "_", "\\\\", "../../etc/passwd", "{{7*7}}", "2026-02-30T00:00:00Z",
        "0000-00-00", "-1", "1e999", "null", "eyJ...", "eyJ0eXAiOiJKV1QifQ.e30.", "a@b", "@", "a@b..example", "__proto__", "0_", "9_\\u0000",
        "MCAwIAA=", "MCAwIAA", "9223372036854775807", "18446744073709551616",
    ];

    private static readonly string[] OddValues =
    [
        "null", "true", "0", "-1", "1.5", "1e999", "-0", "99999999999999999999", "[]", "{}", "[null]", "[[]]", "[{}]", "\"\"",
        "{\"a\":{\"a\":{}}}", "NaN", "'text'", "nul", "\"\\x\"", "[1,]", "2147483648",
    ];

    /// <summary>A value for a schema.</summary>
    /// <param name="schema">The schema.</param>
    /// <param name="oddity">How often something else than asked for comes, of 100.</param>
    /// <param name="depth">How deep it stands.</param>
    /// <param name="field">The name of its field.</param>
    public string Of(JsonElement schema, int oddity, int depth = 0, string field = "")
    {
        if (random.Next(100) < oddity)
        {
            return Odd(depth);
        }
        if (schema.TryGetProperty("$ref", out var reference))
        {
            return Of(schemas.GetProperty(reference.GetString()!.Split('/')[^1]), oddity, depth, field);
        }
        if (schema.TryGetProperty("oneOf", out var choices))
        {
            return Of(choices[random.Next(choices.GetArrayLength())], oddity, depth, field);
        }
        return TypeOf(schema) switch
        {
            "object" => Fields(schema, oddity, depth),
            "array" => Items(schema, oddity, depth),
            "string" => Text(oddity, field),
            "boolean" => random.Next(2) == 0 ? "true" : "false",
            "integer" => random.Next(4) == 0 ? "2147483647" : $"{random.Next(-2, 1000)}",
            "number" => "1.5",
            "null" => "null",
            var other => throw new InvalidOperationException($"The description has a type that is not drawn: {other}."),
        };
    }

    /// <summary>An example as it stands, some of its fields drawn anew, left out or doubled.</summary>
    public string Like(JsonElement example, int oddity, int depth = 0, string field = "")
    {
        if (random.Next(100) < oddity)
        {
            return Odd(depth);
        }
        switch (example.ValueKind)
        {
            case JsonValueKind.Object:
                var fields = example.EnumerateObject().Where(_ => random.Next(100) >= oddity / 2)
                    .Select(one => $"\"{one.Name}\":{Like(one.Value, oddity, depth + 1, one.Name)}").ToList();
                return Braced(fields, oddity, depth);
            case JsonValueKind.Array:
                return Bracketed(example.EnumerateArray().Select(item => Like(item, oddity, depth + 1)), oddity, depth);
            case JsonValueKind.String:
                return random.Next(3) == 0 ? Text(oddity, field) : JsonSerializer.Serialize(example.GetString(), Plain);
            case JsonValueKind.True or JsonValueKind.False when random.Next(3) == 0:
                return random.Next(2) == 0 ? "true" : "false";
            default:
                return example.GetRawText();
        }
    }

    /// <summary>A text, not quoted and not escaped, for a path or a query.</summary>
    public string Bare(int oddity, string field = "") => random.Next(100) < oddity
        ? OddTexts[random.Next(OddTexts.Length)]
        : JsonElement.Parse(Text(0, field)).GetString()!;

    private string Text(int oddity, string field = "") => random.Next(100) < oddity
        ? $"\"{OddText()}\""
        : field == "password_hash" ? "\"$2b$12$R9h/cIPz0gi.URNNX3kh2OPST9/PgBkqquzi.Ss7KIUgO2t0jWMUW\""
        : JsonSerializer.Serialize(Known(field), Plain);

    /// <summary>A secret only where one is asked for: the server writes down whatever it is told as an id.</summary>
    private string Known(string field) => random.Next(3) == 0 ? Words[random.Next(Words.Length)]
        : field.EndsWith("token", StringComparison.Ordinal) ? known.AnyToken(random, field)
        : field.EndsWith("password", StringComparison.Ordinal) ? MobileApp.Password
        : known.Any(random, field);

    private string OddText() => random.Next(12) switch
    {
        0 => new string('x', random.Next(60, 1100)),
        1 => new string('\u00fc', random.Next(200, 20_000)),
        2 => OddTexts[random.Next(OddTexts.Length)] + OddTexts[random.Next(OddTexts.Length)],
        _ => OddTexts[random.Next(OddTexts.Length)],
    };

    private string Odd(int depth) => random.Next(12) switch
    {
        0 => $"\"{OddText()}\"",
        1 => string.Concat(Enumerable.Repeat("[", 40)) + string.Concat(Enumerable.Repeat("]", 40)),
        2 when depth < 3 => $"[{Odd(depth + 1)},{Odd(depth + 1)}]",
        3 when depth < 3 => $"{{\"{OddText()}\":{Odd(depth + 1)}}}",
        _ => OddValues[random.Next(OddValues.Length)],
    };

    private string Fields(JsonElement schema, int oddity, int depth)
    {
        if (!schema.TryGetProperty("properties", out var properties) || depth > 4)
        {
            return "{}";
        }
        return Braced(
            [.. properties.EnumerateObject().Where(_ => random.Next(5) > 0)
                .Select(field => $"\"{field.Name}\":{Of(field.Value, oddity, depth + 1, field.Name)}")],
            oddity, depth);
    }

    private string Braced(List<string> fields, int oddity, int depth)
    {
        if (random.Next(100) < oddity)
        {
            fields.Add($"\"{OddText()}\":{Odd(depth + 1)}");
        }
        if (fields.Count > 0 && random.Next(200) < oddity)
        {
            fields.Add(fields[0]);
        }
        return $"{{{string.Join(',', fields)}}}";
    }

    private string Items(JsonElement schema, int oddity, int depth)
    {
        var count = depth > 4 ? 0 : random.Next(40) == 0 ? random.Next(500, 1200) : random.Next(4);
        return Bracketed(
            Enumerable.Range(0, count).Select(_ => Of(schema.GetProperty("items"), oddity, depth + 1)), oddity, depth);
    }

    private string Bracketed(IEnumerable<string> items, int oddity, int depth)
    {
        var all = items.ToList();
        if (random.Next(100) < oddity)
        {
            all.Add(random.Next(2) == 0 ? "null" : Odd(depth + 1));
        }
        return $"[{string.Join(',', all)}]";
    }

    private string? TypeOf(JsonElement schema)
    {
        if (!schema.TryGetProperty("type", out var type))
        {
            return "object";
        }
        return type.ValueKind == JsonValueKind.Array ? type[random.Next(type.GetArrayLength())].GetString() : type.GetString();
    }
}
