// What the library's own calls answer. It writes its JSON without types, because an application's settings
// must not rename its fields; so the API description is drawn from these, of which none is ever made. That
// they are true is found by the tests, which hold every answer against the description.
using System.ComponentModel.DataAnnotations;
using Rescind.Server.Answers;

namespace Rescind.Server.Operations;

internal static class LibraryAnswers
{
    private static readonly Dictionary<string, (int Status, Type Type)[]> Answers = new()
    {
        ["POST revocations"] = [(200, typeof(DryRunAnswer)), (201, typeof(RevocationAnswer))],
        ["POST revocations/batch"] = [(200, typeof(BatchAnswer))],
        ["GET revocations"] = [(200, typeof(RevocationsAnswer))],
        ["DELETE revocations/{id}"] = [(200, typeof(LiftAnswer))],
        ["GET explain"] = [(200, typeof(ExplainAnswer))],
        ["POST explain"] = [(200, typeof(ExplainAnswer))],
        ["GET blacklist-metrics"] = [(200, typeof(MetricsAnswer))],
        ["POST cleanup"] = [(200, typeof(CleanupAnswer))],
    };

    /// <summary>Tells the API description what a call of the library answers.</summary>
    public static void Describe(EndpointBuilder endpoint)
    {
        const string Admin = "/admin/";
        var path = ((RouteEndpointBuilder)endpoint).RoutePattern.RawText!;
        var method = endpoint.Metadata.OfType<HttpMethodMetadata>().Single().HttpMethods[0];
        var name = path[(path.IndexOf(Admin, StringComparison.Ordinal) + Admin.Length)..];
        foreach (var (status, type) in Answers[$"{method} {name}"])
        {
            endpoint.Metadata.Add(new ProducesResponseTypeMetadata(status, type, [Accepting.Json]));
        }
    }
}

/// <summary>Whom or what a rule names.</summary>
internal sealed record RuleTarget(
    [property: AllowedValues("token", "session", "subject", "client", "key", "issuer")] string Type,
    string Value, string Issuer);

/// <summary>A rule.</summary>
internal record RuleBody
{
    /// <summary>Null: it was not made.</summary>
    public required string? Id { get; init; }

    public required RuleTarget Target { get; init; }

    public required string Reason { get; init; }

    public required string Actor { get; init; }

    public required string? Note { get; init; }

    public required DateTime? MadeAt { get; init; }

    public required DateTime? IssuedBefore { get; init; }

    public required DateTime? ExpiresAt { get; init; }

    public required DateTime? LiftedAt { get; init; }

    public required string? LiftedBy { get; init; }

    public required string? LiftReason { get; init; }
}

/// <summary>A rule as the answer to its making.</summary>
internal abstract record RuleAnswer : RuleBody
{
    [AllowedValues(true)]
    public required bool Success { get; init; }

    public required string Message { get; init; }
}

internal sealed record RevocationAnswer : RuleAnswer
{
    public required ReceiptBody Receipt { get; init; }
}

/// <summary>Sessions and users known to be hit.</summary>
internal sealed record WouldRevoke(int? Sessions, int? Users);

internal sealed record DryRunAnswer : RuleAnswer
{
    [AllowedValues(true)]
    public required bool DryRun { get; init; }

    public required WouldRevoke WouldRevoke { get; init; }
}

internal sealed record RejectedRule(int Index, string Reason, IReadOnlyDictionary<string, string[]> Errors);

internal sealed record BatchAnswer : Answer
{
    public required int Accepted { get; init; }

    public required IReadOnlyList<RejectedRule> Rejected { get; init; }

    /// <summary>Null when none was accepted.</summary>
    public required ReceiptBody? Receipt { get; init; }
}

internal sealed record RevocationsAnswer : Answer
{
    public required IReadOnlyList<RuleBody> Items { get; init; }

    public required string? NextCursor { get; init; }
}

internal sealed record LiftAnswer : RevokingAnswer
{
    public required string Id { get; init; }

    public required string LiftedBy { get; init; }

    public required string Reason { get; init; }
}

internal sealed record ExplainedToken(
    string Jti, string Issuer, string? Subject, string? Session, string? Client, string? KeyId,
    DateTime? IssuedAt, DateTime? AuthTime, DateTime? ExpiresAt);

internal sealed record ExplainAnswer : Answer
{
    [AllowedValues("unknown", "accepted", "revoked")]
    public required string Verdict { get; init; }

    public required string Because { get; init; }

    public required IReadOnlyList<RuleBody> Rules { get; init; }

    /// <summary>Null when no token was sent.</summary>
    public required bool? Verified { get; init; }

    public required ExplainedToken Token { get; init; }
}

internal sealed record CleanupAnswer : Answer
{
    public required long EntriesDropped { get; init; }

    public required long LogBytesBefore { get; init; }

    public required long LogBytesAfter { get; init; }

    public required double DurationMs { get; init; }
}

internal sealed record LastCleanup(
    long EntriesDropped, long LogBytesBefore, long LogBytesAfter, double DurationMs, DateTime Timestamp);

internal sealed record RuleCounts(
    long Token, long Session, long Subject, long Client, long Key, long Issuer);

internal sealed record BlacklistMetrics(
    long TotalBlacklisted, long AccessTokensBlacklisted, long RefreshTokensBlacklisted, RuleCounts Rules,
    long BlacklistChecks, long Refused, long CacheHits, long CacheMisses, double CacheHitRatio,
    double AverageCheckTimeMs, double P99CheckTimeMs, long RedisErrors, LastCleanup? LastCleanup,
    long IndexEntries, long IndexBytes);

internal sealed record ServiceHealth(
    string Service, [property: AllowedValues("healthy", "degraded", "unhealthy")] string Status, string Store,
    bool? RedisConnected, double? RedisPingMs, bool Fresh, long LagMs, long JournalPending,
    IReadOnlyList<string> Warnings, DateTime Timestamp);

internal sealed record NodeBody(string Id, string Position, long LagMs, DateTime LastSeen, string Version);

internal sealed record MetricsAnswer : Answer
{
    public required BlacklistMetrics BlacklistMetrics { get; init; }

    public required ServiceHealth ServiceHealth { get; init; }

    public required IReadOnlyList<NodeBody> Nodes { get; init; }

    public required string RequestedBy { get; init; }
}
