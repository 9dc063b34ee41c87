namespace Rescind.Tests.Feed;

/// <summary>What a node believes of the log's clock when its own is wrong, or is set after the read.</summary>
public sealed class LogClockTests
{
    private readonly TestClock _clock = new();

    private DateTimeOffset Now => _clock.GetUtcNow();

    [Theory]
    [InlineData(-10, 10)]
    [InlineData(10, -8)]
    [InlineData(0, 0)]
    [InlineData(1, 0)]
    [InlineData(2, 0)]
    public void Only_what_lies_outside_of_the_read_counts_as_a_difference(int logSeconds, int ahead)
    {
        var (clock, sent) = (new LogClock(_clock, isShared: true, TimeSpan.Zero), Moment.Now(_clock));
        var time = Now.AddSeconds(logSeconds);
        _clock.Advance(TimeSpan.FromSeconds(2));
        clock.Note(sent, time);

        Assert.Equal(TimeSpan.FromSeconds(ahead), clock.Ahead);

        // What both clocks have run since changes nothing.
        _clock.Advance(TimeSpan.FromMinutes(1));
        Assert.Equal(TimeSpan.FromSeconds(ahead), clock.Ahead);
    }

    [Theory]
    [InlineData(true, 90, 90)]
    [InlineData(true, -90, -90)]
    [InlineData(false, 90, 0)]
    [InlineData(false, -90, 0)]
    public void A_clock_that_is_set_after_the_read_is_off_from_a_shared_log_alone(bool isShared, int step, int ahead)
    {
        var clock = new LogClock(_clock, isShared, TimeSpan.Zero);
        Assert.Null(clock.Ahead);
        clock.Note(Moment.Now(_clock), Now);
        _clock.Advance(TimeSpan.FromSeconds(3));
        _clock.StepWall(TimeSpan.FromSeconds(step));

        Assert.Equal(TimeSpan.FromSeconds(ahead), clock.Ahead);
    }

    [Theory]
    [InlineData(true, 90, 93)]
    [InlineData(true, -90, 3)]
    [InlineData(false, 90, 93)]
    [InlineData(false, -90, 3)]
    public void A_cutoff_reaches_past_the_logs_clock_by_whichever_of_ones_own_has_run_further(
        bool isShared, int step, int reaches)
    {
        var (clock, begun) = (new LogClock(_clock, isShared, TimeSpan.Zero), Now);
        Assert.Equal(begun, clock.CutoffTime);
        clock.Note(Moment.Now(_clock), begun);
        _clock.Advance(TimeSpan.FromSeconds(3));
        _clock.StepWall(TimeSpan.FromSeconds(step));

        Assert.Equal(begun.AddSeconds(reaches), clock.CutoffTime);
    }

    /// <summary>The clock of Redis was set back, or another server took over: tokens of the last half minute must not be spared. But
    /// one witness alone, this node's clock or what the log said once, may be wrong.</summary>
    [Theory]
    [InlineData(true, 30, 0, 0)]
    [InlineData(true, 30, 60, 0)]
    [InlineData(true, 30, -10, -10)]
    [InlineData(true, 30, -60, -30)]
    [InlineData(true, 2.5, 0, 0)]
    [InlineData(true, 1.5, 0, -1.5)]
    [InlineData(false, 30, 0, 0)]
    [InlineData(false, 30, -60, -30)]
    public void A_cutoff_reaches_what_the_log_said_before_it_was_set_back_as_far_as_this_nodes_clock_agrees(
        bool isShared, double back, int wall, double reaches)
    {
        var (clock, begun) = (new LogClock(_clock, isShared, TimeSpan.Zero), Now);
        _clock.StepWall(TimeSpan.FromSeconds(wall));
        clock.Note(Moment.Now(_clock), begun);
        for (var seconds = 1; seconds <= 3; seconds++)
        {
            _clock.Advance(TimeSpan.FromSeconds(1));
            clock.Note(Moment.Now(_clock), begun.AddSeconds(seconds - back));
        }

        Assert.Equal(begun.AddSeconds(3 + reaches), clock.CutoffTime);
    }

    [Fact]
    public void Once_the_logs_clock_is_right_again_it_alone_counts()
    {
        var (clock, begun) = (new LogClock(_clock, isShared: true, TimeSpan.Zero), Now);
        clock.Note(Moment.Now(_clock), begun);
        clock.Note(Moment.Now(_clock), begun.AddSeconds(-30));
        Assert.Equal(begun, clock.CutoffTime);
        clock.Note(Moment.Now(_clock), begun.AddSeconds(1));
        clock.Note(Moment.Now(_clock), begun.AddSeconds(-0.5));

        Assert.Equal(begun.AddSeconds(-0.5), clock.CutoffTime);
    }

    /// <summary>The log told its time at the end of a call that was slow, and then at once again.</summary>
    [Fact]
    public void A_slow_answer_before_a_quick_one_is_no_contradiction()
    {
        var (clock, sent) = (new LogClock(_clock, isShared: true, TimeSpan.Zero), Moment.Now(_clock));
        _clock.StepWall(TimeSpan.FromMinutes(1));
        _clock.Advance(TimeSpan.FromSeconds(5));
        clock.Note(sent, Now.AddMinutes(-1));
        clock.Note(Moment.Now(_clock), Now.AddMinutes(-1));

        Assert.Equal(Now.AddMinutes(-1), clock.CutoffTime);
    }

    /// <summary>Its monotonic clock stood, and the log's is behind.</summary>
    [Fact]
    public void A_machine_that_was_suspended_since_the_log_was_set_back_counts_by_its_wall_clock()
    {
        var clock = new LogClock(_clock, isShared: true, TimeSpan.Zero);
        clock.Note(Moment.Now(_clock), Now);
        clock.Note(Moment.Now(_clock), Now.AddHours(-1));
        _clock.StepWall(TimeSpan.FromMinutes(10));
        clock.Note(Moment.Now(_clock), Now.AddHours(-1));

        Assert.Equal(Now, clock.CutoffTime);
    }

    /// <summary>A node that was not there before it has nobody who agrees.</summary>
    [Fact]
    public void The_first_thing_that_a_log_says_counts_alone()
    {
        var clock = new LogClock(_clock, isShared: true, TimeSpan.Zero);
        clock.Note(Moment.Now(_clock), Now.AddSeconds(-30));

        Assert.Equal(Now.AddSeconds(-30), clock.CutoffTime);
    }

    [Theory]
    [InlineData(90, 3)]
    [InlineData(-90, -87)]
    public void Nothing_is_dead_before_both_clocks_say_so_and_the_skew_has_passed(int step, int dead)
    {
        var (clock, begun) = (new LogClock(_clock, isShared: true, TimeSpan.FromMinutes(5)), Now);
        Assert.Equal(0, clock.DeadBefore);
        clock.Note(Moment.Now(_clock), begun);
        _clock.Advance(TimeSpan.FromSeconds(3));
        _clock.StepWall(TimeSpan.FromSeconds(step));

        Assert.Equal(begun.AddSeconds(dead).AddMinutes(-5).ToUnixTimeSeconds(), clock.DeadBefore);
    }
}
