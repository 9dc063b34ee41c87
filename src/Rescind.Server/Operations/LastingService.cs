namespace Rescind.Server.Operations;

/// <summary>Work beside the requests that goes on as long as the process: what it did not foresee is logged,
/// and it begins again after a moment. It must not end the server, which checks and revokes without it, nor
/// end itself unseen.</summary>
internal abstract class LastingService(TimeProvider clock, ILogger logger) : BackgroundService
{
    private static readonly TimeSpan Pause = TimeSpan.FromSeconds(1);

    protected TimeProvider Clock => clock;

    protected abstract Task RunAsync(CancellationToken cancel);

    protected sealed override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        while (!stoppingToken.IsCancellationRequested)
        {
            try
            {
                await RunAsync(stoppingToken);
                return;
            }
            catch (Exception fault) when (!stoppingToken.IsCancellationRequested)
            {
                Log.WorkFailed(logger, GetType().Name, fault);
                await Task.Delay(Pause, clock, stoppingToken)
                    .ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            }
        }
    }
}
