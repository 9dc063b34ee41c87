using Microsoft.Extensions.Logging;
using StackExchange.Redis;

namespace Rescind.Redis;

/// <summary>
/// Makes the stream shorter. A stream can only be cut at its head, so live entries that stand before the cut
/// are appended again first, confirmed as every append, and applied by the others. Guarantees that nothing
/// live is dropped: ids are a union, so an entry that stands twice counts once. One process at a time;
/// trimming stops when the epoch changes, because what was carried forward may be gone.
/// </summary>
internal sealed class Compactor(
    IRedisLink link,
    RedisNames names,
    FleetWatch watch,
    Heartbeats heartbeats,
    IRevocationLog appends,
    PackCodec codec,
    TimeSpan rest,
    TimeProvider clock,
    ILogger logger)
{
    private const string LockField = "lock";
    private const int TrimStep = 500;
    private const int CarryStep = 5_000;

    private long _turn;
    private int _isBusy;

    public async ValueTask<CompactionResult> CompactAsync(DateTimeOffset now, CancellationToken cancel)
    {
        if (Interlocked.Exchange(ref _isBusy, 1) == 1)
        {
            Log.CompactionElsewhere(logger);
            return default;
        }
        try
        {
            return await CompactAloneAsync(now, cancel);
        }
        finally
        {
            Volatile.Write(ref _isBusy, 0);
        }
    }

    private async Task<CompactionResult> CompactAloneAsync(DateTimeOffset now, CancellationToken cancel)
    {
        var epoch = await ClosedEpochAsync(cancel);
        var before = await SizeAsync(cancel);
        var turn = $"{names.Process}:{++_turn}";
        if (!await LockAsync(turn, cancel))
        {
            Log.CompactionElsewhere(logger);
            return new CompactionResult(0, before, before);
        }
        try
        {
            var plan = await CompactionPlan.MakeAsync(link, codec, now, cancel);
            var dropped = plan.Dropped;
            if (dropped != 0)
            {
                await CarryAsync(plan, cancel);
                await TrimAsync(plan, epoch, turn, cancel);
            }
            return new CompactionResult(dropped, before, await SizeAsync(cancel));
        }
        finally
        {
            await UnlockAsync(turn);
        }
    }

    /// <summary>While the log recovers, others read it from its start; cutting its head would make them begin
    /// again. Only waits: whoever reads says what it has applied, and that is the feed's to say.</summary>
    private async Task<string> ClosedEpochAsync(CancellationToken cancel)
    {
        for (var looks = 0; looks < 40; looks++)
        {
            var answer = await heartbeats.LookAsync(cancel);
            if (answer.IsClosed)
            {
                return answer.Epoch;
            }
            await Task.Delay(rest, clock, cancel);
        }
        throw new IOException("The log in Redis recovers; compact it later.");
    }

    private async Task CarryAsync(CompactionPlan plan, CancellationToken cancel)
    {
        var last = default(LogPosition);
        await foreach (var part in plan.CarriedAsync(CarryStep, cancel))
        {
            last = await appends.AppendAsync(part, cancel);
        }
        if (last == default)
        {
            return;
        }
        // Whoever has not read the carried entries yet would lose its position, and read all of the log.
        using var over = new CancellationTokenSource(RedisLink.Limit, clock);
        using var patience = CancellationTokenSource.CreateLinkedTokenSource(cancel, over.Token);
        await appends.ReachAsync(last, patience.Token);
    }

    private async Task TrimAsync(CompactionPlan plan, string epoch, string turn, CancellationToken cancel)
    {
        foreach (var keep in plan.Cuts(TrimStep))
        {
            cancel.ThrowIfCancellationRequested();
            var answer = HeartbeatAnswer.Parts(await link.RunAsync(
                RedisScripts.Trim, [epoch, turn, StreamId.TextOf(keep), plan.Horizon], cancel));
            if ((string?)answer[0] != "ok")
            {
                throw new IOException(
                    "The compaction of the log in Redis was overtaken; nothing live was dropped.");
            }
        }
    }

    /// <summary>Takes the lock when nobody holds it, or its holder is no longer registered.</summary>
    private async Task<bool> LockAsync(string turn, CancellationToken cancel)
    {
        var held = (string?)await link.ExecuteAsync("HGET", [link.Fleet, LockField], cancel);
        var holder = held?.Split(':')[0];
        return (holder is null || !watch.Processes.ContainsKey(holder) || holder == names.Process)
            && await SwapLockAsync(held ?? "", turn, cancel);
    }

    private async Task UnlockAsync(string turn)
    {
        try
        {
            await SwapLockAsync(turn, "", CancellationToken.None);
        }
        catch (IOException fault)
        {
            // The next compaction of this process takes its own lock over; so does any when this process is
            // gone.
            Log.NotLeft(logger, fault.Message);
        }
    }

    private async Task<bool> SwapLockAsync(string from, string to, CancellationToken cancel) =>
        (int)await link.RunAsync(RedisScripts.Lock, [from, to], cancel) == 1;

    /// <summary>0 where a service does not tell; that must not keep the log from becoming shorter.</summary>
    private async Task<long> SizeAsync(CancellationToken cancel)
    {
        try
        {
            var size = await link.ExecuteAsync("MEMORY", ["USAGE", link.Stream], cancel);
            return size.IsNull ? 0 : (long)size;
        }
        catch (IOException refused) when (refused.InnerException is RedisServerException)
        {
            Log.SizeHidden(logger, refused.Message);
            return 0;
        }
    }
}
