namespace Rescind.Tests;

/// <summary>Freshness, catch-up, faults and reconciliation.</summary>
public sealed class FeedFollowerTests
{
    private const string Issuer = TestWorld.Issuer;

    private static readonly TimeSpan Beat = TimeSpan.FromMilliseconds(250);

    [Fact]
    public async Task A_node_of_a_shared_log_says_unknown_once_its_lease_is_over()
    {
        var world = await TestWorld.LoadedAsync(shared: true);
        world.Clock.Advance(TimeSpan.FromSeconds(1));
        Assert.Equal(Verdict.Accepted, world.Blacklist.Check(world.Token()));
        world.Clock.Advance(TimeSpan.FromTicks(1));
        Assert.Equal(Verdict.Unknown, world.Blacklist.Check(world.Token()));
        Assert.False(world.Blacklist.GetStatus().Fresh);
    }

    [Fact]
    public async Task A_node_that_is_not_fresh_still_refuses_what_it_knows()
    {
        var world = await TestWorld.LoadedAsync(shared: true);
        await world.Blacklist.RevokeAsync(Revocation.OfToken(Issuer, "token-1"));
        world.Clock.Advance(TimeSpan.FromHours(1));
        Assert.Equal(Verdict.Revoked, world.Blacklist.Check(world.Token()));
    }

    [Fact]
    public async Task Wall_time_that_jumps_forward_ends_the_lease_early()
    {
        var world = await TestWorld.LoadedAsync(shared: true);
        world.Clock.StepWall(TimeSpan.FromSeconds(5));
        Assert.Equal(Verdict.Unknown, world.Blacklist.Check(world.Token()));
    }

    [Fact]
    public async Task The_lease_of_a_log_that_nobody_else_writes_never_ends()
    {
        var world = await TestWorld.LoadedAsync();
        world.Clock.Advance(TimeSpan.FromDays(1));
        Assert.Equal(Verdict.Accepted, world.Blacklist.Check(world.Token()));
    }

    [Fact]
    public async Task The_lease_counts_from_when_the_read_was_sent()
    {
        var world = new TestWorld(shared: true);
        var gate = new TaskCompletionSource();
        world.Log.Gate = gate.Task;
        var load = world.Blacklist.LoadAsync();
        world.Clock.Advance(TimeSpan.FromMilliseconds(900));
        gate.SetResult();
        await load;
        Assert.Equal(Verdict.Accepted, world.Blacklist.Check(world.Token()));
        world.Clock.Advance(TimeSpan.FromMilliseconds(101));
        Assert.Equal(Verdict.Unknown, world.Blacklist.Check(world.Token()));
    }

    [Fact]
    public async Task Only_a_read_that_reached_the_tail_makes_a_node_fresh()
    {
        var world = new TestWorld(shared: true);
        world.Log.Twist = batch => batch with { AtTail = false };
        await world.Blacklist.Feed.StepAsync(CancellationToken.None);
        Assert.Equal(Verdict.Unknown, world.Blacklist.Check(world.Token()));
        world.Log.Twist = null;
        await world.Blacklist.Feed.StepAsync(CancellationToken.None);
        Assert.Equal(Verdict.Accepted, world.Blacklist.Check(world.Token()));
    }

    [Fact]
    public async Task A_log_that_recovers_makes_nobody_fresh()
    {
        var world = new TestWorld(shared: true);
        world.Log.Twist = batch => batch with { GrantsLease = false };
        await world.Blacklist.Feed.StepAsync(CancellationToken.None);
        Assert.Equal(Verdict.Unknown, world.Blacklist.Check(world.Token()));
    }

    [Fact]
    public async Task A_stale_check_catches_up_and_learns_what_others_revoked()
    {
        var world = await TestWorld.LoadedAsync(shared: true);
        var elsewhere = world.NewNode();
        await elsewhere.LoadAsync();
        await elsewhere.RevokeAsync(Revocation.OfToken(Issuer, "token-1"));
        world.Clock.Advance(TimeSpan.FromSeconds(2));

        Assert.Equal(Verdict.Revoked, await world.Blacklist.CheckAsync(world.Token()));
        Assert.Equal(Verdict.Accepted, await world.Blacklist.CheckAsync(world.Token("token-2")));
        Assert.Equal(1, world.Blacklist.GetStatus().CatchUps);
    }

    [Fact]
    public async Task Stale_checks_share_one_read()
    {
        var world = await TestWorld.LoadedAsync(shared: true);
        world.Clock.Advance(TimeSpan.FromSeconds(2));
        var gate = new TaskCompletionSource();
        world.Log.Gate = gate.Task;
        var reads = world.Log.Reads;
        var checks = Enumerable.Range(0, 100)
            .Select(_ => world.Blacklist.CheckAsync(world.Token()).AsTask()).ToList();
        gate.SetResult();
        Assert.All(await Task.WhenAll(checks), verdict => Assert.Equal(Verdict.Accepted, verdict));
        Assert.Equal(reads + 1, world.Log.Reads);
    }

    [Fact]
    public async Task A_log_that_hangs_costs_one_wait_and_then_none_until_it_answers()
    {
        var world = await TestWorld.LoadedAsync(shared: true);
        world.Clock.Advance(TimeSpan.FromSeconds(2));
        var gate = new TaskCompletionSource();
        world.Log.Gate = gate.Task;

        var first = world.Blacklist.CheckAsync(world.Token()).AsTask();
        Assert.False(first.IsCompleted);
        world.Clock.Advance(TimeSpan.FromMilliseconds(50));
        Assert.Equal(Verdict.Unknown, await first);
        var second = world.Blacklist.CheckAsync(world.Token());
        Assert.True(second.IsCompletedSuccessfully);
        Assert.Equal(Verdict.Unknown, await second);

        gate.SetResult();
        await world.Blacklist.Feed.StepAsync(CancellationToken.None);
        world.Log.Gate = null;
        Assert.Equal(Verdict.Accepted, await world.Blacklist.CheckAsync(world.Token()));
    }

    [Fact]
    public async Task A_heartbeat_that_failed_spares_checks_their_wait()
    {
        var world = await TestWorld.LoadedAsync(shared: true);
        world.Log.Fault = new IOException("away");
        await Assert.ThrowsAsync<IOException>(() => world.Blacklist.Feed.StepAsync(CancellationToken.None));
        world.Clock.Advance(TimeSpan.FromSeconds(2));
        await Assert.ThrowsAsync<IOException>(() => world.Blacklist.Feed.StepAsync(CancellationToken.None));
        world.Log.Fault = null;
        world.Log.Gate = new TaskCompletionSource().Task;

        var check = world.Blacklist.CheckAsync(world.Token());

        Assert.True(check.IsCompletedSuccessfully);
        Assert.Equal(Verdict.Unknown, await check);
    }

    [Fact]
    public async Task A_log_that_fails_is_absorbed_and_shown()
    {
        var world = await TestWorld.LoadedAsync(shared: true);
        world.Clock.Advance(TimeSpan.FromSeconds(2));
        world.Log.Fault = new IOException("away");
        Assert.Equal(Verdict.Unknown, await world.Blacklist.CheckAsync(world.Token()));
        Assert.Equal("away", world.Blacklist.GetStatus().Fault);
        world.Log.Fault = null;
        await world.Blacklist.Feed.StepAsync(CancellationToken.None);
        Assert.Null(world.Blacklist.GetStatus().Fault);
    }

    [Fact]
    public async Task An_entry_that_does_not_fit_stops_the_feed()
    {
        var world = await TestWorld.LoadedAsync(shared: true);
        var misfit = new LogEntry { Id = new RevocationId(RuleKind.Token, 2, 1), ExpiresAt = world.Now.AddHours(1) };
        world.Log.Twist = batch => batch with { Entries = new[] { misfit } };
        await Assert.ThrowsAsync<InvalidDataException>(
            () => world.Blacklist.Feed.StepAsync(CancellationToken.None));
        world.Clock.Advance(TimeSpan.FromSeconds(2));
        Assert.Equal(Verdict.Unknown, world.Blacklist.Check(world.Token()));
        Assert.NotNull(world.Blacklist.GetStatus().Fault);
    }

    /// <summary>Announcements end each pause at once.</summary>
    [Fact]
    public async Task A_start_waits_eight_bounds_for_a_lease_however_much_is_announced()
    {
        var world = new TestWorld(shared: true);
        world.Log.Twist = batch => batch with { GrantsLease = false };
        world.Log.IsAnnouncing = true;
        var load = Task.Run(() => world.Blacklist.LoadAsync(CancellationToken.None).AsTask(), CancellationToken.None);
        await world.Clock.UntilAsync(() => world.Log.Reads > 100);
        Assert.False(load.IsCompleted);
        world.Clock.Advance(TimeSpan.FromSeconds(8));
        world.Log.Twist = null;
        await load;
        Assert.NotNull(world.Blacklist.Feed.Lease);

        // What the reading took does not count.
        var slow = new TestWorld(shared: true);
        var reads = 0;
        slow.Log.Twist = batch =>
        {
            slow.Clock.Advance(TimeSpan.FromSeconds(reads == 0 ? 60 : 0));
            return ++reads < 3 ? batch with { GrantsLease = false } : batch;
        };
        slow.Log.IsAnnouncing = true;
        await slow.Blacklist.LoadAsync(CancellationToken.None);
        Assert.Equal(3, reads);

        var other = new TestWorld(shared: true);
        other.Log.Twist = batch => batch with { GrantsLease = false };
        var begun = other.Now;
        var refused = other.Blacklist.LoadAsync(CancellationToken.None).AsTask();
        await other.Clock.UntilAsync(() => refused.IsCompleted, TimeSpan.FromMilliseconds(250));
        await Assert.ThrowsAsync<IOException>(() => refused);
        Assert.InRange(other.Now - begun, TimeSpan.FromSeconds(8), TimeSpan.FromMinutes(5));
    }

    [Fact]
    public async Task A_node_gives_back_what_a_replaced_log_has_lost()
    {
        var world = await TestWorld.LoadedAsync(shared: true);
        var kept = await world.Blacklist.RevokeAsync(Revocation.OfSubject(Issuer, "user-1"));
        await world.Blacklist.RevokeAsync(Revocation.OfToken(Issuer, "token-1"));
        var lifted = await world.Blacklist.RevokeAsync(Revocation.OfSession(Issuer, "session-of-user-2"));
        var ended = world.Blacklist.Index.EntryOf(lifted.Id)!.Value;
        await world.Blacklist.LiftAsync([lifted.Id], "restored", "admin");
        await world.Blacklist.Feed.StepAsync(CancellationToken.None);

        // A new log that has grown to the same length with other entries.
        var other = new MemoryLog(world.Clock);
        var stranger = new Blacklist(world.Options, other, clock: world.Clock);
        for (var i = 0; i < 4; i++)
        {
            await stranger.RevokeAsync(Revocation.OfToken(Issuer, "stranger-" + i));
        }
        world.Log.Inner = other;
        await world.Blacklist.Feed.StepAsync(CancellationToken.None);
        Assert.Equal(Verdict.Unknown, world.Blacklist.Check(world.Token("token-3", "user-3")));
        await world.Blacklist.Feed.StepAsync(CancellationToken.None);
        Assert.Equal(Verdict.Accepted, world.Blacklist.Check(world.Token("token-3", "user-3")));

        var fresh = world.NewNode();
        await fresh.LoadAsync();
        Assert.Equal([kept.Id], fresh.Find(RuleKind.Subject, Issuer, "user-1"));
        Assert.Equal(Verdict.Revoked, fresh.Check(world.Token("token-1", "user-9")));
        Assert.Equal(Verdict.Revoked, fresh.Check(world.Token("stranger-0", "user-9")));
        Assert.Equal(Verdict.Revoked, world.Blacklist.Check(world.Token("stranger-3", "user-9")));
        Assert.Equal(Verdict.Accepted, fresh.Check(world.Token("token-2", "user-2")));
        await other.AppendAsync(new[] { ended }, CancellationToken.None);
        await fresh.LoadAsync();
        Assert.Equal(Verdict.Accepted, fresh.Check(world.Token("token-2", "user-2")));
    }

    /// <summary>It may have been lifted since, and the lift forgotten like it.</summary>
    [Fact]
    public async Task A_node_that_was_away_does_not_give_back_what_has_expired()
    {
        var world = await TestWorld.LoadedAsync(shared: true);
        await world.Blacklist.RevokeAsync(Revocation.OfSession(Issuer, "session-of-user-1"));
        var kept = await world.Blacklist.RevokeAsync(Revocation.OfKey(Issuer, "key-9"));
        await world.Blacklist.Feed.StepAsync(CancellationToken.None);
        world.Clock.Advance(TimeSpan.FromDays(9));
        world.Log.Inner = new MemoryLog(world.Clock);
        await world.Blacklist.Feed.StepAsync(CancellationToken.None);
        var given = await world.Log.ReadAsync(default, 10, CancellationToken.None);
        Assert.Equal([kept.Id], given.Entries.ToArray().Select(entry => entry.Id));
    }

    /// <summary>The others have been told that this process is gone, and wait for it no longer.</summary>
    [Fact]
    public async Task A_check_that_comes_after_the_end_gets_no_lease()
    {
        var world = await TestWorld.LoadedAsync(shared: true);
        await world.Blacklist.RunAsync(new CancellationToken(canceled: true));
        Assert.Equal(Verdict.Unknown, await world.Blacklist.CheckAsync(world.Token(), CancellationToken.None));
        await world.Blacklist.Feed.StepAsync(CancellationToken.None);
        Assert.Equal(Verdict.Unknown, world.Blacklist.Check(world.Token()));

        // Who loads once more has come back.
        await world.Blacklist.LoadAsync(TestContext.Current.CancellationToken);
        Assert.Equal(Verdict.Accepted, world.Blacklist.Check(world.Token()));
    }

    [Fact]
    public async Task The_loop_follows_survives_faults_and_ends_when_cancelled()
    {
        var world = new TestWorld(shared: true);
        using var stop = new CancellationTokenSource();
        var loop = world.Blacklist.RunAsync(stop.Token);
        Assert.True(world.Blacklist.GetStatus().Loaded);

        world.Log.Fault = new TimeoutException("not an IOException, absorbed all the same");
        await world.Clock.UntilAsync(() => world.Blacklist.GetStatus().Fault is not null, Beat);
        world.Log.Fault = null;
        await world.Clock.UntilAsync(() => world.Blacklist.GetStatus() is { Fault: null, Fresh: true }, Beat);

        var elsewhere = world.NewNode();
        await elsewhere.LoadAsync();
        await elsewhere.RevokeAsync(Revocation.OfToken(Issuer, "token-1"));
        await world.Clock.UntilAsync(() => world.Blacklist.Check(world.Token()) == Verdict.Revoked, Beat);
        await stop.CancelAsync();
        await loop.WaitAsync(TimeSpan.FromSeconds(10));
        Assert.Equal(Verdict.Unknown, world.Blacklist.Check(world.Token("token-2")));
    }

    [Fact]
    public async Task The_loop_forgets_what_has_expired()
    {
        var world = await TestWorld.LoadedAsync();
        await world.Blacklist.RevokeAsync(
            [.. Enumerable.Range(0, 1000).Select(i => Revocation.OfToken(Issuer, "t" + i, world.Now.AddMinutes(1)))]);
        using var stop = new CancellationTokenSource();
        var loop = world.Blacklist.RunAsync(stop.Token);
        world.Clock.Advance(TimeSpan.FromHours(1));
        await world.Clock.UntilAsync(() => world.Blacklist.GetStatus().Rules[RuleKind.Token] == 0, Beat);
        await stop.CancelAsync();
        await loop.WaitAsync(TimeSpan.FromSeconds(10));
    }

    [Theory]
    [InlineData(-3, true)]
    [InlineData(-2, false)]
    [InlineData(2, false)]
    [InlineData(3, true)]
    public async Task A_node_whose_clock_is_off_the_logs_issues_nothing(int ahead, bool isOff)
    {
        var world = new TestWorld(shared: true);
        world.Log.Twist = batch => batch with { Time = batch.Time.AddSeconds(-ahead) };
        await world.Blacklist.LoadAsync(TestContext.Current.CancellationToken);
        Assert.Equal(TimeSpan.FromSeconds(ahead), world.Blacklist.GetStatus().ClockAhead);
        Assert.Equal(isOff, world.Blacklist.EarliestIssueTime(world.Token()) == DateTimeOffset.MaxValue);
    }

    [Fact]
    public async Task A_clock_that_was_set_forward_a_moment_ago_issues_nothing_that_a_cutoff_would_miss()
    {
        var alone = await TestWorld.LoadedAsync();
        alone.Clock.StepWall(TimeSpan.FromHours(1));
        var issued = alone.Token();
        await alone.Blacklist.RevokeAsync(Revocation.OfSubject(Issuer, issued.Subject!));
        Assert.Equal(Verdict.Revoked, alone.Blacklist.Check(issued));

        var fleet = await TestWorld.LoadedAsync(shared: true);
        fleet.Clock.StepWall(TimeSpan.FromHours(1));
        Assert.Equal(DateTimeOffset.MaxValue, fleet.Blacklist.EarliestIssueTime(fleet.Token()));
    }

    [Fact]
    public async Task The_time_that_a_read_takes_is_no_difference_of_clocks()
    {
        var world = new TestWorld(shared: true);
        world.Log.Twist = batch =>
        {
            world.Clock.Advance(TimeSpan.FromSeconds(10));
            return batch with { Time = world.Now.AddSeconds(-5) };
        };
        await world.Blacklist.LoadAsync(TestContext.Current.CancellationToken);
        Assert.Equal(TimeSpan.Zero, world.Blacklist.GetStatus().ClockAhead);
    }
}
