namespace Rescind.Tests;

/// <summary>What a log with a file beside it asks of each of the two, and what it says.</summary>
public sealed class JournaledLogTests
{
    private static readonly TimeSpan Rest = TimeSpan.FromMilliseconds(250);

    private readonly ScriptedJournal _journal = new();
    private readonly UnreliableLog _shared;
    private readonly BlacklistOptions _options = new() { LargestBatch = 2 };
    private readonly JournaledLog _log;

    public JournaledLogTests()
    {
        _shared = new UnreliableLog(new MemoryLog(_journal.Clock), shared: true);
        _log = new JournaledLog(_shared, _journal, _options, _journal.Clock, _journal.Lines);
    }

    [Fact]
    public async Task Nothing_is_asked_for_an_empty_batch_or_by_a_caller_that_gave_up()
    {
        await Assert.ThrowsAsync<ArgumentException>(async () => await _log.AppendAsync(default, CancellationToken.None));
        var over = new CancellationToken(canceled: true);
        await Assert.ThrowsAnyAsync<OperationCanceledException>(
            async () => await _log.AppendAsync(new[] { Entry(1) }, over));
        await Assert.ThrowsAnyAsync<OperationCanceledException>(async () => await _log.ReadAsync(default, 10, over));
        Assert.Equal((0, 0), (_shared.Appends, _journal.Kept.Count));
        Assert.False(_log.Status.JournalLoaded);
    }

    [Fact]
    public async Task Announcements_are_applied_and_copied_when_a_read_brings_them()
    {
        var applied = new List<RevocationId>();
        _log.Listen(entries => applied.AddRange(entries.ToArray().Select(entry => entry.Id)));
        _shared.Listener!(new[] { Entry(1) });
        Assert.Equal([Entry(1).Id], applied);
        await LoadAsync();
        await _shared.AppendAsync(new[] { Entry(1), Entry(2) }, CancellationToken.None);
        await _log.ReadAsync(default, 1, CancellationToken.None);
        await UntilAsync(() => _journal.Updates.Count == 1);
        Assert.Equal(Entry(1).Id, Assert.Single(_journal.Updates[0].Entries).Id);
    }

    [Fact]
    public async Task What_the_disk_cannot_keep_is_said_first_and_what_it_cannot_copy_then()
    {
        await LoadAsync();
        (_journal.KeepFault, _journal.JoinFault) = ("keeps nothing", "copies nothing");
        for (var outage = 1; outage <= 2; outage++)
        {
            _journal.KeepFault = "keeps nothing";
            Assert.NotEqual(default, await AppendAsync(1));
            Assert.Equal(outage, _journal.Lines.Of(1402).Count);
            Assert.NotEqual(default, await AppendAsync(2));
            Assert.Equal(outage, _journal.Lines.Of(1402).Count);
            await _log.ReadAsync(default, 10, CancellationToken.None);
            await UntilAsync(() => _journal.Lines.Of(1410).Count == 1);
            Assert.EndsWith("keeps nothing", Assert.Single(_log.Status.Warnings), StringComparison.Ordinal);
            _journal.KeepFault = null;
            await AppendAsync(3);
            Assert.EndsWith("copies nothing", Assert.Single(_log.Status.Warnings), StringComparison.Ordinal);
        }
    }

    /// <summary>A node that revokes nothing itself would call its disk broken for good.</summary>
    [Fact]
    public async Task A_disk_that_copies_again_is_not_said_to_be_broken()
    {
        await LoadAsync();
        _journal.KeepFault = "full for a moment";
        await AppendAsync(1);
        Assert.EndsWith("full for a moment", Assert.Single(_log.Status.Warnings), StringComparison.Ordinal);
        await _log.ReadAsync(default, 10, CancellationToken.None);
        await UntilAsync(() => _journal.Updates.Count == 1 && _log.Status.Warnings.Count == 0);
        await AppendAsync(2);
        Assert.EndsWith("full for a moment", Assert.Single(_log.Status.Warnings), StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_disk_that_fails_keeps_nobody_from_compacting_the_log()
    {
        await LoadAsync();
        await AppendAsync(1);
        await _shared.AppendAsync(new[] { Entry(2), Entry(3) }, CancellationToken.None);
        _journal.KeepFault = "broken";
        var compactions = 0;
        _shared.Compacting = () => compactions++;
        var fault = await Assert.ThrowsAsync<IOException>(async () => await _log.CompactAsync(_journal.Clock.GetUtcNow(), default));
        Assert.Equal(("broken", 1), (fault.Message, compactions));
        _journal.KeepFault = null;
        await _log.CompactAsync(_journal.Clock.GetUtcNow(), default);
        Assert.Equal(2, compactions);
    }

    /// <summary>Its lift may have been forgotten, everywhere.</summary>
    [Theory]
    [InlineData(64, 1)]
    [InlineData(66, 0)]
    public async Task What_has_expired_and_its_skew_has_passed_is_owed_no_more(int minutes, int given)
    {
        await LoadAsync();
        _shared.Fault = new IOException("away");
        LogEntry[] own = [Entry(1, _journal.Clock.GetUtcNow().AddHours(1))];
        Assert.Equal(default, await _log.AppendAsync(own, CancellationToken.None));
        (_shared.Fault, var before) = (null, _shared.Appends);
        _journal.Clock.Advance(TimeSpan.FromMinutes(minutes));
        await _log.ReadAsync(default, 10, CancellationToken.None);
        await UntilAsync(() => _log.Status.JournalPending == 0);
        Assert.Equal(given, _shared.Appends - before);
        Assert.Equal(given == 0 ? own[0].ExpiresAt : DateTimeOffset.UnixEpoch, _shared.Horizons.Max());
    }

    [Fact]
    public async Task A_log_that_cannot_be_read_is_not_asked_to_append()
    {
        await LoadAsync();
        _shared.Fault = new IOException("away");
        await Assert.ThrowsAsync<IOException>(async () => await _log.ReadAsync(default, 10, CancellationToken.None));
        _shared.Fault = null;
        Assert.Equal(default, await AppendAsync(1));
        Assert.Equal((0, 1), (_shared.Appends, _log.Status.JournalPending));
        await _log.ReadAsync(default, 10, CancellationToken.None);
        await UntilAsync(() => _log.Status.JournalPending == 0);
        Assert.NotEqual(default, await AppendAsync(2));
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task A_log_that_refused_or_said_nothing_is_not_asked_to_append_again(bool isSilent)
    {
        await LoadAsync();
        (_shared.Fault, _shared.AppendGate) = isSilent
            ? (null, new TaskCompletionSource().Task) : (new IOException("away"), (Task?)null);
        var first = AppendAsync(1).AsTask();
        await _journal.Clock.UntilAsync(() => first.IsCompleted, _options.JournalAfter);
        Assert.Equal(default, await first);
        Assert.Single(_journal.Lines.Of(1400));
        (_shared.Fault, _shared.AppendGate) = (null, null);
        Assert.Equal(default, await AppendAsync(2));
        Assert.Equal((1, 2), (_shared.Appends, _log.Status.JournalPending));
        Assert.Single(_journal.Lines.Of(1400));
    }

    [Fact]
    public async Task What_is_owed_is_given_once_when_the_log_is_back_and_said_once_it_is_there()
    {
        await OweAsync(3);
        var (gate, before) = (new TaskCompletionSource(), _shared.Appends);
        _shared.AppendGate = gate.Task;
        await _log.ReadAsync(default, 10, CancellationToken.None);
        await _log.ReadAsync(default, 10, CancellationToken.None);
        Assert.Equal(before + 1, _shared.Appends);
        Assert.Empty(_journal.Lines.Of(1401));
        gate.SetResult();
        await UntilAsync(() => _journal.Lines.Of(1401).Count == 1);
        Assert.EndsWith(" 3 entries", _journal.Lines.Of(1401)[0], StringComparison.Ordinal);
        Assert.Equal((before + 2, 2), (_shared.Appends, _shared.LargestAppend));
        await _log.ReadAsync(default, 10, CancellationToken.None);
        Assert.Single(_journal.Lines.Of(1401));
    }

    [Fact]
    public async Task A_replay_that_meets_another_outage_goes_on_with_the_next_read()
    {
        await OweAsync(3);
        _shared.Twist = batch =>
        {
            _shared.Fault = new IOException("away again");
            return batch;
        };
        await _log.ReadAsync(default, 10, CancellationToken.None);
        Assert.Equal(3, _log.Status.JournalPending);
        Assert.Empty(_journal.Lines.Of(1401));
        (_shared.Fault, _shared.Twist) = (null, null);
        await _log.ReadAsync(default, 10, CancellationToken.None);
        await UntilAsync(() => _log.Status.JournalPending == 0);
    }

    [Fact]
    public async Task What_has_expired_is_owed_no_more_and_that_may_have_been_all()
    {
        await LoadAsync();
        var now = DateTimeOffset.FromUnixTimeSeconds(_journal.Clock.GetUtcNow().ToUnixTimeSeconds());
        _shared.Fault = new IOException("away");
        await _log.AppendAsync(
            new[] { Entry(1, now.AddSeconds(-1)), Entry(2, now), ScriptedJournal.Entry(3) }, CancellationToken.None);
        _shared.Fault = null;
        await _log.CompactAsync(now, CancellationToken.None);
        Assert.Equal(2, _log.Status.JournalPending);
        _log.Reconciled();
        Assert.Equal(0, _shared.Reconciliations);
        await _log.AppendAsync(new[] { Entry(3) }, CancellationToken.None);
    }

    [Fact]
    public async Task Whoever_forgets_the_last_that_was_owed_reports_once()
    {
        await LoadAsync();
        var now = _journal.Clock.GetUtcNow();
        _shared.Fault = new IOException("away");
        await _log.AppendAsync(new[] { Entry(1, now.AddSeconds(1)) }, CancellationToken.None);
        _log.Reconciled();
        Assert.Equal(0, _shared.Reconciliations);
        _shared.Fault = null;
        await _log.CompactAsync(now.AddSeconds(3), CancellationToken.None);
        Assert.Equal((1, 0), (_shared.Reconciliations, _log.Status.JournalPending));
        await _log.CompactAsync(now.AddSeconds(3), CancellationToken.None);
        Assert.Equal(1, _shared.Reconciliations);
    }

    private static LogEntry Entry(uint number, DateTimeOffset? expires = null) => ScriptedJournal.Entry(number, expires);

    private ValueTask<LogPosition> AppendAsync(uint number) =>
        _log.AppendAsync(new[] { Entry(number) }, CancellationToken.None);

    private async Task LoadAsync() => await _log.ReadAsync(default, 10, CancellationToken.None);

    /// <summary>So many entries that only the disk has.</summary>
    private async Task OweAsync(uint count)
    {
        await LoadAsync();
        _shared.Fault = new IOException("away");
        for (var number = 1U; number <= count; number++)
        {
            Assert.Equal(default, await AppendAsync(number));
        }
        _shared.Fault = null;
    }

    private Task UntilAsync(Func<bool> condition) => _journal.Clock.UntilAsync(condition, Rest);
}
