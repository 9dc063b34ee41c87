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
        watch.Note(1, Answer(beatOfOther: 20));
        for (var beat = 2UL; beat < 30; beat++)
        {
            clock.Advance(TimeSpan.FromMilliseconds(250));
            watch.Note(beat, Answer(beatOfOther: 14));
        }

        Assert.Equal([("other", 14UL)], watch.NextReport().Silent);
    }

    private static HeartbeatAnswer Answer(ulong beatOfOther) => new()
    {
        Epoch = "epoch", IsClosed = false, Found = true, AtTail = true, Last = default, Horizon = DateTimeOffset.UnixEpoch,
        Time = DateTimeOffset.UnixEpoch, KnowsRun = true, Servers = 1, Packs = [],
        Processes = new Dictionary<string, ProcessRecord>(StringComparer.Ordinal)
        {
            ["other"] = new(beatOfOther, "epoch", 0, false, false, "other", "1.0"),
        },
    };
}
