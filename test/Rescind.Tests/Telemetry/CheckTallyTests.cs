namespace Rescind.Tests;

/// <summary>What is counted and timed of checks.</summary>
public sealed class CheckTallyTests
{
    private const int SampleEvery = 64;

    [Fact]
    public async Task One_check_in_64_is_timed()
    {
        var world = await TestWorld.LoadedAsync();
        var clock = new TickingClock(world.Clock) { Tick = TimeSpan.FromMilliseconds(3) };
        var node = new Blacklist(world.Options, world.Log, clock: clock);
        await node.LoadAsync();
        var token = world.Token();

        node.Check(token);
        Assert.Equal((3, 3), Times(node));
        clock.Tick = TimeSpan.FromMilliseconds(10);
        for (var i = 1; i < SampleEvery; i++)
        {
            node.Check(token);
        }
        Assert.Equal((3, 3), Times(node));
        node.Check(token);
        Assert.Equal((6.5, 10), Times(node));
    }

    [Fact]
    public void The_mean_is_of_all_and_the_percentile_of_the_last_thousand()
    {
        var tally = new CheckTally();
        Assert.Equal((0, 0), (tally.MeanMs(), tally.P99Ms()));
        for (var i = 0; i < 1_024; i++)
        {
            tally.Sample(100);
        }
        for (var i = 0; i < 1_013; i++)
        {
            Assert.Equal(100, tally.P99Ms());
            tally.Sample(1);
        }
        for (var i = 0; i < 11; i++)
        {
            tally.Sample(2);
        }
        Assert.Equal(2, tally.P99Ms());
        Assert.Equal(((1_024 * 100) + 1_013 + (11 * 2)) / 2_048.0, tally.MeanMs(), 9);
    }

    [Fact]
    public void Verdicts_are_counted_apart()
    {
        var tally = new CheckTally();
        var cell = tally.Cell();
        Assert.True(tally.IsSampled(cell));
        tally.Count(cell, Verdict.Accepted);
        tally.Count(cell, Verdict.Revoked);
        tally.Count(cell, Verdict.Revoked);
        tally.Count(cell, Verdict.Unknown);
        tally.Count(cell, Verdict.Unknown);
        tally.Count(cell, Verdict.Unknown);
        tally.CountCatchUp();

        Assert.Equal((1, 2, 3, 1), (tally.Accepted, tally.Revoked, tally.Unknown, tally.CatchUps));
        Assert.False(tally.IsSampled(cell));
        for (var i = 6; i < SampleEvery; i++)
        {
            Assert.False(tally.IsSampled(cell));
            tally.Count(cell, (Verdict)(i % 3));
        }
        Assert.True(tally.IsSampled(cell));
    }

    [Fact]
    public void Counts_of_several_threads_are_added()
    {
        var tally = new CheckTally();
        foreach (var cell in new[] { 0, 1 })
        {
            tally.Count(cell, Verdict.Accepted);
            tally.Count(cell, Verdict.Revoked);
            tally.Count(cell, Verdict.Unknown);
        }
        Assert.Equal((2, 2, 2), (tally.Accepted, tally.Revoked, tally.Unknown));
    }

    [Fact]
    public void The_percentile_does_not_depend_on_the_order_of_samples()
    {
        var tally = new CheckTally();
        for (var i = 1_000; i > 0; i--)
        {
            tally.Sample(i);
        }
        Assert.Equal(991, tally.P99Ms());
    }

    private static (double Mean, double P99) Times(Blacklist node) =>
        (node.GetStatus().MeanCheckMs, node.GetStatus().P99CheckMs);

    /// <summary>Goes on by itself whenever its monotonic time is read.</summary>
    private sealed class TickingClock(TestClock inner) : TimeProvider
    {
        private long _ticked;

        public TimeSpan Tick { get; set; }

        public override long TimestampFrequency => inner.TimestampFrequency;

        public override DateTimeOffset GetUtcNow() => inner.GetUtcNow();

        public override long GetTimestamp() => inner.GetTimestamp() + (_ticked += Tick.Ticks);
    }
}
