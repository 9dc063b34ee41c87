namespace Rescind.Tests;

/// <summary>What a call reads, counts and remembers, and what it leaves alone.</summary>
public sealed class RevokingCostTests
{
    private const string Issuer = TestWorld.Issuer;

    [Fact]
    public async Task Only_a_rule_with_a_cutoff_reads_the_log_first_and_then_twice()
    {
        var world = await TestWorld.LoadedAsync(shared: true);
        Assert.Equal(0, await ReadsOfAsync(world, Revocation.OfToken(Issuer, "t"), Revocation.OfSession(Issuer, "s")));
        Assert.Equal(2, await ReadsOfAsync(world, Revocation.OfToken(Issuer, "t"), Revocation.OfSubject(Issuer, "u")));
    }

    [Fact]
    public async Task A_log_that_nobody_else_writes_is_not_read_first()
    {
        var world = await TestWorld.LoadedAsync();
        Assert.Equal(0, await ReadsOfAsync(world, Revocation.OfSubject(Issuer, "u")));
    }

    [Fact]
    public async Task What_is_known_to_be_revoked_is_refused_without_asking_the_log()
    {
        var world = await TestWorld.LoadedAsync(shared: true);
        await world.Blacklist.RevokeAsync(Revocation.OfToken(Issuer, "token-1"));
        world.Clock.Advance(TimeSpan.FromHours(1));
        var reads = world.Log.Reads;
        Assert.Equal(Verdict.Revoked, await world.Blacklist.CheckAsync(world.Token()));
        Assert.Equal(reads, world.Log.Reads);
    }

    [Fact]
    public async Task A_fresh_node_does_not_ask_the_log_about_a_token_that_it_doubts()
    {
        var world = await TestWorld.LoadedAsync(shared: true);
        var reads = world.Log.Reads;
        Assert.Equal(Verdict.Unknown, await world.Blacklist.CheckAsync(world.Token() with { ExpiresAt = null }));
        Assert.Equal(reads, world.Log.Reads);
    }

    [Fact]
    public async Task A_check_that_may_wait_is_counted_once()
    {
        var world = await TestWorld.LoadedAsync();
        await world.Blacklist.CheckAsync(world.Token());
        Assert.Equal(1, world.Blacklist.GetStatus().Checks);
        world = await TestWorld.LoadedAsync(shared: true);
        world.Clock.Advance(TimeSpan.FromHours(1));
        await world.Blacklist.CheckAsync(world.Token());
        Assert.Equal(1, world.Blacklist.GetStatus().Checks);
    }

    [Fact]
    public async Task A_call_that_was_given_up_before_it_began_writes_nothing()
    {
        var world = await TestWorld.LoadedAsync();
        var id = (await world.Blacklist.RevokeAsync(Revocation.OfToken(Issuer, "token-1"))).Id;
        var over = new CancellationToken(canceled: true);
        await Assert.ThrowsAsync<OperationCanceledException>(
            async () => await world.Blacklist.RevokeAsync(Revocation.OfToken(Issuer, "token-2"), over));
        await Assert.ThrowsAsync<OperationCanceledException>(
            async () => await world.Blacklist.LiftAsync([id], "restored", "admin", over));
        Assert.Equal(Verdict.Revoked, world.Blacklist.Check(world.Token("token-1")));
        Assert.Equal(Verdict.Accepted, world.Blacklist.Check(world.Token("token-2")));
    }

    [Theory]
    [InlineData(0, 0)]
    [InlineData(3_600, 3_600)]
    [InlineData(-3_600, 0)]
    public async Task A_revocation_lives_by_the_later_of_this_nodes_clock_and_the_logs(int wallStep, int later)
    {
        var world = await TestWorld.LoadedAsync(shared: true);
        var expected = world.Now + world.Options.LongestTokenLifetime + Revoking.LongestUnheard
            + (world.Options.Freshness * 2) + (world.Options.IssuerClockDifference * 2) + Revoking.FurthestStep + TimeSpan.FromSeconds(later);
        world.Clock.StepWall(TimeSpan.FromSeconds(wallStep));
        var id = (await world.Blacklist.RevokeAsync(Revocation.OfSession(Issuer, "s"))).Id;
        Assert.Equal(expected.ToUnixTimeSeconds(), world.Blacklist.Index.EntryOf(id)!.Value.Expiry);
    }

    [Fact]
    public async Task The_lag_is_the_age_of_what_a_shared_log_said()
    {
        var world = await TestWorld.LoadedAsync(shared: true);
        world.Clock.Advance(TimeSpan.FromMilliseconds(300));
        Assert.Equal(TimeSpan.FromMilliseconds(300), world.Blacklist.GetStatus().Lag);
        world.Clock.StepWall(TimeSpan.FromSeconds(1));
        Assert.Equal(TimeSpan.FromMilliseconds(1_300), world.Blacklist.GetStatus().Lag);
        world = await TestWorld.LoadedAsync();
        world.Clock.Advance(TimeSpan.FromMilliseconds(300));
        Assert.Equal(TimeSpan.Zero, world.Blacklist.GetStatus().Lag);
    }

    [Fact]
    public async Task A_node_counts_as_loaded_once_it_has_read_its_log()
    {
        var world = new TestWorld();
        Assert.False(world.Blacklist.GetStatus().Loaded);
        await world.Blacklist.LoadAsync();
        Assert.True(world.Blacklist.GetStatus().Loaded);
    }

    [Fact]
    public async Task After_a_failed_read_checks_wait_again_once_a_bound_has_passed()
    {
        var world = await TestWorld.LoadedAsync(shared: true);
        world.Clock.Advance(TimeSpan.FromHours(1));
        world.Log.Fault = new IOException("away");
        await world.Blacklist.CheckAsync(world.Token());
        world.Log.Fault = null;
        world.Clock.Advance(world.Options.Freshness - TimeSpan.FromTicks(1));
        Assert.Equal(Verdict.Unknown, await world.Blacklist.CheckAsync(world.Token()));
        world.Clock.Advance(TimeSpan.FromTicks(1));
        Assert.Equal(Verdict.Accepted, await world.Blacklist.CheckAsync(world.Token()));
    }

    private static async Task<int> ReadsOfAsync(TestWorld world, params Revocation[] rules)
    {
        var before = world.Log.Reads;
        await world.Blacklist.RevokeAsync(rules);
        return world.Log.Reads - before;
    }
}
