using System.Globalization;
using System.Text.Json;
using Microsoft.AspNetCore.Http;

namespace Rescind.AspNetCore;

/// <summary>
/// The fields of a request, from its JSON object or its query, and all that is wrong with them. A reader asks
/// for each field it knows and looks at <see cref="Fault"/> once at the end, so a caller learns every mistake
/// at once. Unknown fields are never looked at; null and an empty text count as absent.
/// </summary>
internal sealed class Fields
{
    private static readonly string[] TimeForms =
    [
        "yyyy-MM-dd'T'HH:mm:ss'Z'", "yyyy-MM-dd'T'HH:mm:ss.FFFFFFF'Z'",
        "yyyy-MM-dd'T'HH:mm:sszzz", "yyyy-MM-dd'T'HH:mm:ss.FFFFFFFzzz",
    ];

    private readonly JsonElement _root;
    private readonly IQueryCollection? _query;
    private readonly string _prefix;
    private readonly Dictionary<string, List<string>> _errors;

    public Fields(JsonElement root, IQueryCollection? query = null)
        : this(root, query, "", new Dictionary<string, List<string>>(StringComparer.Ordinal))
    {
    }

    public Fields(IQueryCollection query)
        : this(default, query)
    {
    }

    private Fields(
        JsonElement root, IQueryCollection? query, string prefix, Dictionary<string, List<string>> errors) =>
        (_root, _query, _prefix, _errors) = (root, query, prefix, errors);

    public bool HasErrors => _errors.Count > 0;

    /// <summary>400 with every error by field, or null when there is none.</summary>
    public Problem? Fault => HasErrors ? Failed() : null;

    public void Add(string field, string error)
    {
        if (!_errors.TryGetValue(_prefix + field, out var known))
        {
            _errors.Add(_prefix + field, known = []);
        }
        known.Add(error);
    }

    /// <summary>A text, or null when it is absent or wrong.</summary>
    public string? Text(string field, int longest = FactsReader.LongestText, bool isRequired = false)
    {
        var text = Find(field, out var element) ? TextOf(field, element) : Queried(field);
        if (string.IsNullOrEmpty(text))
        {
            if (isRequired && !_errors.ContainsKey(_prefix + field))
            {
                Add(field, "is required");
            }
            return null;
        }
        if (text.Length > longest)
        {
            Add(field, $"must be at most {longest} characters long");
            return null;
        }
        if (text.Any(char.IsControl))
        {
            Add(field, "must not contain control characters");
            return null;
        }
        return text;
    }

    /// <summary>A time with its offset, as in RFC 3339.</summary>
    public DateTimeOffset? Time(string field)
    {
        if (Text(field, longest: 64) is not { } text)
        {
            return null;
        }
        if (DateTimeOffset.TryParseExact(
            text.ToUpperInvariant(), TimeForms, CultureInfo.InvariantCulture,
            DateTimeStyles.AssumeUniversal | DateTimeStyles.AdjustToUniversal, out var time))
        {
            return time;
        }
        Add(field, "must be a time as in RFC 3339, for example 2026-01-31T12:00:00Z");
        return null;
    }

    public bool Flag(string field)
    {
        if (Find(field, out var element))
        {
            if (element.ValueKind is JsonValueKind.True or JsonValueKind.False)
            {
                return element.GetBoolean();
            }
            Add(field, "must be true or false");
            return false;
        }
        var text = Queried(field);
        if (string.IsNullOrEmpty(text) || bool.TryParse(text, out var flag) && !flag)
        {
            return false;
        }
        if (text.Equals("true", StringComparison.OrdinalIgnoreCase))
        {
            return true;
        }
        Add(field, "must be true or false");
        return false;
    }

    /// <summary>A whole number from the query.</summary>
    public int Number(string field, int least, int most, int otherwise)
    {
        if (Text(field) is not { } text)
        {
            return otherwise;
        }
        if (int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out var number)
            && number >= least && number <= most)
        {
            return number;
        }
        Add(field, $"must be a whole number from {least} to {most}");
        return otherwise;
    }

    /// <summary>The fields of an object inside this one, or null when it is absent or no object.</summary>
    public Fields? Inner(string field)
    {
        if (Find(field, out var element) && element.ValueKind == JsonValueKind.Object)
        {
            return new Fields(element, null, $"{_prefix}{field}.", _errors);
        }
        Add(field, "must be an object");
        return null;
    }

    /// <summary>The elements of an array, or null when it is absent or no array.</summary>
    public IReadOnlyList<JsonElement>? Many(string field, int most)
    {
        if (!Find(field, out var element) || element.ValueKind != JsonValueKind.Array)
        {
            Add(field, "must be an array");
            return null;
        }
        var count = element.GetArrayLength();
        if (count < 1 || count > most)
        {
            Add(field, $"must have 1 to {most} elements");
            return null;
        }
        return [.. element.EnumerateArray()];
    }

    private Problem Failed()
    {
        var sentences = _errors.SelectMany(known => known.Value.Select(error => $"{known.Key} {error}."));
        return new Problem(StatusCodes.Status400BadRequest, "validation_failed", string.Join(" ", sentences))
        {
            Errors = _errors.ToDictionary(
                known => known.Key, known => known.Value.ToArray(), StringComparer.Ordinal),
        };
    }

    private bool Find(string field, out JsonElement element)
    {
        element = default;
        return _root.ValueKind == JsonValueKind.Object
            && _root.TryGetProperty(field, out element)
            && element.ValueKind != JsonValueKind.Null;
    }

    private string? TextOf(string field, JsonElement element)
    {
        if (element.ValueKind != JsonValueKind.String)
        {
            Add(field, "must be a text");
            return null;
        }
        try
        {
            return element.GetString();
        }
        catch (InvalidOperationException)
        {
            // Half of a surrogate pair: valid JSON, but no text.
            Add(field, "must be well-formed Unicode");
            return null;
        }
    }

    private string? Queried(string field)
    {
        if (_query is null || !_query.TryGetValue(field, out var values))
        {
            return null;
        }
        if (values.Count > 1)
        {
            Add(field, "must be given once");
            return null;
        }
        return values[0];
    }
}
