namespace Rescind.Tests.Feed;

/// <summary>A lease ends by whichever clock says so first, and when the one that knows of a pause was set back.</summary>
public sealed class LeaseTests
{
    private static readonly TimeSpan Bound = TimeSpan.FromSeconds(1);

    private readonly TestClock _clock = new();

    [Theory]
    [InlineData(0, 0, true)]
    [InlineData(1_000, 0, true)]
    [InlineData(1_001, 0, false)] // its own time is over
    [InlineData(500, 500, true)]
    [InlineData(500, 501, false)] // the machine was suspended, or the wall clock set forward
    [InlineData(500, -250, true)] // corrected a little
    [InlineData(500, -251, false)] // set back: it would not show a pause
    [InlineData(500, -60_000, false)]
    public void A_lease_covers_while_both_clocks_say_so_and_agree(int passed, int wallStep, bool isCovered)
    {
        var lease = new Lease(Moment.Now(_clock), Bound);
        _clock.Advance(TimeSpan.FromMilliseconds(passed));
        _clock.StepWall(TimeSpan.FromMilliseconds(wallStep));

        Assert.Equal(isCovered, lease.Covers(_clock));
    }

    /// <summary>Found by the simulation (1016582): set back by a minute, then suspended for seconds.</summary>
    [Fact]
    public void A_wall_clock_that_was_set_back_hides_no_pause()
    {
        var lease = new Lease(Moment.Now(_clock), Bound);
        _clock.StepWall(TimeSpan.FromMinutes(-1));
        _clock.StepWall(TimeSpan.FromSeconds(3)); // suspended: the monotonic clock stands

        Assert.False(lease.Covers(_clock));
    }

    [Fact]
    public void A_lease_of_a_private_log_never_ends()
    {
        var lease = new Lease(Moment.Now(_clock), Bound: null);
        _clock.Advance(TimeSpan.FromDays(1_000));
        _clock.StepWall(TimeSpan.FromDays(-2_000));

        Assert.True(lease.Covers(_clock));
    }
}
