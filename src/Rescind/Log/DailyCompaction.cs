using Microsoft.Extensions.Logging;

namespace Rescind;

/// <summary>
/// Compacts once a day: what has expired would otherwise stay in the log, this node's file and the start of
/// every process for ever. The first time within about an hour, because processes may not live for a day, and
/// not all at once. Guarantees nothing about when; whoever wants that calls
/// <see cref="Blacklist.CompactAsync"/> himself, which harms nothing.
/// </summary>
internal sealed class DailyCompaction(
    Func<CancellationToken, ValueTask<CompactionResult>> compact, TimeProvider clock, ILogger logger)
{
    /// <summary>Runs until cancelled.</summary>
    /// <param name="draw">Any number; chooses when the first one is.</param>
    /// <param name="cancel">Ends it.</param>
    public async Task RunAsync(uint draw, CancellationToken cancel)
    {
        var wait = TimeSpan.FromMinutes(10) + TimeSpan.FromSeconds(draw % 3600);
        while (true)
        {
            await Task.Delay(wait, clock, cancel).ConfigureAwait(
                ConfigureAwaitOptions.SuppressThrowing | ConfigureAwaitOptions.ContinueOnCapturedContext);
            if (cancel.IsCancellationRequested)
            {
                return;
            }
            try
            {
                await compact(cancel);
            }
            catch (Exception fault)
            {
                // Whatever it is: checks go on, and the next day tries again. The end is no fault.
                if (!cancel.IsCancellationRequested)
                {
                    Log.CompactionFailed(logger, fault.Message);
                }
            }
            wait = TimeSpan.FromDays(1);
        }
    }
}
