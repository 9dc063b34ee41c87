namespace Rescind.Server.Operations;

/// <summary>The answer of <c>GET /</c>: what this is, and where to go on.</summary>
internal sealed record Welcome(
    string Name, string Description, string Version, IReadOnlyDictionary<string, string> Links)
{
    public static readonly Welcome Answer = new(
        "Rescind",
        "Auth server with a token blacklist: log in, revoke, refused at once.",
        typeof(Welcome).Assembly.GetName().Version?.ToString(3) ?? "0",
        new Dictionary<string, string>(StringComparer.Ordinal)
        {
            ["login"] = "/api/auth/login",
            ["register"] = "/api/auth/register",
            ["live"] = "/health/live",
            ["ready"] = "/health/ready",
            ["openapi"] = "/openapi/v1.json",
        });
}
