namespace Rescind;

/// <summary>
/// Waits until no node can accept what was revoked: each process that follows the log has confirmed the
/// entry, or the lease of every process that has not is over. The second takes a bound and a quarter from the
/// append's <em>answer</em>, by the monotonic clock alone: a wall clock that is stepped forward must not end
/// it, and the quarter covers clocks that run at different speeds (docs/decisions/0010).
/// </summary>
internal sealed class ReceiptWait(IRevocationLog log, BlacklistOptions options, TimeProvider clock)
{
    public async ValueTask<Receipt> WaitAsync(RevocationId id, LogPosition position, long started)
    {
        if (!log.IsShared)
        {
            return new Receipt(id, position, ReceiptState.Everywhere, 1, 1, clock.GetElapsedTime(started));
        }
        if (position == default)
        {
            return new Receipt(id, position, ReceiptState.Journaled, 1, 1, clock.GetElapsedTime(started));
        }
        var answered = clock.GetTimestamp();
        var longest = options.WaitFor == ReceiptState.Everywhere ? options.Freshness * 1.25 : TimeSpan.Zero;
        while (true)
        {
            var left = Left();
            var (confirmed, expected) = await ReachWithinAsync(position, left);
            if (confirmed >= expected || (left <= TimeSpan.Zero && longest > TimeSpan.Zero))
            {
                return Answer(ReceiptState.Everywhere, confirmed, expected);
            }
            if (longest == TimeSpan.Zero)
            {
                return Answer(ReceiptState.Stored, confirmed, expected);
            }
            await RestAsync(Left());
        }

        TimeSpan Left() => longest - clock.GetElapsedTime(answered);

        Receipt Answer(ReceiptState state, int confirmed, int expected) =>
            new(id, position, state, confirmed, expected, clock.GetElapsedTime(started));
    }

    /// <summary>Between two answers of a log that does not wait for a change.</summary>
    private async ValueTask RestAsync(TimeSpan left)
    {
        var rest = options.Freshness / 16;
        if (left > TimeSpan.Zero)
        {
            await Task.Delay(left < rest ? left : rest, clock);
        }
    }

    private async ValueTask<(int Confirmed, int Expected)> ReachWithinAsync(
        LogPosition position, TimeSpan left)
    {
        using var limit = new CancellationTokenSource(left > TimeSpan.Zero ? left : TimeSpan.Zero, clock);
        return await log.ReachAsync(position, limit.Token);
    }
}
