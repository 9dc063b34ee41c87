// What happens before the first request: the files are made or found to be good, and the first administrator
// exists. Registered before the blacklist's own service, so that a wrong accounts file is told first.
using Microsoft.AspNetCore.Hosting.Server;
using Microsoft.AspNetCore.Hosting.Server.Features;
using Microsoft.Extensions.Diagnostics.HealthChecks;
using Rescind.Server.Accounts;
using Rescind.Server.Audit;
using Rescind.Server.Database;
using Rescind.Server.Settings;

namespace Rescind.Server.Operations;

internal sealed class Startup(
    Preparation preparation, AuditSpool audit, Strangers strangers, ServerSettings settings,
    IServer server, HealthCheckService health, ServerMetrics metrics, ILogger<Startup> logger,
    RedisGate? redis = null)
    : IHostedLifecycleService
{
    public async Task StartingAsync(CancellationToken cancellationToken)
    {
        metrics.Begin();
        foreach (var warning in settings.Warnings)
        {
            Log.Setting(logger, warning);
        }
        if (redis is not null)
        {
            await redis.CheckAsync(cancellationToken);
        }
        Log.AuditHead(logger, audit.Chain, audit.Number, audit.Head);
        await preparation.TryAsync(cancellationToken);
        strangers.WarmUp();
    }

    public async Task StartedAsync(CancellationToken cancellationToken)
    {
        var addresses = server.Features.Get<IServerAddressesFeature>()?.Addresses ?? [];
        Log.Serving(logger, settings.Node, string.Join(", ", addresses));

        // The first health check; the blacklist's own check writes how it went.
        await health.CheckHealthAsync(cancellationToken);
    }

    public Task StartAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    public Task StopAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    public Task StoppingAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    public Task StoppedAsync(CancellationToken cancellationToken) => Task.CompletedTask;
}
