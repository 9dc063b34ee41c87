using System.Net;
using Rescind.Server.Audit;
using Rescind.Server.Tokens;

namespace Rescind.Server.Settings;

/// <summary>Everything the server was told, read once at start and never changed.</summary>
internal sealed record ServerSettings
{
    /// <summary>Development forgives: it makes a missing secret and a first administrator by
    /// itself.</summary>
    public required bool IsDevelopment { get; init; }

    /// <summary>Where to listen; null: the host was told by other means (<c>ASPNETCORE_URLS</c>).</summary>
    public required string? ListenAt { get; init; }

    public required DataFolder Data { get; init; }

    public required string Node { get; init; }

    public required SigningKeys Keys { get; init; }

    public required string Issuer { get; init; }

    public required string Audience { get; init; }

    public required TimeSpan AccessLifetime { get; init; }

    public required TimeSpan RefreshLifetime { get; init; }

    public required TimeSpan LongestLifetime { get; init; }

    /// <summary>How long a refresh token that was just exchanged may be presented again.</summary>
    public required TimeSpan RefreshGrace { get; init; }

    /// <summary>Whether every token that counts has <c>iat</c>, so that what ends a user's tokens need not be
    /// kept for ever.</summary>
    public required bool TokensCarryIssuedAt { get; init; }

    public required bool RefuseWhenUnknown { get; init; }

    public required ReceiptState WaitFor { get; init; }

    public required TimeSpan Freshness { get; init; }

    /// <summary>Where the log is shared; null: this node alone has it, in a file.</summary>
    public required RedisSettings? Redis { get; init; }

    /// <summary>Where the nodes share accounts; null: this node alone has them, in a file.</summary>
    public required DatabaseSettings? Database { get; init; }

    /// <summary>How mail is sent; null: none is.</summary>
    public required MailSettings? Mail { get; init; }

    /// <summary>When the server tidies up, and whom it tells.</summary>
    public required MaintenanceSettings Maintenance { get; init; }

    /// <summary>Makes the audit trail tamper-evident.</summary>
    public required AuditKey AuditKey { get; init; }

    /// <summary>Whether the operator named the key, so that it can be the same on all nodes.</summary>
    public required bool AuditKeyIsShared { get; init; }

    public required TimeSpan AuditRetention { get; init; }

    public required string? AdminEmail { get; init; }

    public required string? AdminPassword { get; init; }

    public required IReadOnlyList<string> CorsOrigins { get; init; }

    public required IReadOnlyList<IPNetwork> Proxies { get; init; }

    /// <summary>Where metrics and the API description are, and nothing else; null: nowhere of their own.
    /// </summary>
    public required int? ManagementPort { get; init; }

    /// <summary>Whether callers have limits; off for load tests.</summary>
    public required bool LimitsRates { get; init; }

    /// <summary>Opens the API description in Production; null keeps it closed there.</summary>
    public required string? MetricsToken { get; init; }

    /// <summary>What is allowed but deserves a line in the log at start.</summary>
    public required IReadOnlyList<string> Warnings { get; init; }

    /// <summary>All addresses to listen at; null: the host was told, and there is no management
    /// port.</summary>
    public string? Urls(IConfiguration configuration)
    {
        var first = ListenAt ?? configuration["urls"];
        if (ManagementPort is not { } port || first is null)
        {
            return ListenAt;
        }
        var host = Microsoft.AspNetCore.Http.BindingAddress.Parse(first.Split(';')[0]).Host;
        return $"{first};http://{host}:{port}";
    }

    // A record prints its members; these hold secrets, so this one does not.
    public override string ToString() => $"{nameof(ServerSettings)} of {Node}";
}
