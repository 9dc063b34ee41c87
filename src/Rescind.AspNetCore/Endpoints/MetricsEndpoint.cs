using System.Diagnostics;
using System.Reflection;
using System.Text.Json.Nodes;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Logging;

namespace Rescind.AspNetCore;

/// <summary>What a cleanup of this process did last, for the metrics.</summary>
internal sealed class CleanupMemory
{
    private JsonObject? _last;

    public JsonObject? Last
    {
        get => (JsonObject?)Volatile.Read(ref _last)?.DeepClone();
        set => Volatile.Write(ref _last, value);
    }
}

/// <summary>
/// The blacklist's metrics as one JSON document, and its cleanup by hand. What only a server knows (which of
/// the tokens are access tokens, how Redis does, who the other nodes are) is null or empty here; a server
/// that knows registers an <see cref="AddToMetrics"/>.
/// </summary>
internal sealed class MetricsEndpoint(
    Blacklist blacklist, CleanupMemory memory, IEnumerable<IRevocationLog> logs,
    IEnumerable<AddToMetrics> additions, Clock clock, ILogger<MetricsEndpoint> logger)
{
    /// <summary>The guide's thresholds.</summary>
    private const double SlowCheckMs = 50;
    private const double PoorHitRatio = 70;

    private static readonly string Version = typeof(Blacklist).Assembly
        .GetCustomAttribute<AssemblyInformationalVersionAttribute>()?.InformationalVersion ?? "unknown";

    public Task<IResult> ReportAsync(HttpContext context)
    {
        var status = blacklist.GetStatus();
        var answer = new JsonObject
        {
            ["blacklist_metrics"] = Metrics(status),
            ["service_health"] = Health(status),
            ["nodes"] = new JsonArray(Node(status)),
            ["requested_by"] = RuleReader.Actor(context),
        };
        foreach (var addition in additions)
        {
            addition(answer);
        }
        return Task.FromResult(Answer.Of(answer, "Blacklist metrics"));
    }

    public async Task<IResult> CleanUpAsync(HttpContext context)
    {
        var started = Stopwatch.GetTimestamp();
        var done = await StoreCall.TryAsync(context, logger, blacklist.CompactAsync);
        if (done.Fault is not null)
        {
            return done.Fault;
        }
        var answer = new JsonObject
        {
            ["entries_dropped"] = done.Result.EntriesDropped,
            ["log_bytes_before"] = done.Result.BytesBefore,
            ["log_bytes_after"] = done.Result.BytesAfter,
            ["duration_ms"] = Math.Round(Stopwatch.GetElapsedTime(started).TotalMilliseconds, 3),
        };
        var remembered = (JsonObject)answer.DeepClone();
        remembered["timestamp"] = Answer.Time(clock.Now);
        memory.Last = remembered;
        return Answer.Of(answer, $"{done.Result.EntriesDropped} expired entries dropped");
    }

    private JsonObject Metrics(BlacklistStatus status)
    {
        var total = status.Rules.Values.Sum();
        var rules = new JsonObject(Enum.GetValues<RuleKind>().Select(kind => KeyValuePair.Create(
            Answer.Word(kind), (JsonNode?)status.Rules.GetValueOrDefault(kind))));
        return new JsonObject
        {
            ["total_blacklisted"] = total,
            ["access_tokens_blacklisted"] = null,
            ["refresh_tokens_blacklisted"] = null,
            ["rules"] = rules,
            ["blacklist_checks"] = status.Checks,
            ["refused"] = status.Revoked,
            ["cache_hits"] = status.Checks - status.CatchUps,
            ["cache_misses"] = status.CatchUps,
            ["cache_hit_ratio"] = Math.Round(HitRatio(status), 2),
            ["average_check_time_ms"] = status.MeanCheckMs,
            ["p99_check_time_ms"] = status.P99CheckMs,
            ["redis_errors"] = 0,
            ["last_cleanup"] = memory.Last,
            ["index_entries"] = total,
            ["index_bytes"] = status.IndexBytes,
        };
    }

    private JsonObject Health(BlacklistStatus status)
    {
        var warnings = Warnings(status).ToList();
        return new JsonObject
        {
            ["service"] = "token_blacklist",
            ["status"] = !status.Loaded ? "unhealthy" : warnings.Count > 0 ? "degraded" : "healthy",
            ["store"] = StoreName(),
            ["redis_connected"] = null,
            ["redis_ping_ms"] = null,
            ["fresh"] = status.Fresh,
            ["lag_ms"] = (long)status.Lag.TotalMilliseconds,
            ["journal_pending"] = 0,
            ["warnings"] = new JsonArray([.. warnings.Select(warning => (JsonNode?)warning)]),
            ["timestamp"] = Answer.Time(clock.Now),
        };
    }

    private IEnumerable<string> Warnings(BlacklistStatus status)
    {
        if (!status.Fresh)
        {
            yield return "The feed is stale: this node does not know the newest revocations. " + status.Fault;
        }
        if (status.MeanCheckMs >= SlowCheckMs)
        {
            yield return $"A check takes {status.MeanCheckMs:0.#} ms on average; {SlowCheckMs} is too much.";
        }
        if (HitRatio(status) <= PoorHitRatio)
        {
            yield return $"Only {HitRatio(status):0.#} % of the checks are answered from memory.";
        }
        if (!logs.Any())
        {
            yield return "Revocations are kept in memory only and are lost at a restart.";
        }
    }

    private JsonObject Node(BlacklistStatus status) => new()
    {
        ["id"] = Environment.MachineName,
        ["position"] = status.Position.ToString(),
        ["lag_ms"] = (long)status.Lag.TotalMilliseconds,
        ["last_seen"] = Answer.Time(clock.Now),
        ["version"] = Version,
    };

    /// <summary>The log's own word for itself: <c>SqliteRevocationLog</c> is <c>sqlite</c>.</summary>
    private string StoreName() => logs.LastOrDefault() is { } log
        ? log.GetType().Name.Replace("RevocationLog", "", StringComparison.Ordinal).ToLowerInvariant()
        : "memory";

    private static double HitRatio(BlacklistStatus status) => status.Checks == 0
        ? 100
        : 100.0 * (status.Checks - status.CatchUps) / status.Checks;
}

/// <summary>Completes the metrics document with what a server knows.</summary>
internal delegate void AddToMetrics(JsonObject answer);
