using System.Diagnostics;

namespace Rescind.Tests;

/// <summary>What a receipt of a shared log says, and for how long it may wait.</summary>
public sealed class ReceiptWaitTests
{
    private static readonly Revocation Token = Revocation.OfToken(TestWorld.Issuer, "token-1");

    [Fact]
    public async Task Everywhere_when_every_process_has_confirmed()
    {
        var world = await TestWorld.LoadedAsync(shared: true);
        var asked = 0;
        world.Log.Reach = () => (Math.Min(++asked, 3), 3);
        var revoke = world.Blacklist.RevokeAsync(Token).AsTask();
        await world.Clock.UntilAsync(() => revoke.IsCompleted, TimeSpan.FromMilliseconds(1));
        var receipt = await revoke;
        Assert.Equal((ReceiptState.Everywhere, 3, 3), (receipt.State, receipt.NodesConfirmed, receipt.NodesExpected));
    }

    [Fact]
    public async Task A_silent_process_is_waited_for_until_its_lease_is_over_and_not_longer()
    {
        var world = await TestWorld.LoadedAsync(shared: true);
        world.Log.Reach = () => (2, 3);
        var revoke = world.Blacklist.RevokeAsync(Token).AsTask();
        Assert.Equal(Verdict.Revoked, world.Blacklist.Check(world.Token()));
        world.Clock.Advance(TimeSpan.FromMilliseconds(1249));
        await SettleAsync();
        Assert.False(revoke.IsCompleted);
        world.Clock.Advance(TimeSpan.FromMilliseconds(1));
        var receipt = await revoke.WaitAsync(TimeSpan.FromSeconds(10));
        Assert.Equal((ReceiptState.Everywhere, 2, 3), (receipt.State, receipt.NodesConfirmed, receipt.NodesExpected));
    }

    [Fact]
    public async Task The_log_is_given_the_time_that_is_left_and_asked_once()
    {
        var world = await TestWorld.LoadedAsync(shared: true);
        var asked = 0;
        (world.Log.Reach, world.Log.IsReachSlow) = (() => (++asked, 3), true);
        var revoke = world.Blacklist.RevokeAsync(Token).AsTask();
        world.Clock.Advance(TimeSpan.FromMilliseconds(1249));
        await SettleAsync();
        Assert.Equal(0, asked);
        await world.Clock.UntilAsync(() => revoke.IsCompleted, TimeSpan.FromMilliseconds(1));
        var receipt = await revoke;
        Assert.Equal((ReceiptState.Everywhere, 2), (receipt.State, asked));
    }

    [Fact]
    public async Task An_entry_without_a_position_is_journaled_and_nobody_is_asked()
    {
        var world = await TestWorld.LoadedAsync(shared: true);
        var asked = 0;
        (world.Log.Reach, world.Log.IsAppendLost) = (() => (++asked, 3), true);
        var receipt = await world.Blacklist.RevokeAsync(Token);
        Assert.Equal(
            (ReceiptState.Journaled, 1, 1, 0), (receipt.State, receipt.NodesConfirmed, receipt.NodesExpected, asked));
    }

    [Fact]
    public async Task A_wall_clock_that_jumps_forward_does_not_end_the_wait()
    {
        var world = await TestWorld.LoadedAsync(shared: true);
        world.Log.Reach = () => (2, 3);
        var revoke = world.Blacklist.RevokeAsync(Token).AsTask();
        world.Clock.StepWall(TimeSpan.FromHours(1));
        await SettleAsync();
        Assert.False(revoke.IsCompleted);
        world.Log.Reach = () => (3, 3);
        await world.Clock.UntilAsync(() => revoke.IsCompleted, TimeSpan.FromMilliseconds(1));
    }

    /// <summary>A log that answers at once, because it is away, is not asked all the time.</summary>
    [Fact]
    public async Task Whoever_answers_at_once_is_asked_now_and_then()
    {
        var world = await TestWorld.LoadedAsync(shared: true);
        var asked = 0;
        world.Log.Reach = () => (Interlocked.Increment(ref asked) * 0, 1);
        var revoke = world.Blacklist.RevokeAsync(Token).AsTask();
        await world.Clock.UntilAsync(() => revoke.IsCompleted, TimeSpan.FromMilliseconds(1));
        Assert.Equal((ReceiptState.Everywhere, 0), ((await revoke).State, (await revoke).NodesConfirmed));
        Assert.InRange(asked, 2, 25);
    }

    /// <summary>Without a word of its own about confirmations, a shared log is waited for until all leases are over.</summary>
    [Fact]
    public async Task A_shared_log_that_counts_nobody_says_everywhere_only_when_all_leases_are_over()
    {
        var world = await TestWorld.LoadedAsync(shared: true);
        IRevocationLog plain = new PlainLog(world.Log.Inner);
        Assert.Equal((0, 1), await plain.ReachAsync(default, CancellationToken.None));
        Assert.Equal((1, 1), await world.Log.Inner.ReachAsync(default, CancellationToken.None));
    }

    private sealed class PlainLog(IRevocationLog inner) : IRevocationLog
    {
        public bool IsShared => true;

        public LogStatus Status => inner.Status;

        public ValueTask<LogPosition> AppendAsync(ReadOnlyMemory<LogEntry> batch, CancellationToken cancel) =>
            inner.AppendAsync(batch, cancel);

        public ValueTask<LogBatch> ReadAsync(LogPosition after, int max, CancellationToken cancel) =>
            inner.ReadAsync(after, max, cancel);

        public ValueTask WaitAsync(LogPosition after, CancellationToken cancel) => inner.WaitAsync(after, cancel);

        public ValueTask<CompactionResult> CompactAsync(DateTimeOffset now, CancellationToken cancel) =>
            inner.CompactAsync(now, cancel);
    }

    [Fact]
    public async Task Stored_does_not_wait()
    {
        var world = await TestWorld.LoadedAsync(options => options.WaitFor = ReceiptState.Stored, shared: true);
        world.Log.Reach = () => (1, 3);
        var receipt = await world.Blacklist.RevokeAsync(Token).AsTask().WaitAsync(TimeSpan.FromSeconds(10));
        Assert.Equal((ReceiptState.Stored, 1, 3), (receipt.State, receipt.NodesConfirmed, receipt.NodesExpected));
    }

    /// <summary>Gives other work of this process a fair chance to run, without a clock.</summary>
    private static async Task SettleAsync()
    {
        var started = Stopwatch.GetTimestamp();
        while (Stopwatch.GetElapsedTime(started) < TimeSpan.FromMilliseconds(20))
        {
            await Task.Yield();
        }
    }
}
