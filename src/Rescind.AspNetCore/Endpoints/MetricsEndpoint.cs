using System.Diagnostics;
using System.Globalization;
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
/// the tokens are access tokens, its own name) is null or plain here; a server that knows registers an
/// <see cref="AddToMetrics"/>.
/// </summary>
internal sealed class MetricsEndpoint(
    Blacklist blacklist, CleanupMemory memory, IEnumerable<AddToMetrics> additions, Clock clock,
    ILogger<MetricsEndpoint> logger)
{
    private static readonly string Version = typeof(Blacklist).Assembly
        .GetCustomAttribute<AssemblyInformationalVersionAttribute>()?.InformationalVersion ?? "unknown";

    public Task<IResult> ReportAsync(HttpContext context)
    {
        var status = blacklist.GetStatus();
        var answer = new JsonObject
        {
            ["blacklist_metrics"] = Metrics(status),
            ["service_health"] = Health(status),
            ["nodes"] = Nodes(status),
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
            ["cache_hit_ratio"] = Math.Round(Warnings.HitRatio(status), 2),
            ["average_check_time_ms"] = status.MeanCheckMs,
            ["p99_check_time_ms"] = status.P99CheckMs,
            ["redis_errors"] = status.Log.ErrorsInLastHour,
            ["last_cleanup"] = memory.Last,
            ["index_entries"] = total,
            ["index_bytes"] = status.IndexBytes,
        };
    }

    private JsonObject Health(BlacklistStatus status)
    {
        var warnings = Warnings.Of(status, blacklist.Options).ToList();
        return new JsonObject
        {
            ["service"] = "token_blacklist",
            ["status"] = !status.Loaded ? "unhealthy" : warnings.Count > 0 ? "degraded" : "healthy",
            ["store"] = status.Log.Store,
            ["redis_connected"] = status.Log.Connected,
            ["redis_ping_ms"] = status.Log.RoundTrip?.TotalMilliseconds,
            ["fresh"] = status.Fresh,
            ["lag_ms"] = (long)status.Lag.TotalMilliseconds,
            ["journal_pending"] = status.Log.JournalPending,
            ["warnings"] = new JsonArray([.. warnings.Select(warning => (JsonNode?)warning)]),
            ["timestamp"] = Answer.Time(clock.Now),
        };
    }

    private JsonArray Nodes(BlacklistStatus status)
    {
        if (status.Log.Nodes.Count == 0)
        {
            return [Node(Environment.MachineName, status.Position.Number, status.Lag, Version)];
        }
        return [.. status.Log.Nodes.Select(node =>
            (JsonNode)Node(node.Name, node.Position, node.Silence, node.Version))];
    }

    private JsonObject Node(string name, ulong position, TimeSpan silence, string version) => new()
    {
        ["id"] = name,
        ["position"] = position.ToString(CultureInfo.InvariantCulture),
        ["lag_ms"] = (long)silence.TotalMilliseconds,
        ["last_seen"] = Answer.Time(clock.Now - silence),
        ["version"] = version,
    };
}

/// <summary>Completes the metrics document with what a server knows.</summary>
internal delegate void AddToMetrics(JsonObject answer);
