using Microsoft.Extensions.Time.Testing;

namespace Rescind.Tests;

/// <summary>What is never accepted although nothing revokes it, and the order of the three steps.</summary>
public sealed class JudgingTests
{
    private const string Issuer = TestWorld.Issuer;

    [Fact]
    public async Task A_token_that_cannot_be_judged_is_never_accepted()
    {
        var world = await TestWorld.LoadedAsync();
        var token = world.Token();
        Assert.Equal(Verdict.Accepted, world.Blacklist.Check(token));
        TokenFacts[] doubtful =
        [
            default, token with { TokenId = "" }, token with { Issuer = null! }, token with { ExpiresAt = null },
            token with { ExpiresAt = world.Now.AddDays(7).AddSeconds(1) },
            token with { IssuedAt = null, ExpiresAt = world.Now.AddDays(7).AddSeconds(1) },
            token with { IssuedAt = world.Now.AddSeconds(4), ExpiresAt = world.Now.AddMinutes(5) },
            token with { IssuedAt = DateTimeOffset.MaxValue, ExpiresAt = DateTimeOffset.MaxValue },
            token with { IssuedAt = DateTimeOffset.MinValue },
        ];
        Assert.All(doubtful, one => Assert.Equal(Verdict.Unknown, world.Blacklist.Check(one)));
    }

    [Fact]
    public async Task A_token_at_the_very_edge_of_what_is_allowed_is_accepted()
    {
        var world = await TestWorld.LoadedAsync();
        var (token, longest) = (world.Token(), world.Options.LongestTokenLifetime);
        var ahead = world.Now + world.Options.IssuerClockDifference + TimeSpan.FromSeconds(1);
        TokenFacts[] good =
        [
            token with { ExpiresAt = world.Now + longest },
            token with { IssuedAt = null, ExpiresAt = world.Now + longest },
            token with { IssuedAt = null },
            token with { IssuedAt = ahead, ExpiresAt = ahead.AddMinutes(5) },
        ];
        Assert.All(good, one => Assert.Equal(Verdict.Accepted, world.Blacklist.Check(one)));

        // Later than allowed when the lease was given, and not now; and the other way round for a clock that was
        // set back: the token was known to be possible then.
        world.Clock.Advance(TimeSpan.FromSeconds(0.1));
        var since = token with { IssuedAt = ahead.AddSeconds(0.1), ExpiresAt = ahead.AddMinutes(5) };
        Assert.Equal(Verdict.Accepted, world.Blacklist.Check(since));
        world.Clock.StepWall(TimeSpan.FromSeconds(-5));
        var then = token with { IssuedAt = ahead, ExpiresAt = ahead.AddMinutes(5) };
        Assert.Equal(Verdict.Accepted, world.Blacklist.Check(then));
    }

    [Fact]
    public async Task A_doubt_never_hides_a_revocation()
    {
        var world = await TestWorld.LoadedAsync();
        await world.Blacklist.RevokeAsync(Revocation.OfToken(Issuer, "token-1"));
        var eternal = world.Token() with { ExpiresAt = null, IssuedAt = null };
        Assert.Equal(Verdict.Revoked, world.Blacklist.Check(eternal));
    }

    [Fact]
    public async Task A_token_without_iat_is_hit_by_every_cutoff_for_ever()
    {
        var world = await TestWorld.LoadedAsync();
        await world.Blacklist.RevokeAsync(Revocation.OfSubject(Issuer, "user-1"));
        world.Clock.Advance(TimeSpan.FromDays(400));
        await world.Blacklist.CompactAsync();
        var undated = world.Token() with { IssuedAt = null, AuthenticatedAt = null };
        Assert.Equal(Verdict.Revoked, world.Blacklist.Check(undated));
    }

    [Fact]
    public async Task When_every_token_carries_iat_cutoffs_end_and_a_token_without_it_is_not_accepted()
    {
        var world = await TestWorld.LoadedAsync(options => options.TokensCarryIssuedAt = true);
        await world.Blacklist.RevokeAsync(Revocation.OfSubject(Issuer, "user-1"));
        world.Clock.Advance(TimeSpan.FromDays(8) + TimeSpan.FromMinutes(6));
        await world.Blacklist.CompactAsync();
        Assert.Equal(0, world.Blacklist.GetStatus().Rules[RuleKind.Subject]);
        Assert.Equal(Verdict.Accepted, world.Blacklist.Check(world.Token()));
        Assert.Equal(Verdict.Unknown, world.Blacklist.Check(world.Token() with { IssuedAt = null }));
    }

    [Fact]
    public async Task A_revocation_outlives_its_token_by_the_clock_skew_of_validators()
    {
        var world = await TestWorld.LoadedAsync();
        var token = world.Token();
        await world.Blacklist.RevokeAsync(Revocation.OfToken(Issuer, "token-1", token.ExpiresAt));
        world.Clock.Advance(TimeSpan.FromMinutes(35));
        await world.Blacklist.CompactAsync();
        Assert.Equal(Verdict.Revoked, world.Blacklist.Check(token));
        world.Clock.Advance(TimeSpan.FromSeconds(1));
        await world.Blacklist.CompactAsync();
        Assert.Equal(0, world.Blacklist.GetStatus().Rules[RuleKind.Token]);
    }

    /// <summary>All nodes are stopped and start with a larger skew: validators accept now what had ended for them.</summary>
    [Theory]
    [InlineData(34, Verdict.Revoked)]
    [InlineData(36, Verdict.Unknown)] // forgotten by then
    public async Task A_skew_that_is_raised_revives_nothing(int minutes, Verdict expected)
    {
        var world = await TestWorld.LoadedAsync();
        var (token, later) = (world.Token(), world.Token("later") with { ExpiresAt = world.Now.AddMinutes(31) });
        await world.Blacklist.RevokeAsync(Revocation.OfToken(Issuer, "token-1", token.ExpiresAt));
        await world.Blacklist.RevokeAsync(Revocation.OfToken(Issuer, "newest", DateTimeOffset.MaxValue)); // is never dropped
        world.Clock.Advance(TimeSpan.FromMinutes(minutes));
        await world.Blacklist.CompactAsync();
        world.Options.ClockSkew = TimeSpan.FromHours(1);
        var next = world.NewNode();
        await next.LoadAsync();
        world.Clock.Advance(TimeSpan.FromMinutes(10));
        await next.CompactAsync();
        await next.Feed.StepAsync(CancellationToken.None);
        Assert.Equal(expected, next.Check(token));
        Assert.Equal(Verdict.Accepted, next.Check(later));
    }

    /// <summary>Cutoffs in a row send log-ins ahead of the clock. Lifted, they take no token back.</summary>
    [Fact]
    public async Task A_token_that_stepped_over_cutoffs_is_accepted_when_they_are_lifted()
    {
        var world = await TestWorld.LoadedAsync();
        var ids = new List<RevocationId>();
        for (var i = 0; i < 8; i++)
        {
            ids.Add((await world.Blacklist.RevokeAsync(Revocation.OfSubject(Issuer, "user-1"))).Id);
        }
        var earliest = world.Blacklist.EarliestIssueTime(world.Token());
        Assert.InRange(earliest - world.Now, TimeSpan.FromSeconds(5), TimeSpan.FromSeconds(20));
        var token = world.Token("after") with { IssuedAt = earliest, AuthenticatedAt = earliest };
        Assert.Equal(Verdict.Accepted, world.Blacklist.Check(token));
        await world.Blacklist.LiftAsync(ids, "restored", "admin");
        Assert.Equal(Verdict.Accepted, world.Blacklist.Check(token));
        Assert.Equal(Verdict.Unknown, world.Blacklist.Check(token with { IssuedAt = earliest.AddSeconds(1) }));
    }

    [Fact]
    public async Task A_token_that_lives_longer_than_allowed_stays_revoked_until_it_ends()
    {
        var world = await TestWorld.LoadedAsync();
        var (long_, eternal) = (world.Token("long") with { ExpiresAt = world.Now.AddYears(2) }, world.Token("eternal"));
        await world.Blacklist.RevokeAsync(Revocation.OfToken(Issuer, "long", long_.ExpiresAt));
        await world.Blacklist.RevokeAsync(Revocation.OfToken(Issuer, "eternal", DateTimeOffset.MaxValue));
        world.Clock.Advance(TimeSpan.FromDays(700));
        await world.Blacklist.CompactAsync();
        Assert.Equal(Verdict.Revoked, world.Blacklist.Check(long_));
        world.Clock.Advance(TimeSpan.FromDays(4000));
        await world.Blacklist.CompactAsync();
        Assert.Equal(Verdict.Revoked, world.Blacklist.Check(eternal));
    }

    [Fact]
    public async Task A_clock_that_steps_back_does_not_revive_what_was_forgotten()
    {
        var world = await TestWorld.LoadedAsync();
        var token = world.Token();
        await world.Blacklist.RevokeAsync(Revocation.OfToken(Issuer, "token-1", token.ExpiresAt));
        world.Clock.StepWall(TimeSpan.FromHours(1));
        await world.Blacklist.Feed.StepAsync(CancellationToken.None);
        await world.Blacklist.CompactAsync();
        world.Clock.StepWall(TimeSpan.FromHours(-1));

        Assert.Equal(0, world.Blacklist.GetStatus().Rules[RuleKind.Token]);
        Assert.Equal(Verdict.Unknown, world.Blacklist.Check(token));
    }

    [Fact]
    public async Task A_node_whose_clock_alone_is_fast_forgets_nothing()
    {
        var world = await TestWorld.LoadedAsync();
        await world.Blacklist.RevokeAsync(Revocation.OfToken(Issuer, "token-1", world.Token().ExpiresAt));
        var fast = new Blacklist(world.Options, world.Log, clock: new FakeTimeProvider(world.Now.AddHours(1)));
        await fast.LoadAsync();
        await fast.CompactAsync();
        Assert.Equal(Verdict.Revoked, fast.Check(world.Token()));
    }

    [Fact]
    public async Task The_horizon_survives_in_the_log()
    {
        var world = await TestWorld.LoadedAsync();
        var token = world.Token();
        await world.Blacklist.RevokeAsync(Revocation.OfToken(Issuer, "token-1", token.ExpiresAt));
        await world.Blacklist.RevokeAsync(Revocation.OfToken(Issuer, "token-2"));
        await world.Log.CompactAsync(world.Now.AddHours(1), CancellationToken.None);

        var restarted = world.NewNode();
        await restarted.LoadAsync();
        Assert.Equal(Verdict.Unknown, restarted.Check(token));
        Assert.Equal(Verdict.Accepted, restarted.Check(token with { ExpiresAt = token.ExpiresAt!.Value.AddSeconds(1) }));
    }

    [Fact]
    public async Task A_node_that_froze_within_a_check_does_not_accept_by_a_lease_it_got_meanwhile()
    {
        var world = new TestWorld(shared: true);
        var clock = new FreezingClock(world.Clock);
        var node = new Blacklist(world.Options, world.Log, clock: clock);
        await node.LoadAsync();
        Assert.Equal(Verdict.Accepted, node.Check(world.Token()));

        // At the first reading of a clock the process freezes; the revocation is made elsewhere, time passes, the
        // feed of the node wakes first and renews the lease; then the check goes on with what it had probed.
        clock.OnRead = () =>
        {
            var elsewhere = world.NewNode();
            elsewhere.LoadAsync().AsTask().GetAwaiter().GetResult();
            elsewhere.RevokeAsync(Revocation.OfToken(Issuer, "token-1")).AsTask().GetAwaiter().GetResult();
            world.Clock.Advance(TimeSpan.FromSeconds(2));
            node.Feed.StepAsync(CancellationToken.None).GetAwaiter().GetResult();
        };
        Assert.NotEqual(Verdict.Accepted, node.Check(world.Token()));
        Assert.Null(clock.OnRead);
        Assert.Equal(Verdict.Revoked, node.Check(world.Token()));
    }

    /// <summary>Runs an action once, at the next reading.</summary>
    private sealed class FreezingClock(TimeProvider inner) : TimeProvider
    {
        public Action? OnRead { get; set; }

        public override long TimestampFrequency => inner.TimestampFrequency;

        public override long GetTimestamp() => Frozen(inner.GetTimestamp);

        public override DateTimeOffset GetUtcNow() => Frozen(inner.GetUtcNow);

        private T Frozen<T>(Func<T> read)
        {
            var action = OnRead;
            OnRead = null;
            action?.Invoke();
            return read();
        }
    }
}
