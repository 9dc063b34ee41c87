using System.ComponentModel.DataAnnotations;
using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.Diagnostics.HealthChecks;
using Rescind.Server.Accounts;
using Rescind.Server.Answers;
using Rescind.Server.Database;

namespace Rescind.Server.Operations;

/// <summary>The answer of the health calls.</summary>
/// <param name="Status"><c>healthy</c>, <c>degraded</c> or <c>unhealthy</c>.</param>
/// <param name="Checks">The same for each part.</param>
internal sealed record HealthBody(
    [property: AllowedValues("healthy", "degraded", "unhealthy")] string Status,
    IReadOnlyDictionary<string, string> Checks);

/// <summary><c>GET /health/live</c>: the process answers.</summary>
internal static class Liveness
{
    public static readonly HealthBody Answer =
        new("healthy", new Dictionary<string, string>(StringComparer.Ordinal));
}

/// <summary><c>GET /health/ready</c>. 503 only while the blacklist knows nothing: a node whose accounts
/// database is away still refuses and revokes, and taking it out of service would help nobody.</summary>
internal sealed class Readiness(HealthCheckService health, Blacklist blacklist)
{
    public async Task<IResult> AnswerAsync(HttpContext context)
    {
        var report = await health.CheckHealthAsync(context.RequestAborted);
        var body = new HealthBody(
            Word(report.Status),
            report.Entries.ToDictionary(entry => entry.Key, entry => Word(entry.Value.Status),
                StringComparer.Ordinal));
        return TypedResults.Json(body, statusCode: blacklist.GetStatus().Loaded ? 200 : 503);
    }

    private static string Word(HealthStatus status) => status switch
    {
        HealthStatus.Healthy => "healthy",
        HealthStatus.Degraded => "degraded",
        _ => "unhealthy",
    };
}

/// <summary>The health check <c>accounts</c>. Degraded at worst; see <see cref="Readiness"/>.</summary>
internal sealed class AccountsHealth(AccountStore store, TimeProvider clock) : IHealthCheck
{
    public const string Name = "accounts";

    /// <summary>Less than the second that probes wait by default: a database that is frozen must not take the
    /// node out of service.</summary>
    private static readonly TimeSpan LongestWait = TimeSpan.FromMilliseconds(500);

    public async Task<HealthCheckResult> CheckHealthAsync(
        HealthCheckContext context, CancellationToken cancellationToken = default)
    {
        try
        {
            await store.ReadAsync(db => db.Marks.AnyAsync(cancellationToken), cancellationToken)
                .WaitAsync(LongestWait, clock, cancellationToken);
            return HealthCheckResult.Healthy();
        }
        catch (Exception fault) when (FaultHandler.IsDatabaseAway(fault))
        {
            return HealthCheckResult.Degraded("The accounts database is away.");
        }
    }
}
