using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;

namespace Rescind.AspNetCore;

/// <summary>
/// Starts the blacklist with the host and follows the log until the host stops. All checks, and the first
/// read of the log, happen before any server of this host listens; a fault there stops the start, except that
/// a shared log may be away.
/// </summary>
internal sealed class BlacklistService(
    Blacklist blacklist, GuardCheck guard, AdminPolicies policies, ILogger<BlacklistService> logger)
    : BackgroundService, IHostedLifecycleService
{
    public async Task StartingAsync(CancellationToken cancellationToken)
    {
        await guard.RunAsync();
        foreach (var scheme in await guard.SchemesWithoutKeyIdAsync())
        {
            Log.KeyWithoutId(logger, scheme);
        }
        await policies.CheckAsync();
        await LoadAsync(cancellationToken);
        Log.Started(logger, (await guard.SchemesAsync()).Count);
    }

    /// <summary>A shared log that is away is no reason to stay down as well: this node then refuses what its
    /// disk knows, and readiness says whether that is enough.</summary>
    private async Task LoadAsync(CancellationToken cancel)
    {
        try
        {
            await blacklist.LoadAsync(cancel);
        }
        catch (IOException fault) when (blacklist.GetStatus().Shared)
        {
            Log.StartedWithoutLog(logger, fault.Message);
        }
    }

    /// <summary>Applications with a Startup class map their endpoints only while the server starts.</summary>
    public Task StartedAsync(CancellationToken cancellationToken) => policies.CheckAsync();

    public Task StoppingAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    public Task StoppedAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    protected override Task ExecuteAsync(CancellationToken stoppingToken) =>
        blacklist.RunAsync(stoppingToken);
}
