using System.Text.Json;
using System.Text.Json.Serialization;
using Rescind.Server.Records;

namespace Rescind.Server.Audit;

/// <summary>Something that happened to a token or an account, before it has its place in a chain.</summary>
/// <param name="EventType">A word of the contract; see <see cref="AuditEvents"/>.</param>
internal sealed record AuditEvent(string EventType)
{
    private const int ShownOfId = 8;
    private const string Cut = "...";
    private const int LongestUser = 256;

    /// <summary>Of an id that is longer than any of ours the beginning, which every database can
    /// index.</summary>
    public string? UserId
    {
        get;
        init => field = OfUser(value);
    }

    /// <summary>The beginning of a token's id; the rest of what is given here is dropped.</summary>
    public string? Jti
    {
        get;
        init => field = Short(value);
    }

    public string? TokenType { get; init; }

    public string? Reason { get; init; }

    public string? Actor { get; init; }

    public string ActorType { get; init; } = AuditEvents.System;

    public string? Ip { get; init; }

    public string? UserAgent { get; init; }

    public string? RequestId { get; init; }

    public string? Note { get; init; }

    public int Count { get; init; } = 1;

    /// <summary>See <see cref="AuditRow.Record"/>.</summary>
    public RevocationRow? Record { get; init; }

    /// <summary>A user's id as events have it.</summary>
    public static string? OfUser(string? id) => Beginning(id, LongestUser);

    /// <summary>At most so many characters, and never half of one.</summary>
    public static string? Beginning(string? text, int most) => text is null || text.Length <= most
        ? text
        : text[..(char.IsHighSurrogate(text[most - 1]) ? most - 1 : most)];

    /// <summary>As much of an id as people need to find it.</summary>
    public static string? Short(string? id) =>
        id is { Length: > ShownOfId } && !id.EndsWith(Cut, StringComparison.Ordinal)
            ? id[..ShownOfId] + Cut
            : id;
}

/// <summary>The words of the audit trail.</summary>
internal static class AuditEvents
{
    public const string UserRegistered = "user_registered";
    public const string LoginSucceeded = "login_succeeded";
    public const string LoginFailed = "login_failed";
    public const string AccountLocked = "account_locked";
    public const string TokenRefreshed = "token_refreshed";
    public const string RefreshTokenReuse = "refresh_token_reuse";
    public const string UserLoggedOut = "user_logged_out";
    public const string RevocationLifted = "revocation_lifted";
    public const string BlacklistedTokenUsed = "blacklisted_token_used";
    public const string SecurityIncident = "security_incident";
    public const string PasswordChanged = "password_changed";
    public const string AccountDeleted = "account_deleted";
    public const string AccountChanged = "account_changed";
    public const string UsersImported = "users_imported";
    public const string BlacklistCleanup = "blacklist_cleanup";
    public const string BlacklistPerformanceIssue = "blacklist_performance_issue";
    public const string StoreUnavailable = "store_unavailable";
    public const string StoreRecovered = "store_recovered";

    public const string Self = "self";
    public const string Admin = "admin";
    public const string Anonymous = "anonymous";
    public const string System = "system";

    /// <summary>What the revocation of a target is called.</summary>
    public static string OfRevoking(RuleKind kind) => kind switch
    {
        RuleKind.Token => "token_blacklisted",
        RuleKind.Session => "session_revoked",
        RuleKind.Subject => "user_tokens_revoked",
        RuleKind.Client => "client_tokens_revoked",
        RuleKind.Key => "key_revoked",
        RuleKind.Issuer => "issuer_tokens_revoked",
        _ => throw new ArgumentOutOfRangeException(nameof(kind), kind, "A kind that has no word."),
    };
}

/// <summary>An event as people and programs read it: in the log, as one line, and in answers.</summary>
internal sealed record AuditBody(
    string EventType, string? UserId, string? Jti, string? TokenType, string? Reason, string? Actor,
    string ActorType, string? Ip, string? UserAgent, string? RequestId, string? Note, DateTime Timestamp,
    int Count, string Node, long Number)
{
    private static readonly JsonSerializerOptions Json = new()
    {
        PropertyNamingPolicy = JsonNamingPolicy.SnakeCaseLower,
        DefaultIgnoreCondition = JsonIgnoreCondition.Never,
    };

    public static AuditBody Of(AuditRow row) => new(
        row.EventType, row.UserId, row.Jti, row.TokenType, row.Reason, row.Actor, row.ActorType, row.Ip,
        row.UserAgent, row.RequestId, row.Note, row.Timestamp, row.Count, row.Chain, row.Number);

    public string ToJson() => JsonSerializer.Serialize(this, Json);
}
