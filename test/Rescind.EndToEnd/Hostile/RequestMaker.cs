using System.IO.Compression;
using System.Text;
using System.Text.Json;

namespace Rescind.EndToEnd.Hostile;

/// <summary>A request as it was drawn.</summary>
/// <param name="Call">Which call of the description it is; null: another method or path was put in its place.</param>
internal sealed record MadeRequest(
    string? Call, string Method, string Address, Who Who, byte[]? Body, IReadOnlyList<(string Name, string Value)> Headers);

/// <summary>Who calls.</summary>
internal enum Who
{
    Nobody,
    User,
    Admin,
    Revoked,
    Expired,
    Garbage,
}

/// <summary>Draws requests from the API description of a running server: half of them as it asks for, half of them not.
/// The same seed draws the same request, but for what was learned from answers.</summary>
internal sealed class RequestMaker
{
    private static readonly string[] Methods =
        ["GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "HEAD", "TRACE", "PROPFIND", "get"];
    private static readonly string[] BodyTypes =
    [
        "application/json; charset=utf-16", "text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x",
        "application/merge-patch+json", "APPLICATION/JSON", "application/json;charset=\"UTF-8\"", "json", ";", "a/b;c=\"",
    ];
    private static readonly string[] UnknownPaths =
    [
        "/api", "/api/auth", "/api/auth/", "/api/auth/admin/none", "/api/auth/login/more", "/.env", "/api/auth/%2e%2e/admin/audit",
        "/api//auth//login", "/api/auth/login%00", "/api/auth/login%20", "/API/AUTH/SESSIONS", "/api/auth/sessions/%F0%9F%98%80",
        "/api/auth/sessions/%ff%fe", "/api/auth/admin/users/%2F..%2F", "/api/auth/sessions/a%0d%0ab", "/favicon.ico", "/%", "/%zz",
    ];

    /// <summary>What costs the server most is drawn less often.</summary>
    private static readonly string[] Dear =
        ["/register", "/login", "/change-password", "/reset-password", "/audit/verify", "/cleanup", "/security/status"];

    private readonly JsonElement _schemas;
    private readonly List<(string Method, string Path, JsonElement Call)> _calls;

    public RequestMaker(JsonElement document)
    {
        _schemas = document.GetProperty("components").GetProperty("schemas");
        _calls = [.. document.GetProperty("paths").EnumerateObject().SelectMany(path => path.Value.EnumerateObject()
            .Select(call => (call.Name.ToUpperInvariant(), path.Name, call.Value)))];
    }

    /// <summary>Every good answer, as its call and its status; but 202, which wants a shared log that is away.</summary>
    public IEnumerable<string> GoodAnswers => _calls.SelectMany(call => call.Call.GetProperty("responses").EnumerateObject()
        .Where(answer => answer.Name[0] == '2' && answer.Name != "202")
        .Select(answer => $"{call.Method} {call.Path} {answer.Name}"));

    /// <summary>One of all calls, as it asks for or not.</summary>
    public MadeRequest Make(int seed, Known known)
    {
        var random = new Random(seed);
        var (method, path, call) = _calls[random.Next(_calls.Count)];
        while (Dear.Any(path.EndsWith) && random.Next(8) > 0)
        {
            (method, path, call) = _calls[random.Next(_calls.Count)];
        }
        return Make(method, path, call, random, known, random.Next(2) == 0 ? 0 : random.Next(1, 40));
    }

    /// <summary>The call of this answer, as it asks for and by whom it asks for.</summary>
    public MadeRequest MakeFor(string answer, int seed, Known known)
    {
        var (method, path, call) = _calls.Single(
            one => answer.StartsWith($"{one.Method} {one.Path} ", StringComparison.Ordinal));
        return Make(method, path, call, new Random(seed), known, oddity: 0) with { Who = WhoOf(call, path) };
    }

    private MadeRequest Make(
        string method, string path, JsonElement call, Random random, Known known, int oddity)
    {
        var values = new ValueMaker(_schemas, random, known);
        var isOdd = oddity > 0;
        var headers = new List<(string, string)>();
        var body = BodyOf(call, values, random, oddity, headers);
        if (isOdd && random.Next(8) == 0)
        {
            body = Spoiled(body, random, headers);
        }
        AddHeaders(random, isOdd, values, headers);
        var otherPath = isOdd && random.Next(25) == 0 ? UnknownPaths[random.Next(UnknownPaths.Length)] : null;
        var address = otherPath ?? Address(path, call, values, random, oddity);
        var otherMethod = isOdd && random.Next(15) == 0 ? Methods[random.Next(Methods.Length)] : null;
        return new MadeRequest(
            otherPath is null && otherMethod is null ? $"{method} {path}" : null, otherMethod ?? method,
            address, WhoOf(call, path, random), body, headers);
    }

    private static Who WhoOf(JsonElement call, string path, Random random)
    {
        var own = path.EndsWith("/delete-account", StringComparison.Ordinal);
        if (random.Next(6) == 0 && !own)
        {
            return (Who)random.Next(6);
        }
        return WhoOf(call, path);
    }

    private static Who WhoOf(JsonElement call, string path) =>
        !call.TryGetProperty("security", out _) ? Who.Nobody
            : path.Contains("/admin/", StringComparison.Ordinal) || path.EndsWith("/security/status", StringComparison.Ordinal) ? Who.Admin
            : Who.User;

    private static byte[]? BodyOf(
        JsonElement call, ValueMaker values, Random random, int oddity, List<(string, string)> headers)
    {
        if (!call.TryGetProperty("requestBody", out var described))
        {
            if (oddity == 0 || random.Next(5) > 0)
            {
                return null;
            }
            headers.Add(("Content-Type", "application/json"));
            return Encoding.UTF8.GetBytes(values.Of(JsonElement.Parse("""{"type":"object"}"""), 50));
        }
        var media = described.GetProperty("content").GetProperty("application/json");
        headers.Add(("Content-Type", oddity > 0 && random.Next(12) == 0
            ? BodyTypes[random.Next(BodyTypes.Length)]
            : "application/json"));
        return Encoding.UTF8.GetBytes(random.Next(3) > 0 && media.TryGetProperty("example", out var example)
            ? values.Like(example, oddity)
            : values.Of(media.GetProperty("schema"), oddity));
    }

    private static byte[] Spoiled(byte[]? body, Random random, List<(string, string)> headers)
    {
        body ??= [];
        switch (random.Next(7))
        {
            case 0:
                return body[..random.Next(body.Length + 1)];
            case 1:
                return [];
            case 2:
                headers.Add(("Content-Encoding", "gzip"));
                using (var packed = new MemoryStream())
                {
                    using (var zip = new GZipStream(packed, CompressionLevel.Fastest, leaveOpen: true))
                    {
                        zip.Write(body);
                    }
                    return packed.ToArray();
                }
            case 3:
                return [0xff, 0xfe, .. body];
            case 4:
                return [0xef, 0xbb, 0xbf, .. body];
            case 5:
                return Encoding.UTF8.GetBytes(new string('[', random.Next(10, 4_000)));
            default:
                var large = new byte[random.Next(50) == 0 ? 1_100_000 : 20_000];
                random.NextBytes(large);
                return large;
        }
    }

    private static void AddHeaders(Random random, bool isOdd, ValueMaker values, List<(string, string)> headers)
    {
        if (random.Next(6) == 0)
        {
            headers.Add(("Accept", random.Next(4) switch { 0 => "text/csv", 1 => "application/xml", 2 => ";;q=9", _ => "*/*" }));
        }
        if (!isOdd)
        {
            return;
        }
        if (random.Next(5) == 0)
        {
            headers.Add(("X-Forwarded-For", random.Next(2) == 0 ? "198.51.100.1, [::1]:99, unknown" : "\u00e4, ,,999.1.1.1"));
        }
        if (random.Next(8) == 0)
        {
            headers.Add(("User-Agent", random.Next(2) == 0 ? new string('u', 3_000) : ";=HYPERLINK(\"x\") \u00fc"));
        }
        if (random.Next(20) == 0)
        {
            headers.Add(("Transfer-Encoding", "chunked"));
        }
        if (random.Next(20) == 0)
        {
            headers.Add(("Cookie", values.Bare(0)));
        }
    }

    private static string Address(string path, JsonElement call, ValueMaker values, Random random, int oddity)
    {
        var query = new List<string>();
        foreach (var parameter in call.TryGetProperty("parameters", out var all) ? all.EnumerateArray() : default)
        {
            var name = parameter.GetProperty("name").GetString()!;
            var value = Escaped(name is "limit" && random.Next(4) > 0
                ? $"{random.Next(0, random.Next(20) == 0 ? 1002 : 30)}"
                : values.Bare(oddity, path.EndsWith("/revocations/{id}", StringComparison.Ordinal) ? Known.RuleId : name));
            if (parameter.GetProperty("in").GetString() == "path")
            {
                path = path.Replace($"{{{name}}}", value.Length == 0 ? "0" : value, StringComparison.Ordinal);
            }
            else if (random.Next(3) == 0)
            {
                query.Add($"{name}={value}");
                if (random.Next(100) < oddity / 3)
                {
                    query.Add($"{name}={value}");
                }
            }
        }
        Assert.DoesNotContain('{', path);
        return query.Count == 0 ? path : $"{path}?{string.Join('&', query)}";
    }

    /// <summary>Percent-encoded; of what would be too long for any path, the beginning.</summary>
    private static string Escaped(string value) => Uri.EscapeDataString(value.Length > 1500 ? value[..1500] : value);
}
