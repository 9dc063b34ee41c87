namespace Rescind.Tests.Feed;

/// <summary>A lease counts by whichever clock says more: it may end early, never late.</summary>
public sealed class LeaseTests
{
    private readonly TestClock _clock = new();

    [Theory]
    [InlineData(0, 10)]
    [InlineData(-60, 10)]
    [InlineData(60, 70)]
    public void The_time_since_a_moment_is_the_longer_of_two(int wallStep, int elapsed)
    {
        var moment = Moment.Now(_clock);
        _clock.Advance(TimeSpan.FromSeconds(10));
        _clock.StepWall(TimeSpan.FromSeconds(wallStep));

        Assert.Equal(TimeSpan.FromSeconds(elapsed), moment.ElapsedOn(_clock));
    }
}
