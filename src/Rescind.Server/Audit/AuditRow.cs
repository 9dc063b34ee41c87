using Rescind.Server.Records;

namespace Rescind.Server.Audit;

/// <summary>An event in the database: what happened, and its place in the chain of the node that saw it.
/// </summary>
internal sealed class AuditRow
{
    /// <summary>Which node's chain; see <see cref="AuditChain"/>.</summary>
    public required string Chain { get; init; }

    /// <summary>The place in the chain, from 1, without gaps.</summary>
    public required long Number { get; init; }

    public required string EventType { get; init; }

    public string? UserId { get; init; }

    /// <summary>The first 8 characters of a token's id.</summary>
    public string? Jti { get; init; }

    public string? TokenType { get; init; }

    public string? Reason { get; init; }

    public string? Actor { get; init; }

    /// <summary><c>self</c>, <c>admin</c>, <c>anonymous</c> or <c>system</c>.</summary>
    public required string ActorType { get; init; }

    public string? Ip { get; init; }

    public string? UserAgent { get; init; }

    public string? RequestId { get; init; }

    public string? Note { get; init; }

    /// <summary>How many events of a kind within a minute this row stands for.</summary>
    public required int Count { get; init; }

    /// <summary>When it happened, to the microsecond.</summary>
    public required DateTime Timestamp { get; init; }

    /// <summary>Which key made <see cref="Hash"/>.</summary>
    public required string KeyId { get; init; }

    /// <summary>HMAC-SHA256 over the hash before it and everything above.</summary>
    public required byte[] Hash { get; init; }

    /// <summary>The record of the revocation that this is the event of, which travels with it into a table of
    /// its own, and is not part of the chain; null: none.</summary>
    public RevocationRow? Record { get; init; }
}

/// <summary>Where a chain begins after its older events were deleted by retention.</summary>
internal sealed class AuditAnchor
{
    public required string Chain { get; init; }

    /// <summary>The number of the last event that was deleted.</summary>
    public required long Number { get; set; }

    /// <summary>Its hash, which the first event that is left continues.</summary>
    public required byte[] Hash { get; set; }

    public required DateTime PrunedAt { get; set; }

    public required string KeyId { get; set; }

    /// <summary>HMAC-SHA256 over everything above, so that nobody else can cut a chain short.</summary>
    public required byte[] Signature { get; set; }
}
