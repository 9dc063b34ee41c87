namespace Rescind.Tests;

/// <summary>What is written to the copy on disk and when, and what a disk that fails costs.</summary>
public sealed class ReplicaPaceTests
{
    private const int MostWaiting = 1000;

    private static readonly TimeSpan Rest = TimeSpan.FromMilliseconds(250);
    private static readonly LogPosition Start = new(5, 1);

    private readonly ScriptedJournal _journal = new();
    private readonly ReplicaWriter _writer;

    public ReplicaPaceTests()
    {
        _writer = new ReplicaWriter(_journal, Rest, _journal.Clock, _journal.Lines, MostWaiting);
        _writer.Loaded(new JournalPage([], [], 3, Start, DateTimeOffset.UnixEpoch));
    }

    [Fact]
    public async Task What_comes_during_a_rest_is_written_together()
    {
        await ReadAsync(new LogPosition(6, 1), entries: [Entry(1), Entry(2)]);
        await ReadAsync(new LogPosition(7, 1), entries: [Entry(3)]);
        _journal.Clock.Advance(Rest - TimeSpan.FromTicks(1));
        Assert.Empty(_journal.Updates);
        _journal.Clock.Advance(TimeSpan.FromTicks(1));
        await _journal.Clock.UntilAsync(() => _journal.Updates.Count == 1);
        var update = _journal.Updates[0];
        Assert.Equal([Entry(1).Id, Entry(2).Id, Entry(3).Id], update.Entries.Select(entry => entry.Id));
        Assert.Equal(new LogPosition(7, 1), update.Position);
        await IdleAsync(updates: 1);
    }

    [Theory]
    [InlineData(0, 5, 0, 0)]
    [InlineData(1, 5, 0, 1)]
    [InlineData(0, 6, 0, 1)]
    [InlineData(0, 5, 1, 1)]
    [InlineData(0, 5, -1, 0)]
    public async Task A_read_is_written_only_when_it_brings_something(uint entries, ulong number, int horizon, int writes)
    {
        await ReadAsync(
            new LogPosition(number, 1), DateTimeOffset.UnixEpoch.AddSeconds(horizon),
            [.. Enumerable.Range(0, (int)entries).Select(i => Entry((uint)i))]);
        await UntilAsync(() => _journal.Updates.Count == writes);
        await IdleAsync(updates: writes);
    }

    [Fact]
    public async Task A_disk_that_fails_is_tried_again_with_all_of_it_and_said_once()
    {
        for (var outage = 1; outage <= 2; outage++)
        {
            (_journal.JoinFault, var before) = ("broken", _journal.Updates.Count);
            Read(1);
            await UntilAsync(() => _writer.Fault is not null);
            await _journal.Clock.UntilAsync(() => _journal.Lines.Of(1410).Count == outage);
            await UntilAsync(() => _journal.Updates.Count >= before + 2);
            Assert.Equal("broken", _writer.Fault);
            Read(2);
            _journal.JoinFault = null;
            await UntilAsync(() => _writer.Fault is null);
            Assert.Equal([Entry(1).Id, Entry(2).Id], _journal.Updates[^1].Entries.Select(entry => entry.Id));
            Assert.Equal((outage, outage), (_journal.Lines.Of(1410).Count, _journal.Lines.Of(1411).Count));
        }
        await IdleAsync(_journal.Updates.Count);
        Assert.EndsWith("broken", _journal.Lines.Of(1410)[0], StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_disk_that_fails_does_not_hold_up_the_end()
    {
        _journal.JoinFault = "broken";
        Read(1);
        var flush = _writer.FlushAsync();
        await UntilAsync(() => flush.IsCompleted);
        await flush;
        Assert.Equal("broken", _writer.Fault);
    }

    [Fact]
    public async Task What_came_last_is_written_before_the_end()
    {
        var gate = new TaskCompletionSource();
        _journal.JoinGate = gate.Task;
        Read(1);
        await UntilAsync(() => _journal.Updates.Count == 1);
        Read(2);
        var flush = _writer.FlushAsync();
        gate.SetResult();
        await UntilAsync(() => flush.IsCompleted);
        Assert.Equal(2, _journal.Updates.Count);
        Assert.Equal(Entry(2).Id, Assert.Single(_journal.Updates[1].Entries).Id);
    }

    /// <summary>The mark before a history that is over: 3 rows were there when the file was loaded.</summary>
    [Fact]
    public async Task What_a_history_left_is_dropped_once_all_is_given_back_and_once_only()
    {
        await WriteAsync(Entry(1));
        _writer.StartOver();
        await WriteAsync(Entry(2));
        Assert.Equal((null, 0), (_journal.Updates[^1].Position, _journal.Updates[^1].DropTo));
        _writer.EndOver();
        await UntilAsync(() => _journal.Updates.Count == 3);
        Assert.Equal(1, _journal.Updates[^1].DropTo);
        Assert.NotNull(_journal.Updates[^1].Position);
        await WriteAsync(Entry(3));
        Assert.Equal(0, _journal.Updates[^1].DropTo);
    }

    [Fact]
    public async Task A_history_that_is_over_before_anything_was_written_is_dropped_whole()
    {
        _writer.StartOver();
        _writer.EndOver();
        await UntilAsync(() => _journal.Updates.Count == 1);
        Assert.Equal(3, _journal.Updates[0].DropTo);
    }

    [Fact]
    public async Task What_shall_go_is_not_forgotten_by_a_write_that_was_under_way()
    {
        var gate = new TaskCompletionSource();
        _journal.JoinGate = gate.Task;
        Read(1);
        await UntilAsync(() => _journal.Updates.Count == 1);
        _writer.StartOver();
        _writer.EndOver();
        gate.SetResult();
        await UntilAsync(() => _journal.Updates.Count == 2);
        Assert.Equal((0, 3), (_journal.Updates[0].DropTo, _journal.Updates[1].DropTo));
    }

    [Fact]
    public async Task Nothing_is_dropped_while_the_log_is_read_over_again()
    {
        _writer.StartOver();
        _writer.EndOver();
        _writer.StartOver();
        await UntilAsync(() => _journal.Updates.Count == 1);
        Assert.Equal((null, 0), (_journal.Updates[0].Position, _journal.Updates[0].DropTo));
    }

    [Fact]
    public async Task A_disk_that_fails_for_too_long_ends_the_copy_and_not_the_node()
    {
        _journal.JoinFault = "broken";
        var entries = Enumerable.Range(1, MostWaiting).Select(i => Entry((uint)i)).ToArray();
        Assert.True(ReadAsync(new LogPosition(7, 1), entries: entries).IsCompleted);
        await UntilAsync(() => _journal.Updates.Count == 2);
        Assert.Empty(_journal.Lines.Of(1412));

        var full = ReadAsync(new LogPosition(8, 1), entries: [Entry(0)]);
        Assert.False(full.IsCompleted);
        await UntilAsync(() => full.IsCompleted);
        Assert.Single(_journal.Lines.Of(1412));
        _journal.JoinFault = null;
        var updates = _journal.Updates.Count;
        Assert.True(ReadAsync(new LogPosition(9, 1), entries: [Entry(0)]).IsCompleted);
        await _writer.FlushAsync();
        await IdleAsync(updates);
        Assert.Equal("broken", _writer.Fault);
    }

    private static LogEntry Entry(uint number) => ScriptedJournal.Entry(number);

    private Task ReadAsync(LogPosition position, DateTimeOffset? horizon = null, params LogEntry[] entries) =>
        _writer.AddAsync(new LogBatch
        {
            Entries = entries, Position = position, AtTail = true, Time = _journal.Clock.GetUtcNow(),
            Horizon = horizon ?? DateTimeOffset.UnixEpoch,
        });

    private void Read(uint number) => _ = ReadAsync(new LogPosition(5 + number, 1), entries: [Entry(number)]);

    private async Task WriteAsync(LogEntry entry)
    {
        var updates = _journal.Updates.Count;
        await ReadAsync(new LogPosition(5 + (ulong)entry.Id.Tag, 1), entries: [entry]);
        await UntilAsync(() => _journal.Updates.Count == updates + 1);
    }

    /// <summary>Nothing more is written.</summary>
    private async Task IdleAsync(int updates)
    {
        for (var i = 0; i < 5; i++)
        {
            _journal.Clock.Advance(Rest);
            await Task.Delay(1, TestContext.Current.CancellationToken);
        }
        Assert.Equal(updates, _journal.Updates.Count);
    }

    private Task UntilAsync(Func<bool> condition) => _journal.Clock.UntilAsync(condition, Rest);
}
