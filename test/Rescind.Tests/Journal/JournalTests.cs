using System.Diagnostics;
using Rescind.Tests.Redis;

namespace Rescind.Tests;

/// <summary>What a node keeps on its disk while the shared log is away, and that all of it arrives.</summary>
public sealed class JournalTests : IDisposable
{
    private const string Issuer = TestWorld.Issuer;

    private readonly TestFolder _folder = new();
    private readonly UnreliableLog _log = new(new MemoryLog(TimeProvider.System), shared: true);

    private string PathA => _folder.PathOf("a.db");

    private string PathB => _folder.PathOf("b.db");

    public void Dispose() => _folder.Dispose();

    [Fact]
    public async Task A_revocation_while_the_log_is_away_is_refused_here_at_once_and_everywhere_later()
    {
        await using var here = await KeptNode.StartAsync(PathA, _log);
        await using var there = await KeptNode.StartAsync(PathB, _log);
        _log.Fault = new IOException("away");
        for (var i = 0; i < 100; i++)
        {
            var receipt = await here.Blacklist.RevokeAsync(Revocation.OfToken(Issuer, $"t{i}"));
            Assert.Equal(ReceiptState.Journaled, receipt.State);
            Assert.Equal(default, receipt.Position);
            Assert.Equal(Verdict.Revoked, here.Blacklist.Check(Token($"t{i}")));
        }
        Assert.Equal(100, here.Status.Log.JournalPending);
        Assert.NotEqual(Verdict.Revoked, there.Blacklist.Check(Token("t0")));
        _log.Fault = null;
        await Eventually.TrueAsync(
            () => Enumerable.Range(0, 100).All(i => there.Blacklist.Check(Token($"t{i}")) == Verdict.Revoked),
            "the other node refuses all");
        await Eventually.TrueAsync(() => KeptNode.RowsOf(PathA) == (100, 0), "the copy has all, each once");
        Assert.Equal(0, here.Status.Log.JournalPending);
    }

    [Fact]
    public async Task What_was_journaled_survives_the_process_and_reaches_the_log()
    {
        string image;
        await using (var node = await KeptNode.StartAsync(PathA, _log))
        {
            await node.Blacklist.RevokeAsync(Revocation.OfToken(Issuer, "shared"));
            await Eventually.TrueAsync(() => KeptNode.RowsOf(PathA) == (1, 0), "it is copied");
            _log.Fault = new IOException("away");
            await node.Blacklist.RevokeAsync(Revocation.OfToken(Issuer, "journaled"));
            image = KeptNode.CrashImage(PathA);
        }
        await using var again = await KeptNode.StartAsync(image, _log);
        Assert.True(again.Status.Loaded);
        Assert.False(again.Status.Fresh);
        Assert.Equal(Verdict.Revoked, again.Blacklist.Check(Token("shared")));
        Assert.Equal(Verdict.Revoked, again.Blacklist.Check(Token("journaled")));
        Assert.Equal(Verdict.Unknown, again.Blacklist.Check(Token("other")));
        _log.Fault = null;
        await using var there = await KeptNode.StartAsync(PathB, _log);
        await Eventually.TrueAsync(
            () => there.Blacklist.Check(Token("journaled")) == Verdict.Revoked, "it arrives");
        Assert.Equal(Verdict.Accepted, await again.Blacklist.CheckAsync(Token("other")));
    }

    [Fact]
    public async Task A_log_that_says_nothing_costs_the_first_caller_its_wait_and_the_next_none()
    {
        var options = KeptNode.Options();
        options.JournalAfter = TimeSpan.FromSeconds(1);
        await using var node = await KeptNode.StartAsync(PathA, _log, options);
        var silence = new TaskCompletionSource();
        (_log.AppendGate, _log.Gate) = (silence.Task, silence.Task);
        var first = await node.Blacklist.RevokeAsync(Revocation.OfToken(Issuer, "first"));
        Assert.Equal(ReceiptState.Journaled, first.State);
        Assert.True(first.Elapsed >= TimeSpan.FromSeconds(0.9), $"{first.Elapsed}");
        var waited = 0;
        for (var i = 0; i < 10; i++)
        {
            var next = await node.Blacklist.RevokeAsync(Revocation.OfToken(Issuer, $"next{i}"));
            Assert.Equal(ReceiptState.Journaled, next.State);
            waited += next.Elapsed < TimeSpan.FromSeconds(0.9) ? 0 : 1;
        }
        Assert.InRange(waited, 0, 1); // where the machine stalls for a second
        (_log.AppendGate, _log.Gate) = (null, null);
        silence.SetResult();
        await Eventually.TrueAsync(() => KeptNode.RowsOf(PathA) is (>= 11, 0), "all of it is in the log");
        var later = await node.Blacklist.RevokeAsync(Revocation.OfToken(Issuer, "later"));
        Assert.Equal(ReceiptState.Everywhere, later.State);
    }

    [Fact]
    public async Task A_revocation_and_its_lift_that_were_both_journaled_arrive_as_lifted()
    {
        await using var here = await KeptNode.StartAsync(PathA, _log);
        await using var there = await KeptNode.StartAsync(PathB, _log);
        _log.Fault = new IOException("away");
        var mistake = await here.Blacklist.RevokeAsync(Revocation.OfToken(Issuer, "mistake"));
        await here.Blacklist.RevokeAsync(Revocation.OfToken(Issuer, "meant"));
        var lift = await here.Blacklist.LiftAsync([mistake.Id], "restored", "admin");
        Assert.Equal(ReceiptState.Journaled, lift!.State);
        _log.Fault = null;
        await Eventually.TrueAsync(
            () => there.Blacklist.Check(Token("meant")) == Verdict.Revoked, "the other node refuses");
        foreach (var node in new[] { there, here })
        {
            Assert.NotEqual(Verdict.Revoked, await node.Blacklist.CheckAsync(Token("mistake")));
            await Eventually.TrueAsync(
                async () => await node.Blacklist.CheckAsync(Token("mistake")) == Verdict.Accepted, "it is fresh");
        }
    }

    [Fact]
    public async Task A_log_that_comes_back_empty_gets_everything_and_the_copy_keeps_each_entry_once()
    {
        await using var node = await KeptNode.StartAsync(PathA, _log);
        for (var i = 0; i < 50; i++)
        {
            await node.Blacklist.RevokeAsync(Revocation.OfToken(Issuer, $"t{i}"));
        }
        await Eventually.TrueAsync(() => KeptNode.RowsOf(PathA) == (50, 0), "they are copied");
        _log.Fault = new IOException("away");
        await node.Blacklist.RevokeAsync(Revocation.OfToken(Issuer, "journaled"));
        _log.Inner = new MemoryLog(TimeProvider.System);
        _log.Fault = null;
        await Eventually.TrueAsync(() => node.Status is { Fresh: true, Log.JournalPending: 0 }, "all is given back");
        await Eventually.TrueAsync(() => KeptNode.RowsOf(PathA) == (51, 0), "the copy is the new log's");
        await using var there = await KeptNode.StartAsync(PathB, _log);
        Assert.Equal(51, there.Status.Rules[RuleKind.Token]);
    }

    [Fact]
    public async Task A_crash_before_everything_was_given_back_starts_over()
    {
        string image;
        await using (var node = await KeptNode.StartAsync(PathA, _log))
        {
            await node.Blacklist.RevokeAsync(Revocation.OfToken(Issuer, "held"));
            await Eventually.TrueAsync(() => KeptNode.RowsOf(PathA) == (1, 0), "it is copied");
            var silence = new TaskCompletionSource();
            var other = new MemoryLog(TimeProvider.System);
            await other.AppendAsync(new[] { Entry(1) }, default);
            (_log.Inner, _log.AppendGate) = (other, silence.Task);
            await Eventually.TrueAsync(() => KeptNode.RowsOf(PathA).Copied == 2, "the new log is read");
            image = KeptNode.CrashImage(PathA);
            _log.Inner = new MemoryLog(TimeProvider.System);
            await _log.Inner.AppendAsync((await other.ReadAsync(default, 10, default)).Entries, default);
            silence.SetResult();
        }
        (_log.AppendGate, _log.Inner) = (null, new MemoryLog(TimeProvider.System));
        await using var again = await KeptNode.StartAsync(image, _log);
        await Eventually.TrueAsync(() => again.Status is { Fresh: true, Log.JournalPending: 0 }, "it is fresh");
        await using var there = await KeptNode.StartAsync(PathB, _log);
        Assert.Equal(Verdict.Revoked, there.Blacklist.Check(Token("held")));
        Assert.Equal(2, there.Status.Rules[RuleKind.Token]);
    }

    [Fact]
    public async Task A_start_from_the_copy_reads_only_what_is_new()
    {
        await using (var node = await KeptNode.StartAsync(PathA, _log))
        {
            await node.Blacklist.RevokeAsync(Revocation.OfToken(Issuer, "old"));
            await Eventually.TrueAsync(() => KeptNode.RowsOf(PathA) == (1, 0), "it is copied");
        }
        await _log.AppendAsync(new[] { Entry(2) }, default);
        var brought = 0;
        _log.Twist = batch =>
        {
            brought += batch.Entries.Length;
            return batch;
        };
        await using var again = await KeptNode.StartAsync(PathA, _log);
        Assert.Equal(Verdict.Revoked, again.Blacklist.Check(Token("old")));
        Assert.Equal(2, again.Status.Rules[RuleKind.Token]);
        Assert.Equal(1, brought);
    }

    [Fact]
    public async Task The_file_of_a_single_node_is_given_to_the_shared_log_and_back()
    {
        await using (var single = SqliteStore.Open(PathA))
        {
            var alone = new Blacklist(null, single.Log, single.Records);
            await alone.LoadAsync();
            await alone.RevokeAsync(Revocation.OfToken(Issuer, "of-the-single-node"));
        }
        await using (await KeptNode.StartAsync(PathA, _log))
        {
            await using var there = await KeptNode.StartAsync(PathB, _log);
            await Eventually.TrueAsync(
                () => there.Blacklist.Check(Token("of-the-single-node")) == Verdict.Revoked, "it arrives");
            await Eventually.TrueAsync(() => KeptNode.RowsOf(PathA) == (1, 0), "the copy has it once");
            _log.Fault = new IOException("away");
        }
        await using (var node = await KeptNode.StartAsync(PathA, _log))
        {
            await node.Blacklist.RevokeAsync(Revocation.OfToken(Issuer, "journaled"));
        }
        await using (var single = SqliteStore.Open(PathA))
        {
            var alone = new Blacklist(null, single.Log, single.Records);
            await alone.LoadAsync();
            Assert.Equal(Verdict.Revoked, alone.Check(Token("of-the-single-node")));
            Assert.Equal(Verdict.Revoked, alone.Check(Token("journaled")));
        }
    }

    [Fact]
    public async Task A_disk_that_is_full_leaves_the_shared_log_and_says_so()
    {
        await using var node = await KeptNode.StartAsync(PathA, _log);
        await node.Store.LimitPagesAsync(1);
        var batch = Enumerable.Range(0, 5000)
            .Select(i => Revocation.OfToken(Issuer, $"t{i}")).ToArray();
        var receipt = await node.Blacklist.RevokeAsync(batch);
        Assert.Equal(ReceiptState.Everywhere, receipt.State);
        Assert.Contains("full", Assert.Single(node.Status.Log.Warnings), StringComparison.Ordinal);
        _log.Fault = new IOException("away");
        await Assert.ThrowsAsync<IOException>(async () => await node.Blacklist.RevokeAsync(batch));
        await node.Store.LimitPagesAsync(1_000_000);
        receipt = await node.Blacklist.RevokeAsync(batch);
        Assert.Equal(ReceiptState.Journaled, receipt.State);
        await Eventually.TrueAsync(() => node.Status.Log.Warnings.Count == 0, "the disk works again");
    }

    [Fact]
    public async Task A_disk_that_stays_full_does_not_hold_up_the_end()
    {
        var node = await KeptNode.StartAsync(PathA, _log);
        await node.Store.LimitPagesAsync(1);
        await node.Blacklist.RevokeAsync(
            [.. Enumerable.Range(0, 5000).Select(i => Revocation.OfToken(Issuer, $"t{i}"))]);
        await Eventually.TrueAsync(() => node.Status.Log.Warnings.Count == 1, "the disk is full");
        await node.DisposeAsync().AsTask().WaitAsync(TimeSpan.FromSeconds(20));
    }

    [Fact]
    public async Task A_second_process_on_the_same_file_is_refused()
    {
        await using var node = await KeptNode.StartAsync(PathA, _log);
        var refused = await Assert.ThrowsAsync<IOException>(() => KeptNode.StartAsync(PathA, _log));
        Assert.Contains("in use by another process", refused.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_node_that_must_refuse_the_unknown_is_not_ready_by_its_disk_alone()
    {
        _log.Fault = new IOException("away");
        var options = KeptNode.Options();
        options.RefuseWhenUnknown = true;
        await using var strict = await KeptNode.StartAsync(PathA, _log, options);
        await using var lenient = await KeptNode.StartAsync(PathB, _log);
        Assert.False(strict.Status.Loaded);
        Assert.True(lenient.Status.Loaded);
        _log.Fault = null;
        await Eventually.TrueAsync(() => strict.Status is { Loaded: true, Fresh: true }, "it is ready");
    }

    [Fact]
    public async Task What_expired_leaves_the_copy_and_the_journal()
    {
        await using var node = await KeptNode.StartAsync(PathA, _log);
        var soon = DateTimeOffset.UtcNow.AddMinutes(-5).AddSeconds(1); // and the clock skew of five minutes
        await node.Blacklist.RevokeAsync(Revocation.OfToken(Issuer, "copied", soon));
        await Eventually.TrueAsync(() => KeptNode.RowsOf(PathA) == (1, 0), "it is copied");
        _log.Fault = new IOException("away");
        await node.Blacklist.RevokeAsync(Revocation.OfToken(Issuer, "own", soon));
        Assert.Equal(1, KeptNode.RowsOf(PathA).Own);
        _log.Fault = null;
        await Eventually.TrueAsync(
            async () =>
            {
                await node.Blacklist.CompactAsync();
                return KeptNode.RowsOf(PathA) is (<= 1, 0); // the newest row always stays
            },
            "both are dropped");
    }

    private static LogEntry Entry(int number)
    {
        var key = TokenKey.Of(RuleKind.Token, Issuer, $"entry-{number}");
        return new LogEntry
        {
            Id = new RevocationId(RuleKind.Token, key, (uint)number),
            ExpiresAt = DateTimeOffset.UtcNow.AddHours(1),
        };
    }

    private static TokenFacts Token(string id) => new()
    {
        Issuer = Issuer, TokenId = id, Subject = "user", IssuedAt = DateTimeOffset.UtcNow,
        ExpiresAt = DateTimeOffset.UtcNow.AddMinutes(30),
    };
}
