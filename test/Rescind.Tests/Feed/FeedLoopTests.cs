namespace Rescind.Tests;

/// <summary>When the follower reads, when it rests, what it says of faults, and how it reads a log over.</summary>
public sealed class FeedLoopTests
{
    private const string Issuer = TestWorld.Issuer;

    /// <summary>A quarter of the freshness bound.</summary>
    private static readonly TimeSpan Beat = TimeSpan.FromMilliseconds(250);

    private static readonly TimeSpan Tick = TimeSpan.FromTicks(1);

    [Fact]
    public async Task A_load_rests_between_reads_while_the_log_recovers()
    {
        var world = new TestWorld(shared: true);
        world.Log.Twist = batch => batch with { GrantsLease = false };
        var load = world.Blacklist.LoadAsync(TestContext.Current.CancellationToken).AsTask();
        Assert.Equal(1, world.Log.Reads);
        world.Clock.Advance(Beat - Tick);
        Assert.Equal(1, world.Log.Reads);
        world.Clock.Advance(Tick);
        await world.Clock.UntilAsync(() => world.Log.Reads == 2);
        world.Log.Twist = null;
        await world.Clock.UntilAsync(() => load.IsCompleted, Beat);
        await load;
        Assert.Equal(3, world.Log.Reads);
        Assert.True(world.Blacklist.GetStatus().Fresh);
    }

    /// <summary>Half its servers are gone, or it recovers and is full: a node must start all the same.</summary>
    [Fact]
    public async Task A_load_ends_when_the_log_answers_and_grants_no_lease()
    {
        var world = new TestWorld(shared: true);
        world.Log.Twist = batch => batch with { GrantsLease = false };
        var load = world.Blacklist.LoadAsync(TestContext.Current.CancellationToken).AsTask();
        await world.Clock.UntilAsync(() => load.IsCompleted, Beat);
        await Assert.ThrowsAsync<IOException>(() => load);
        Assert.InRange(world.Log.Reads, 33, 34);
    }

    [Theory]
    [InlineData(false, false, false)]
    [InlineData(true, false, true)]
    [InlineData(true, true, false)]
    public void A_node_is_loaded_by_its_disk_alone_where_the_unknown_is_accepted(
        bool isOnDisk, bool refusesUnknown, bool isLoaded)
    {
        var world = new TestWorld(options => options.RefuseWhenUnknown = refusesUnknown, shared: true);
        world.Log.Status = world.Log.Status with { JournalLoaded = isOnDisk };
        Assert.Equal(isLoaded, world.Blacklist.GetStatus().Loaded);
    }

    [Fact]
    public async Task A_load_reads_page_after_page_without_a_rest()
    {
        var world = new TestWorld(shared: true);
        var pages = 3;
        world.Log.Twist = batch => --pages > 0 ? batch with { AtTail = false, GrantsLease = false } : batch;
        await world.Blacklist.LoadAsync(TestContext.Current.CancellationToken).AsTask()
            .WaitAsync(TimeSpan.FromSeconds(20), TestContext.Current.CancellationToken);
        Assert.Equal(3, world.Log.Reads);
    }

    [Fact]
    public async Task The_loop_rests_at_the_tail_and_not_before()
    {
        var world = await TestWorld.LoadedAsync(shared: true);
        var behind = 3;
        world.Log.Twist = batch => batch with { AtTail = behind-- <= 0 };
        await using var loop = new Loop(world);
        Assert.Equal(4, loop.Reads);
        world.Clock.Advance(Beat - Tick);
        Assert.Equal(4, loop.Reads);
        world.Clock.Advance(Tick);
        await world.Clock.UntilAsync(() => loop.Reads == 5);
    }

    [Fact]
    public async Task The_loop_rests_after_a_fault()
    {
        var world = await TestWorld.LoadedAsync(shared: true);
        world.Log.Fault = new IOException("away");
        await using var loop = new Loop(world);
        Assert.Equal(1, loop.Reads);
        world.Clock.Advance(Beat - Tick);
        Assert.Equal(1, loop.Reads);
        world.Clock.Advance(Tick);
        await world.Clock.UntilAsync(() => loop.Reads == 2);
    }

    [Fact]
    public async Task The_loop_forgets_a_64th_at_a_time()
    {
        var world = await TestWorld.LoadedAsync();
        await world.Blacklist.RevokeAsync(
            [.. Enumerable.Range(0, 1000).Select(i => Revocation.OfToken(Issuer, "t" + i, world.Now.AddMinutes(1)))],
            TestContext.Current.CancellationToken);
        await world.Blacklist.RevokeAsync(
            Revocation.OfSession(Issuer, "s") with { ExpiresAt = world.Now.AddMinutes(1) },
            TestContext.Current.CancellationToken);
        world.Clock.Advance(TimeSpan.FromDays(400));
        await using (var loop = new Loop(world))
        {
            Assert.InRange(Left(), 900, 1000);
            await world.Clock.UntilAsync(() => Left() == 0, Beat);
            Assert.InRange(loop.Reads, 64, 66);
        }

        long Left() => world.Blacklist.GetStatus().Rules.Values.Sum();
    }

    [Fact]
    public async Task Whoever_stops_lets_go_of_a_lease_of_a_shared_log_alone()
    {
        foreach (var isShared in new[] { true, false })
        {
            var world = await TestWorld.LoadedAsync(shared: isShared);
            await using (new Loop(world))
            {
                Assert.Equal(Verdict.Accepted, world.Blacklist.Check(world.Token()));
            }
            Assert.Equal(isShared ? Verdict.Unknown : Verdict.Accepted, world.Blacklist.Check(world.Token()));
        }
    }

    [Fact]
    public async Task A_fault_is_logged_once_and_so_is_its_end()
    {
        var world = await TestWorld.LoadedAsync(shared: true);
        for (var outage = 1; outage <= 2; outage++)
        {
            Assert.Equal(outage, world.Lines.Of(1000).Count);
            await StepAsync(world);
            Assert.Equal(outage, world.Lines.Of(1000).Count);
            world.Log.Fault = new IOException("away");
            await Assert.ThrowsAsync<IOException>(() => StepAsync(world));
            Assert.Equal(outage, world.Lines.Of(1001).Count);
            await Assert.ThrowsAsync<IOException>(() => StepAsync(world));
            Assert.Equal(outage, world.Lines.Of(1001).Count);
            world.Log.Fault = null;
            await StepAsync(world);
        }
        Assert.EndsWith("away", world.Lines.Of(1001)[0], StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_read_that_is_given_up_is_no_fault()
    {
        var world = await TestWorld.LoadedAsync(shared: true);
        using var stop = new CancellationTokenSource();
        world.Log.Twist = batch => throw new OperationCanceledException(stop.Token);
        await stop.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => world.Blacklist.Feed.StepAsync(stop.Token));
        Assert.Null(world.Blacklist.GetStatus().Fault);
        Assert.Empty(world.Lines.Of(1001));
    }

    [Fact]
    public async Task Checks_wait_again_a_bound_after_the_fault()
    {
        var world = await TestWorld.LoadedAsync(shared: true);
        world.Clock.Advance(TimeSpan.FromSeconds(2));
        world.Log.Fault = new IOException("away");
        await Assert.ThrowsAsync<IOException>(() => StepAsync(world));
        world.Log.Fault = null;
        world.Log.Gate = new TaskCompletionSource().Task;
        world.Clock.Advance(world.Options.Freshness - Tick);
        var early = world.Blacklist.CheckAsync(world.Token(), TestContext.Current.CancellationToken).AsTask();
        Assert.True(early.IsCompletedSuccessfully);
        world.Clock.Advance(Tick);
        var check = world.Blacklist.CheckAsync(world.Token(), TestContext.Current.CancellationToken).AsTask();
        Assert.False(check.IsCompleted);
        world.Clock.Advance(world.Options.CatchUpTimeout);
        Assert.Equal(Verdict.Unknown, await check);
    }

    [Fact]
    public async Task Checks_wait_again_once_a_read_has_succeeded()
    {
        var world = await TestWorld.LoadedAsync(shared: true);
        world.Log.Fault = new IOException("away");
        await Assert.ThrowsAsync<IOException>(() => StepAsync(world));
        world.Log.Fault = null;
        await StepAsync(world);
        world.Clock.StepWall(TimeSpan.FromSeconds(5));
        var reads = world.Log.Reads;
        Assert.Equal(
            Verdict.Accepted, await world.Blacklist.CheckAsync(world.Token(), TestContext.Current.CancellationToken));
        Assert.Equal(reads + 1, world.Log.Reads);
    }

    [Fact]
    public async Task What_is_announced_counts_before_it_is_read()
    {
        var world = await TestWorld.LoadedAsync(shared: true);
        var receipt = await world.Blacklist.RevokeAsync(
            Revocation.OfToken(Issuer, "token-1"), TestContext.Current.CancellationToken);
        var other = new TestWorld(shared: true);
        await other.Blacklist.LoadAsync(TestContext.Current.CancellationToken);
        other.Log.Listener!(new[]
        {
            new LogEntry { Id = receipt.Id, ExpiresAt = world.Now.AddHours(1) },
        });
        Assert.Equal(Verdict.Revoked, other.Blacklist.Check(other.Token()));
        Assert.Equal(1, other.Log.Reads);
    }

    [Fact]
    public async Task A_caller_that_gives_up_takes_the_wait_from_nobody()
    {
        var world = await TestWorld.LoadedAsync(shared: true);
        world.Clock.Advance(TimeSpan.FromSeconds(2));
        var gate = new TaskCompletionSource();
        world.Log.Gate = gate.Task;
        using var impatient = new CancellationTokenSource();
        var check = world.Blacklist.CheckAsync(world.Token(), impatient.Token).AsTask();
        await impatient.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => check);
        var next = world.Blacklist.CheckAsync(world.Token(), TestContext.Current.CancellationToken).AsTask();
        Assert.False(next.IsCompleted);
        gate.SetResult();
        Assert.Equal(Verdict.Accepted, await next);
    }

    [Theory]
    [InlineData(true, 2)]
    [InlineData(false, 0)]
    public async Task A_cutoff_on_a_shared_log_is_made_after_two_more_reads(bool isShared, int more)
    {
        var world = await TestWorld.LoadedAsync(shared: isShared);
        var token = await ReadsAsync(Revocation.OfToken(Issuer, "token-1"));
        Assert.Equal(token + more, await ReadsAsync(Revocation.OfSubject(Issuer, "user-1")));

        async Task<int> ReadsAsync(Revocation revocation)
        {
            var before = world.Log.Reads;
            await world.Blacklist.RevokeAsync(revocation, TestContext.Current.CancellationToken);
            return world.Log.Reads - before;
        }
    }

    [Fact]
    public async Task A_log_that_is_replaced_while_it_is_read_over_is_read_over_again()
    {
        var world = await TestWorld.LoadedAsync(shared: true);
        world.Log.Twist = batch => batch with { Found = false };
        var fault = await Assert.ThrowsAsync<IOException>(() => StepAsync(world));
        Assert.Equal(fault.Message, world.Blacklist.GetStatus().Fault);
        Assert.Equal(Verdict.Unknown, world.Blacklist.Check(world.Token()));
        Assert.Equal(0, world.Log.Reconciliations);
        Assert.Single(world.Lines.Of(1004));
        Assert.Empty(world.Lines.Of(1005));

        world.Log.Twist = batch => batch with { Horizon = world.Now.AddMinutes(1) };
        var reads = world.Log.Reads;
        await StepAsync(world);
        Assert.Equal(reads + 1, world.Log.Reads);
        Assert.Equal(1, world.Log.Reconciliations);
        Assert.Equal(
            ["Reconciled with the log: 0 entries found, 0 given back that it had lost"], world.Lines.Of(1005));
        Assert.Equal(world.Now.AddMinutes(1).ToUnixTimeSeconds(), world.Blacklist.Index.Horizon);
        Assert.False(world.Blacklist.GetStatus().Fresh);
        await StepAsync(world);
        Assert.True(world.Blacklist.GetStatus().Fresh);
        Assert.Equal(1, world.Log.Reconciliations);
    }

    /// <summary>A node that looks through ten million entries for the few that a log lacks was silent for fourteen seconds,
    /// was given up, and the recovery closed without them.</summary>
    [Fact]
    public async Task Whoever_looks_for_what_a_log_lacks_reads_on_meanwhile()
    {
        var world = await TestWorld.LoadedAsync(shared: true);
        await world.Blacklist.RevokeAsync(
            [.. Enumerable.Range(0, 5000).Select(i => Revocation.OfToken(Issuer, "t" + i))],
            TestContext.Current.CancellationToken);
        await StepAsync(world);
        world.Log.Inner = new MemoryLog(world.Clock);
        var (reads, longest, last) = (0, TimeSpan.Zero, (DateTimeOffset?)null);
        world.Log.Twist = batch =>
        {
            var now = world.Clock.GetUtcNow();
            longest = now - last is { } passed && passed > longest ? passed : longest;
            (reads, last) = (reads + 1, now);
            return batch;
        };
        world.Clock.AutoAdvanceAmount = TimeSpan.FromMilliseconds(10); // each time that somebody looks at it
        await StepAsync(world);
        Assert.InRange(longest, TimeSpan.FromMilliseconds(1), world.Options.Freshness / 2);
        Assert.InRange(reads, 10, 1000);
        Assert.Equal(1, world.Log.Reconciliations);
    }

    /// <summary>What has expired is not given back, as its lift may be forgotten; the tokens must not revive elsewhere.</summary>
    [Fact]
    public async Task What_was_forgotten_is_told_to_the_log()
    {
        var world = await TestWorld.LoadedAsync(shared: true);
        var ends = world.Now.AddMinutes(1);
        await world.Blacklist.RevokeAsync(
            [Revocation.OfToken(Issuer, "short", ends), Revocation.OfToken(Issuer, "long", world.Now.AddDays(1))],
            TestContext.Current.CancellationToken);
        world.Clock.Advance(TimeSpan.FromMinutes(10));
        await StepAsync(world);
        Assert.Empty(world.Log.Horizons); // the log drops it itself
        world.Log.Inner = new MemoryLog(world.Clock);
        await StepAsync(world);
        Assert.Equal([ends], world.Log.Horizons);
        Assert.Equal(1, world.Log.Reconciliations);
        Assert.Equal(1, world.Blacklist.GetStatus().Rules[RuleKind.Token]);
    }

    [Fact]
    public async Task A_long_log_is_read_over_to_its_end_and_gets_back_what_it_lacks_in_batches()
    {
        var world = await TestWorld.LoadedAsync(options => options.LargestBatch = 2, shared: true);
        for (var i = 0; i < 5; i++)
        {
            await world.Blacklist.RevokeAsync(
                Revocation.OfSubject(Issuer, "lost-" + i), TestContext.Current.CancellationToken);
        }
        await StepAsync(world);

        var other = new MemoryLog(world.Clock);
        var stranger = new Blacklist(new BlacklistOptions(), other, clock: world.Clock);
        await stranger.RevokeAsync(
            [.. Enumerable.Range(0, 5000).Select(i => Revocation.OfToken(Issuer, "found-" + i))],
            TestContext.Current.CancellationToken);
        (world.Log.Inner, world.Log.LargestAppend) = (other, 0);
        var appends = world.Log.Appends;
        await StepAsync(world);
        Assert.Equal((2, 3), (world.Log.LargestAppend, world.Log.Appends - appends));
        Assert.Equal(
            ["Reconciled with the log: 5000 entries found, 5 given back that it had lost"], world.Lines.Of(1005));
        Assert.Equal(5000, world.Blacklist.GetStatus().Rules[RuleKind.Token]);
        var fresh = world.NewNode();
        await fresh.LoadAsync(TestContext.Current.CancellationToken);
        Assert.Equal(5, fresh.GetStatus().Rules[RuleKind.Subject]);
    }

    private static Task StepAsync(TestWorld world) => world.Blacklist.Feed.StepAsync(CancellationToken.None);

    /// <summary>The loop of a world's node, until it is left.</summary>
    private sealed class Loop : IAsyncDisposable
    {
        private readonly CancellationTokenSource _stop = new();
        private readonly TestWorld _world;
        private readonly int _before;
        private readonly Task _run;

        public Loop(TestWorld world)
        {
            (_world, _before) = (world, world.Log.Reads);
            _run = world.Blacklist.RunAsync(_stop.Token);
        }

        public int Reads => _world.Log.Reads - _before;

        public async ValueTask DisposeAsync()
        {
            await _stop.CancelAsync();
            await _run.WaitAsync(TimeSpan.FromSeconds(20));
            _stop.Dispose();
        }
    }
}
