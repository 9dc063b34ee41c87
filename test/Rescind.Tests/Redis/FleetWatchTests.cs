using Rescind.Redis;

namespace Rescind.Tests.Redis;

/// <summary>What one process makes of what it sees of the others.</summary>
public sealed class FleetWatchTests
{
    /// <summary>Found by the simulation: Redis came back with an old registry while the process was dead; it was to be
    /// given up by a counter that no longer stood there, and the recovery waited for it for ever.</summary>
    [Fact]
    public void A_dead_process_whose_counter_was_rolled_back_is_given_up_by_the_counter_that_stands_there()
    {
        var clock = new TestClock();
        var watch = new FleetWatch("me", TimeSpan.FromSeconds(1), clock);
        watch.Note(1, Answer(beatOfOther: 20), isReplicated: true);
        for (var beat = 2UL; beat < 30; beat++)
        {
            clock.Advance(TimeSpan.FromMilliseconds(250));
            watch.Note(beat, Answer(beatOfOther: 14), isReplicated: true);
        }

        Assert.Equal([("other", 14UL)], watch.NextReport().Silent);
    }

    /// <summary>The losing side of a split answers too; what it says must neither give anybody up nor let a writer
    /// count on a closed epoch.</summary>
    [Fact]
    public void Answers_that_half_the_servers_did_not_confirm_give_nobody_up_and_show_no_closed_epoch()
    {
        var clock = new TestClock();
        var watch = new FleetWatch("me", TimeSpan.FromSeconds(1), clock);
        for (var beat = 1UL; beat < 40; beat++)
        {
            watch.Note(beat, Answer(beatOfOther: 20) with { IsClosed = true }, isReplicated: false);
            clock.Advance(TimeSpan.FromMilliseconds(250));
        }

        Assert.Empty(watch.NextReport().Silent);
        Assert.Equal(TimeSpan.Zero, watch.NextReport().Watched);
        Assert.Null(watch.NoteAppend("epoch", new Dictionary<string, ProcessRecord>(StringComparer.Ordinal)));

        for (var beat = 40UL; beat < 80; beat++)
        {
            watch.Note(beat, Answer(beatOfOther: 20) with { IsClosed = true }, isReplicated: true);
            clock.Advance(TimeSpan.FromMilliseconds(250));
        }
        Assert.Equal([("other", 20UL)], watch.NextReport().Silent);
        Assert.NotNull(watch.NoteAppend("epoch", new Dictionary<string, ProcessRecord>(StringComparer.Ordinal)));
    }

    /// <summary>An append that was answered before the log was elsewhere for a while must be made again, however late
    /// its answer is looked at.</summary>
    [Fact]
    public void An_epoch_that_comes_back_is_another_stay()
    {
        var watch = new FleetWatch("me", TimeSpan.FromSeconds(1), new TestClock());
        watch.Note(1, Answer(beatOfOther: 1), isReplicated: true);
        var first = watch.Stay;
        watch.Note(2, Answer(beatOfOther: 2), isReplicated: true);
        Assert.Equal(first, watch.Stay);

        watch.Note(3, Answer(beatOfOther: 3, "another"), isReplicated: true);
        watch.Note(4, Answer(beatOfOther: 4), isReplicated: true);

        Assert.Equal(first.Epoch, watch.Stay.Epoch);
        Assert.NotEqual(first, watch.Stay);
    }

    /// <summary>Their leases may outlast what this process would wait for.</summary>
    [Fact]
    public void Whoever_saw_others_with_other_settings_is_held_back_until_their_leases_are_over()
    {
        var clock = new TestClock();
        var watch = new FleetWatch("me", TimeSpan.FromSeconds(1), clock);
        Assert.False(watch.IsHeldBack);
        Refuse(1, "freshness_ms=4000 x=1");
        Assert.Equal((true, TimeSpan.FromSeconds(4)), (watch.IsHeldBack, watch.LongestBound));
        clock.Advance(TimeSpan.FromHours(1));
        Assert.True(watch.IsHeldBack);

        // The losing side of a split takes this process in: the others may still get leases on the other side.
        watch.Note(2, Answer(beatOfOther: 1), isReplicated: false);
        clock.Advance(TimeSpan.FromHours(1));
        Assert.True(watch.IsHeldBack);

        watch.Note(3, Answer(beatOfOther: 2), isReplicated: true);
        clock.Advance(TimeSpan.FromSeconds(4.9));
        watch.Note(4, Answer(beatOfOther: 3), isReplicated: true);
        Refuse(5, "freshness_ms=100 x=1");
        Assert.Equal((true, TimeSpan.FromSeconds(4)), (watch.IsHeldBack, watch.LongestBound)); // the longest of both
        watch.Note(6, Answer(beatOfOther: 3), isReplicated: true);
        clock.Advance(TimeSpan.FromSeconds(5));
        Assert.Equal((false, TimeSpan.FromSeconds(1)), (watch.IsHeldBack, watch.LongestBound));

        void Refuse(ulong beat, string settings) => watch.Note(
            beat, Answer(beatOfOther: 1) with { OtherSettings = settings }, isReplicated: true);
    }

    /// <summary>Found by the simulation (life 1066636): Redis lost the word that somebody with a longer bound had joined,
    /// who was taken for nobody; who knew better opened the recovery, and who came into it did not.</summary>
    [Fact]
    public void Whoever_comes_into_a_recovery_is_held_back_until_the_leases_of_before_are_over()
    {
        var clock = new TestClock();
        var watch = new FleetWatch("me", TimeSpan.FromSeconds(1), clock);
        watch.Note(1, Answer(1) with { BoundBefore = TimeSpan.FromSeconds(4) }, isReplicated: true);
        Assert.Equal((true, TimeSpan.FromSeconds(4)), (watch.IsHeldBack, watch.LongestBound));
        clock.Advance(TimeSpan.FromSeconds(4.9));
        watch.Note(2, Answer(2) with { BoundBefore = TimeSpan.FromSeconds(4) }, isReplicated: true);
        Assert.True(watch.IsHeldBack);
        clock.Advance(TimeSpan.FromSeconds(0.1));
        Assert.False(watch.IsHeldBack); // the recovery is as old as the first sight of it at least

        // Somebody came into it who knew of longer ones still.
        watch.Note(2, Answer(2) with { BoundBefore = TimeSpan.FromSeconds(6) }, isReplicated: true);
        Assert.Equal((true, TimeSpan.FromSeconds(6)), (watch.IsHeldBack, watch.LongestBound));
        clock.Advance(TimeSpan.FromSeconds(8));
        Assert.Equal((false, TimeSpan.FromSeconds(6)), (watch.IsHeldBack, watch.LongestBound)); // who may come beats as rarely
        watch.Note(2, Answer(2) with { IsClosed = true }, isReplicated: true);
        Assert.Equal(TimeSpan.FromSeconds(1), watch.LongestBound);

        watch.Note(3, Answer(3, "next") with { BoundBefore = TimeSpan.FromSeconds(1) }, isReplicated: true);
        Assert.False(watch.IsHeldBack);
        watch.Note(4, Answer(4, "another") with { BoundBefore = TimeSpan.FromSeconds(2) }, isReplicated: false);
        clock.Advance(TimeSpan.FromHours(1));
        Assert.True(watch.IsHeldBack);
    }

    [Fact]
    public async Task An_append_that_is_under_way_when_longer_leases_are_told_of_waits_for_them()
    {
        var (clock, position) = (new TestClock(), new LogPosition(5, 1));
        var watch = new FleetWatch("me", TimeSpan.FromSeconds(1), clock);
        watch.Note(1, Answer(1), isReplicated: true);
        var receipts = new Receipts(watch, null!, new Signal(), TimeSpan.FromSeconds(1), clock);
        var appended = clock.GetTimestamp();
        receipts.Expect(position, new Receipts.Audience(watch.Stay, null, appended));
        clock.Advance(TimeSpan.FromSeconds(1));
        watch.Warn(2, Answer(2) with { BoundBefore = TimeSpan.FromSeconds(4) }); // its confirmation is under way too
        clock.Advance(TimeSpan.FromSeconds(0.25));

        var reach = receipts.ReachAsync(position, new CancellationToken(canceled: true)).AsTask();
        await clock.UntilAsync(() => reach.IsCompleted, TimeSpan.FromMilliseconds(50));
        Assert.InRange(clock.GetElapsedTime(appended), TimeSpan.FromSeconds(5), TimeSpan.FromSeconds(60));
        Assert.Equal((0, 1), await reach);
    }

    private static HeartbeatAnswer Answer(ulong beatOfOther, string epoch = "epoch") => new()
    {
        Epoch = epoch, IsClosed = false, Found = true, AtTail = true, Last = default, Horizon = DateTimeOffset.UnixEpoch,
        Time = DateTimeOffset.UnixEpoch, KnowsRun = true, Servers = 1, Packs = [],
        Processes = new Dictionary<string, ProcessRecord>(StringComparer.Ordinal)
        {
            ["other"] = new(beatOfOther, "epoch", 0, false, false, "other", "1.0"),
        },
    };
}
