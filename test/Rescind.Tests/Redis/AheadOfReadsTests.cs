using Rescind.Redis;

namespace Rescind.Tests.Redis;

/// <summary>What a process has applied before a read brought it is missed when it is lost.</summary>
public sealed class AheadOfReadsTests
{
    /// <summary>Found by the model: an entry was announced, applied and confirmed; the read that brought it again stopped at
    /// one that this version cannot read, and from then on nobody knew that this process held it.</summary>
    [Fact]
    public void What_an_answer_brings_behind_what_could_be_read_is_still_missed_when_it_is_lost()
    {
        var (ahead, at) = (new AheadOfReads(), new LogPosition(1, 7));
        ahead.Announced(new PushMessage("one", "writer", new LogPosition(2, 8), new LogPosition(3, 9), []));
        var whole = Answer("one", new LogPosition(2, 8), new LogPosition(3, 9));

        Assert.False(ahead.IsIncomplete(ahead.StartAfter(at, 100), whole, new LogPosition(2, 8), isAtTail: false));
        Assert.True(ahead.IsIncomplete(ahead.StartAfter(at, 100), Answer("two"), at, isAtTail: true));
    }

    [Fact]
    public void What_was_read_is_missed_no_more()
    {
        var (ahead, at) = (new AheadOfReads(), new LogPosition(1, 7));
        ahead.Announced(new PushMessage("one", "writer", new LogPosition(2, 8), new LogPosition(3, 9), []));
        var whole = Answer("one", new LogPosition(2, 8), new LogPosition(3, 9));

        Assert.False(ahead.IsIncomplete(ahead.StartAfter(at, 100), whole, new LogPosition(3, 9), isAtTail: true));
        Assert.False(ahead.IsIncomplete(ahead.StartAfter(at, 100), Answer("two"), at, isAtTail: true));
    }

    /// <summary>Found by the simulation: an append was answered, its process stood still, and came back in the next epoch
    /// with a read that had been sent before. In the same epoch such an entry need not be in the answer yet.</summary>
    [Theory]
    [InlineData("one", false)]
    [InlineData("two", true)]
    public void What_was_appended_after_a_read_was_sent_is_missed_in_another_epoch_only(string epoch, bool isMissed)
    {
        var (ahead, at) = (new AheadOfReads(), new LogPosition(1, 7));
        var start = ahead.StartAfter(at, 100);
        ahead.Appended("one", new LogPosition(2, 8), [new LogEntry { Id = default, ExpiresAt = DateTimeOffset.MaxValue }]);

        Assert.Equal(isMissed, ahead.IsIncomplete(start, Answer(epoch), at, isAtTail: true));
    }

    /// <summary>Found by the simulation (1001343): the log was read over, and while what it lacked was given back, which took
    /// seconds, an entry was announced, applied and lost with the next restart. In the same epoch the next read brings
    /// it.</summary>
    [Theory]
    [InlineData("one", false)]
    [InlineData("two", true)]
    public void What_was_announced_while_a_lost_log_was_read_over_is_missed_when_it_is_lost_again(string epoch, bool isMissed)
    {
        var (ahead, at, last) = (new AheadOfReads(), new LogPosition(2, 8), new LogPosition(3, 9));
        var over = ahead.StartAfter(default, 100);
        Assert.False(ahead.IsIncomplete(over, Answer("one", at), at, isAtTail: true));
        ahead.Announced(new PushMessage("one", "writer", at, last, []));

        Assert.Empty(ahead.TakeUnreadOwn());

        var answer = epoch == "one" ? Answer("one", last) : Answer("two");
        Assert.Equal(isMissed, ahead.IsIncomplete(ahead.StartAfter(at, 100), answer, epoch == "one" ? last : at, isAtTail: true));
    }

    [Fact]
    public void What_was_announced_before_a_lost_log_was_read_over_is_given_back_and_missed_no_more()
    {
        var (ahead, at) = (new AheadOfReads(), new LogPosition(2, 8));
        ahead.Announced(new PushMessage("one", "writer", at, new LogPosition(3, 9), []));
        Assert.True(ahead.IsIncomplete(ahead.StartAfter(at, 100) with { From = at, Walked = [] }, Answer("two"), at, isAtTail: true));
        ahead.IsIncomplete(ahead.StartAfter(default, 100), Answer("two", at), at, isAtTail: true);

        Assert.Empty(ahead.TakeUnreadOwn());

        Assert.False(ahead.IsIncomplete(ahead.StartAfter(at, 100), Answer("two"), at, isAtTail: true));
    }

    /// <summary>What was given back is in the log; only what was appended before must be given once more.</summary>
    [Theory]
    [InlineData("one", true, 1)]
    [InlineData("one", false, 0)]
    [InlineData("zero", true, 1)]
    [InlineData("zero", false, 1)]
    public void Own_entries_are_given_once(string epoch, bool isBefore, int given)
    {
        var (ahead, at) = (new AheadOfReads(), new LogPosition(2, 8));
        LogEntry[] own = [new LogEntry { Id = default, ExpiresAt = DateTimeOffset.MaxValue }];
        if (isBefore)
        {
            ahead.Appended(epoch, new LogPosition(9, 8), own);
        }
        ahead.IsIncomplete(ahead.StartAfter(default, 100), Answer("one", at), at, isAtTail: true);
        if (!isBefore)
        {
            ahead.Appended(epoch, new LogPosition(9, 8), own);
        }

        Assert.Equal(given, ahead.TakeUnreadOwn().Length);

        // What stays is asked for by the next read.
        Assert.Equal(given == 0, ahead.IsIncomplete(ahead.StartAfter(at, 100), Answer("one"), at, isAtTail: true));
    }

    /// <summary>An answer does not bring again what was walked over; so the read must, or the file of a node would have a
    /// position past entries that it never had.</summary>
    [Theory]
    [InlineData(100, 3)]
    [InlineData(4, 3)]
    [InlineData(3, 1)]
    [InlineData(1, 0)]
    public void What_is_walked_over_is_brought_and_fewer_than_were_asked_for(int max, int brought)
    {
        var (ahead, at) = (new AheadOfReads(), new LogPosition(1, 7));
        var entries = Enumerable.Range(1, 3).Select(i => ScriptedJournal.Entry((uint)i)).ToArray();
        ahead.Announced(new PushMessage("one", "writer", at, new LogPosition(2, 8), entries[..1]));
        ahead.Announced(new PushMessage("one", "writer", new LogPosition(2, 8), new LogPosition(4, 9), entries[1..]));

        var start = ahead.StartAfter(at, max);

        Assert.Equal(entries[..brought].Select(entry => entry.Id), start.Entries.Select(entry => entry.Id));
        Assert.Equal((ulong)brought + 1, start.From.Number);
        Assert.Empty(ahead.StartAfter(at, max).Entries);
    }

    /// <summary>Somebody announces more than this process reads.</summary>
    [Fact]
    public void So_much_that_is_announced_is_kept_and_the_rest_is_read()
    {
        var (ahead, first) = (new AheadOfReads(), new LogPosition(1, 7));
        var entries = Enumerable.Range(0, 4_000).Select(i => ScriptedJournal.Entry((uint)i)).ToArray();
        for (var i = 0UL; i < 3; i++)
        {
            var (before, last) = (new LogPosition(1 + (4_000 * i), 7), new LogPosition(1 + (4_000 * (i + 1)), 7));
            ahead.Announced(new PushMessage("one", "writer", before, last, entries));
        }
        Assert.Empty(ahead.StartAfter(first, 100_000).Entries);
        Assert.Equal(4_000, ahead.StartAfter(first with { Number = 8_001 }, 100_000).Entries.Count);
    }

    private static HeartbeatAnswer Answer(string epoch, params LogPosition[] packs) => new()
    {
        Epoch = epoch, IsClosed = true, Found = true, AtTail = true, Last = default, Horizon = DateTimeOffset.UnixEpoch,
        Time = DateTimeOffset.UnixEpoch, KnowsRun = true, Servers = 1, Packs = [.. packs.Select(id => (id, Array.Empty<byte>()))],
        Processes = new Dictionary<string, ProcessRecord>(StringComparer.Ordinal),
    };
}
