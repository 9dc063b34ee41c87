using System.Text.Json;
using System.Text.Json.Serialization;

namespace Rescind.Server.Answers;

/// <summary>How the server reads and writes JSON. Strict on types: a number is not a text, and "5" is not a
/// number. </summary>
internal static class JsonRules
{
    public static void Apply(JsonSerializerOptions json)
    {
        json.PropertyNamingPolicy = JsonNamingPolicy.SnakeCaseLower;
        json.PropertyNameCaseInsensitive = false;
        json.NumberHandling = JsonNumberHandling.Strict;
        json.DefaultIgnoreCondition = JsonIgnoreCondition.Never;
    }
}
