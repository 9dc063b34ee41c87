using System.Net;
using Microsoft.AspNetCore.Identity;
using Microsoft.Extensions.Logging.Abstractions;
using Microsoft.Extensions.Options;
using Microsoft.Extensions.Time.Testing;
using Rescind.Server.Accounts;

namespace Rescind.Tests.Server;

/// <summary>The bounds around password hashing, and the counting of failures.</summary>
public sealed class PasswordTests
{
    private static readonly IPAddress Here = IPAddress.Parse("192.0.2.1");
    private static readonly IPAddress There = IPAddress.Parse("192.0.2.2");

    [Fact]
    public async Task Hashing_is_bounded_and_its_queue_too()
    {
        using var hasher = new SlowHasher();
        using var passwords = new Passwords(hasher, NullLogger<Passwords>.Instance);
        var slots = 2 * Environment.ProcessorCount;
        var running = Enumerable.Range(0, slots + Passwords.LongestQueue)
            .Select(_ => passwords.HashAsync(NewAccount(), "password", CancellationToken.None)).ToList();

        Assert.Null(await passwords.HashAsync(NewAccount(), "password", CancellationToken.None));
        Assert.Equal(
            PasswordVerdict.Busy,
                await passwords.VerifyAsync(NewAccount(), "password", CancellationToken.None));

        hasher.Go();
        Assert.All(await Task.WhenAll(running), Assert.NotNull);
        Assert.InRange(hasher.MostAtOnce, 1, slots);
        Assert.NotNull(await passwords.HashAsync(NewAccount(), "password", CancellationToken.None));
    }

    [Fact]
    public async Task Who_gives_up_leaves_the_queue()
    {
        using var hasher = new SlowHasher();
        using var passwords = new Passwords(hasher, NullLogger<Passwords>.Instance);
        using var giveUp = new CancellationTokenSource();
        var slots = 2 * Environment.ProcessorCount;
        var running = Enumerable.Range(0, slots)
            .Select(_ => passwords.HashAsync(NewAccount(), "password", CancellationToken.None)).ToList();
        var queued = Enumerable.Range(0, Passwords.LongestQueue)
            .Select(_ => passwords.HashAsync(NewAccount(), "password", giveUp.Token)).ToList();

        await giveUp.CancelAsync();
        foreach (var one in queued)
        {
            await Assert.ThrowsAnyAsync<OperationCanceledException>(() => one);
        }

        var next = passwords.HashAsync(NewAccount(), "password", CancellationToken.None);
        hasher.Go();
        Assert.NotNull(await next);
        await Task.WhenAll(running);
    }

    [Fact]
    public void A_stranger_locks_only_himself_out()
    {
        var failures = NewFailures(new FakeTimeProvider());
        for (var i = 0; i < 5; i++)
        {
            Assert.Null(failures.LockedFor("A", There));
            failures.Failed("A", There);
        }

        Assert.Equal(TimeSpan.FromMinutes(15), failures.LockedFor("A", There));
        Assert.Null(failures.LockedFor("A", Here));
        Assert.Null(failures.LockedFor("B", There));
    }

    [Fact]
    public void A_lock_ends_by_itself()
    {
        var clock = new FakeTimeProvider();
        var failures = NewFailures(clock);
        for (var i = 0; i < 5; i++)
        {
            failures.Failed("A", Here);
        }
        clock.Advance(TimeSpan.FromMinutes(14));
        Assert.Equal(TimeSpan.FromMinutes(1), failures.LockedFor("A", Here));

        clock.Advance(TimeSpan.FromMinutes(1));

        Assert.Null(failures.LockedFor("A", Here));
        failures.Failed("A", Here);
        Assert.Null(failures.LockedFor("A", Here));
    }

    /// <summary>Whether the clock was ahead when they failed, or is when they come back.</summary>
    [Theory]
    [InlineData(-365)]
    [InlineData(365)]
    public void A_lock_lasts_a_quarter_of_an_hour_also_when_the_clock_is_set(int days)
    {
        var clock = new TestClock();
        var failures = NewFailures(clock);
        for (var i = 0; i < 5; i++)
        {
            failures.Failed("A", Here);
        }
        clock.Advance(TimeSpan.FromMinutes(5));
        clock.StepWall(TimeSpan.FromDays(days));
        Assert.Equal(TimeSpan.FromMinutes(10), failures.LockedFor("A", Here));

        clock.Advance(TimeSpan.FromMinutes(10));
        Assert.Null(failures.LockedFor("A", Here));
    }

    [Fact]
    public void Failures_from_many_addresses_only_slow_an_account_down()
    {
        var failures = NewFailures(new FakeTimeProvider());
        var delays = new List<TimeSpan>();
        for (var i = 0; i < 60; i++)
        {
            failures.Failed("A", new IPAddress([10, 0, 0, (byte)i]));
            delays.Add(failures.DelayFor("A"));
        }

        Assert.Equal(TimeSpan.Zero, delays[9]);
        Assert.True(delays[10] > TimeSpan.Zero);
        Assert.Equal(delays.Order(), delays);
        Assert.Equal(TimeSpan.FromSeconds(5), delays[^1]);
        Assert.Null(failures.LockedFor("A", Here));
        Assert.Equal(TimeSpan.Zero, failures.DelayFor("B"));
    }

    [Fact]
    public void One_customers_IPv6_addresses_count_as_one()
    {
        var failures = NewFailures(new FakeTimeProvider());
        for (var i = 0; i < 5; i++)
        {
            failures.Failed("A", IPAddress.Parse($"2001:db8:1:2::{i}"));
        }

        Assert.NotNull(failures.LockedFor("A", IPAddress.Parse("2001:db8:1:2:ffff::1")));
        Assert.Null(failures.LockedFor("A", IPAddress.Parse("2001:db8:1:3::1")));
    }

    private static FailedLogins NewFailures(FakeTimeProvider clock) => new(
        Options.Create(new LockoutOptions { DefaultLockoutTimeSpan = TimeSpan.FromMinutes(15) }), clock,
        NullLogger<FailedLogins>.Instance);

    private static Account NewAccount() => new()
    {
        Id = "1", Email = "a", NormalizedEmail = "A", PasswordHash = "hash", CreatedAt = DateTime.UnixEpoch,
    };

    /// <summary>A hasher that waits until it is told to go on, and counts.</summary>
    private sealed class SlowHasher : IPasswordHasher<Account>, IDisposable
    {
        private readonly ManualResetEventSlim _go = new();
        private int _running;
        private int _most;

        public int MostAtOnce => Volatile.Read(ref _most);

        public void Go() => _go.Set();

        public string HashPassword(Account user, string password)
        {
            var running = Interlocked.Increment(ref _running);
            int most;
            while (running > (most = MostAtOnce)
                && Interlocked.CompareExchange(ref _most, running, most) != most)
            {
            }
            _go.Wait(TimeSpan.FromMinutes(1));
            Interlocked.Decrement(ref _running);
            return "hash";
        }

        public PasswordVerificationResult VerifyHashedPassword(
            Account user, string hashedPassword, string providedPassword)
        {
            return PasswordVerificationResult.Success;
        }

        public void Dispose() => _go.Dispose();
    }
}
