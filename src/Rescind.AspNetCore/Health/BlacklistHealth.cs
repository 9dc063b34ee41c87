using Microsoft.Extensions.Diagnostics.HealthChecks;
using Microsoft.Extensions.Logging;

namespace Rescind.AspNetCore;

/// <summary>
/// The health check <c>token-blacklist</c>. Unhealthy: the log was never read, so nothing is known. Degraded:
/// known revocations are refused, but news is late or will not survive this process. Each change is logged
/// once.
/// </summary>
internal sealed class BlacklistHealth(Blacklist blacklist, ILogger<BlacklistHealth> logger) : IHealthCheck
{
    public const string Name = "token-blacklist";

    private string? _last;

    public Task<HealthCheckResult> CheckHealthAsync(
        HealthCheckContext context, CancellationToken cancellationToken = default)
    {
        var status = blacklist.GetStatus();
        var data = new Dictionary<string, object>(StringComparer.Ordinal)
        {
            ["fresh"] = status.Fresh,
            ["lag_ms"] = (long)status.Lag.TotalMilliseconds,
            ["position"] = status.Position.ToString(),
            ["revocations"] = status.Rules.Values.Sum(),
        };
        var result = Judge(status, data);
        Say(result);
        return Task.FromResult(result);
    }

    private HealthCheckResult Judge(BlacklistStatus status, Dictionary<string, object> data)
    {
        if (!status.Loaded)
        {
            return HealthCheckResult.Unhealthy(
                $"The log has not been read yet: {status.Fault ?? "reading it is under way"}", data: data);
        }
        var warnings = Warnings.Of(status, blacklist.Options).ToList();
        return warnings.Count == 0
            ? HealthCheckResult.Healthy("Fresh", data)
            : HealthCheckResult.Degraded(string.Join(" ", warnings), data: data);
    }

    private void Say(HealthCheckResult result)
    {
        var words = result.Description ?? result.Status.ToString();

        // A number that moves is no change of state.
        var state = new string([.. words.Where(letter => !char.IsDigit(letter))]);
        if (Interlocked.Exchange(ref _last, state) == state)
        {
            return;
        }
        if (result.Status == HealthStatus.Healthy)
        {
            Log.HealthPassed(logger);
        }
        else
        {
            Log.HealthChanged(logger, result.Status.ToString(), words);
        }
    }
}
