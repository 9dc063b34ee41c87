using Rescind.Tests.Redis;

namespace Rescind.Tests;

/// <summary>When a node with a journal says that it has given everything back: a recovery closes by that word, so it must
/// not come too early.</summary>
public sealed class GiveBackTests : IDisposable
{
    private readonly TestFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public async Task A_replay_that_ends_after_a_second_loss_does_not_say_that_all_is_given_back()
    {
        var (shared, silence) = (new ForgetfulLog(), new TaskCompletionSource());
        await using var store = SqliteStore.KeepLocally(_folder.PathOf("a.db"), shared, KeptNode.Options());
        var log = store.Log;
        await ReadAsync(log);
        await ReadAsync(log);
        shared.Fault = new IOException("away");
        Assert.Equal(default, await log.AppendAsync(new[] { Entry() }, CancellationToken.None));

        (shared.Fault, shared.AppendGate, shared.IsLost) = (null, silence.Task, true);
        Assert.False((await ReadAsync(log)).Found);
        Assert.True((await ReadAsync(log)).Found);
        log.Reconciled();
        Assert.Equal(0, shared.Reconciliations); // something is owed yet

        shared.IsLost = true;
        Assert.False((await ReadAsync(log)).Found);
        silence.SetResult();
        await Eventually.TrueAsync(() => log.Status.JournalPending == 0, "nothing is owed");
        await Task.Delay(50);
        Assert.Equal(0, shared.Reconciliations); // the second loss is not read over yet
        Assert.True((await ReadAsync(log)).Found);
        log.Reconciled();
        Assert.Equal(1, shared.Reconciliations);
    }

    /// <summary>Found by the model: a process died after its append was answered and before a read brought it; the next one
    /// found its position in a log that was rolled back, and reported while it was still replaying.</summary>
    [Fact]
    public async Task A_process_that_finds_entries_on_its_disk_owes_them_until_they_are_replayed()
    {
        var (shared, silence) = (new ForgetfulLog(), new TaskCompletionSource());
        await using (var first = SqliteStore.KeepLocally(_folder.PathOf("a.db"), shared, KeptNode.Options()))
        {
            await ReadAsync(first.Log);
            Assert.False(shared.IsOwed);
            Assert.NotEqual(default, await first.Log.AppendAsync(new[] { Entry() }, CancellationToken.None));
        }
        shared.AppendGate = silence.Task;
        shared.RollBack();
        await using var second = SqliteStore.KeepLocally(_folder.PathOf("a.db"), shared, KeptNode.Options());
        await ReadAsync(second.Log);
        Assert.True(shared.IsOwed);
        await ReadAsync(second.Log);
        Assert.True(shared.IsOwed);
        silence.SetResult();
        await Eventually.TrueAsync(() => !shared.IsOwed, "it is replayed");
        Assert.Equal(0, second.Log.Status.JournalPending);
    }

    /// <summary>An append whose answer was lost is in the log all the same.</summary>
    [Theory]
    [InlineData(true, 0)]
    [InlineData(false, 1)]
    public async Task What_a_confirmed_read_brings_is_owed_no_more(bool isConfirmed, int owed)
    {
        var log = new UnreliableLog(new MemoryLog(TimeProvider.System), shared: true);
        await using var store = SqliteStore.KeepLocally(_folder.PathOf("a.db"), log, KeptNode.Options());
        await ReadAsync(store.Log);
        log.Fault = new IOException("away");
        await store.Log.AppendAsync(new[] { Entry() }, CancellationToken.None);
        Assert.Equal(1, store.Log.Status.JournalPending);
        log.Fault = null;
        await log.AppendAsync(new[] { Entry() }, CancellationToken.None);
        log.Twist = batch => batch with { IsConfirmed = isConfirmed };
        await ReadAsync(store.Log);
        Assert.Equal(owed, store.Log.Status.JournalPending);
    }

    [Fact]
    public async Task A_node_that_the_fleet_refuses_keeps_its_revocations_on_its_disk()
    {
        var log = new UnreliableLog(new MemoryLog(TimeProvider.System), shared: true);
        await using var node = await KeptNode.StartAsync(_folder.PathOf("a.db"), log);
        log.Fault = new InvalidOperationException("The nodes on this log run with other settings.");
        var receipt = await node.Blacklist.RevokeAsync(Revocation.OfToken(TestWorld.Issuer, "t"));
        Assert.Equal(ReceiptState.Journaled, receipt.State);
        log.Fault = null;
        await Eventually.TrueAsync(() => node.Status.Log.JournalPending == 0, "the log takes it later");
    }

    private static ValueTask<LogBatch> ReadAsync(IRevocationLog log) => log.ReadAsync(default, 10, CancellationToken.None);

    private static LogEntry Entry() => new()
    {
        Id = new RevocationId(RuleKind.Token, TokenKey.Of(RuleKind.Token, TestWorld.Issuer, "t"), 1),
        ExpiresAt = DateTimeOffset.UtcNow.AddHours(1),
    };

    /// <summary>A shared log that is lost when told to, and counts who has given back.</summary>
    private sealed class ForgetfulLog : IRevocationLog
    {
        private MemoryLog _inner = new(TimeProvider.System);

        public bool IsShared => true;

        public bool IsLost { get; set; }

        public Exception? Fault { get; set; }

        public Task AppendGate { get; set; } = Task.CompletedTask;

        public int Reconciliations { get; private set; }

        public bool IsOwed { get; private set; }

        /// <summary>To its beginning, which is found.</summary>
        public void RollBack() => _inner = new MemoryLog(TimeProvider.System);

        public async ValueTask<LogPosition> AppendAsync(ReadOnlyMemory<LogEntry> batch, CancellationToken cancel)
        {
            if (Fault is { } fault)
            {
                throw fault;
            }
            await AppendGate;
            return await _inner.AppendAsync(batch, cancel);
        }

        public async ValueTask<LogBatch> ReadAsync(LogPosition after, int max, CancellationToken cancel)
        {
            if (IsLost)
            {
                (IsLost, _inner) = (false, new MemoryLog(TimeProvider.System));
                return new LogBatch
                {
                    Entries = Array.Empty<LogEntry>(), Position = after, AtTail = false, Found = false,
                    Time = DateTimeOffset.UtcNow, Horizon = DateTimeOffset.UnixEpoch,
                };
            }
            return await _inner.ReadAsync(after, max, cancel);
        }

        public ValueTask WaitAsync(LogPosition after, CancellationToken cancel) => ValueTask.CompletedTask;

        public void Reconciled() => Reconciliations++;

        public void Owes(bool owes) => IsOwed = owes;

        public ValueTask<CompactionResult> CompactAsync(DateTimeOffset now, CancellationToken cancel) =>
            _inner.CompactAsync(now, cancel);
    }
}
