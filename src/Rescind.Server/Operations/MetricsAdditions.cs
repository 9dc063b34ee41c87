using System.Text.Json.Nodes;
using Rescind.Server.Settings;

namespace Rescind.Server.Operations;

/// <summary>What the server knows beyond the library's metrics: its own name, and how our rules count in
/// tokens. A session rule ends the session's current access and refresh token, a token rule one token (our
/// own calls make those for access tokens only); cutoffs end tokens that nobody counts.</summary>
internal static class MetricsAdditions
{
    public static void Add(JsonObject answer, ServerSettings settings)
    {
        var metrics = answer["blacklist_metrics"]!.AsObject();
        var rules = metrics["rules"]!.AsObject();
        var (tokens, sessions) = (rules["token"]!.GetValue<long>(), rules["session"]!.GetValue<long>());
        metrics["access_tokens_blacklisted"] = tokens + sessions;
        metrics["refresh_tokens_blacklisted"] = sessions;
        if (answer["service_health"]!["redis_connected"] is null)
        {
            answer["nodes"]![0]!["id"] = settings.Node;
        }
    }
}
