using System.Collections.Concurrent;
using System.Diagnostics;
using Microsoft.Extensions.DependencyInjection;
using Rescind.Server.Audit;
using Rescind.Tests.Redis;

namespace Rescind.Tests.Server;

/// <summary>PostgreSQL is away: what needs it says so, everything else goes on, and nothing is lost.</summary>
public sealed class PostgresOutageTests(ITestOutputHelper output)
{
    [Fact]
    public async Task Checks_refusals_and_revocations_go_on_and_audit_events_arrive_afterwards_in_order()
    {
        await using var postgres = new PostgresServer();
        await postgres.InitializeAsync();
        await using var server = await ServerUnderTest.StartAsync(("DATABASE_URL", await postgres.NewDatabaseAsync()));
        var admin = await server.LogInAsAdminAsync();
        var users = new List<Tokens>();
        for (var i = 0; i < 20; i++)
        {
            users.Add(await server.RegisterAsync());
        }
        using var over = new CancellationTokenSource();
        var answers = new ConcurrentBag<int>();
        var load = Task.WhenAll(Enumerable.Range(0, 4).Select(async _ =>
        {
            while (!over.IsCancellationRequested)
            {
                answers.Add((await server.GetAsync("/api/auth/token/validate", admin.Access)).Status);
            }
        }));

        await postgres.StopAsync();
        foreach (var user in users)
        {
            (await server.PostAsync("/api/auth/logout", null, user.Access)).IsSuccess();
            Assert.Equal(401, (await server.GetAsync("/api/auth/token/validate", user.Access)).Status);
        }
        (await server.PostAsync("/api/auth/login", new { email = users[0].Email, password = ServerUnderTest.Password }))
            .IsRefusal(503, "store_unavailable");
        (await server.GetAsync("/api/auth/admin/audit", admin.Access)).IsRefusal(503, "store_unavailable");
        Assert.Equal(200, (await server.GetAsync("/health/ready")).Status);
        Assert.True(server.Services.GetRequiredService<AuditSpool>().Waiting >= 40);

        await postgres.StartProcessAsync();
        await over.CancelAsync();
        await load;
        Assert.Equal([200], answers.Distinct());
        await server.LogInAsync(users[0].Email);
        var events = await server.GetAsync(
            "/api/auth/admin/audit?event_type=user_logged_out&limit=1000", admin.Access);
        events.IsSuccess();
        Assert.Equal(
            users.Select(user => user.UserId).Reverse(),
            events.Json.GetProperty("items").EnumerateArray().Select(one => one.GetProperty("user_id").GetString()));
        var verified = await server.GetAsync("/api/auth/admin/audit/verify", admin.Access);
        Assert.True(verified.Json.GetProperty("intact").GetBoolean(), verified.Text);
    }

    /// <summary>It holds its connections open and answers nothing, which costs more than being gone: what does not
    /// need it must not wait for it, and what does is told when its time-outs are over, also when more wait than it has connections.
    /// </summary>
    [Fact]
    public async Task A_frozen_database_delays_only_what_needs_it_and_that_for_seconds()
    {
        await using var postgres = new PostgresServer();
        await postgres.InitializeAsync();
        await using var server = await ServerUnderTest.StartAsync(("DATABASE_URL", await postgres.NewDatabaseAsync()));
        var users = new List<Tokens>();
        for (var i = 0; i < 20; i++)
        {
            users.Add(await server.RegisterAsync());
        }

        await postgres.FreezeAsync();
        try
        {
            var waiting = users.Concat(users).Select(async user =>
            {
                var asked = Stopwatch.GetTimestamp();
                (await server.PostAsync("/api/auth/login", new { email = user.Email, password = ServerUnderTest.Password }))
                    .IsRefusal(503, "store_unavailable");
                return Stopwatch.GetElapsedTime(asked);
            }).ToList();
            await Task.Delay(100);
            var times = new List<TimeSpan>();
            foreach (var user in users)
            {
                var asked = Stopwatch.GetTimestamp();
                Assert.Equal(200, (await server.GetAsync("/api/auth/token/validate", user.Access)).Status);
                (await server.PostAsync("/api/auth/logout", null, user.Access)).IsSuccess();
                Assert.Equal(401, (await server.GetAsync("/api/auth/token/validate", user.Access)).Status);
                times.Add(Stopwatch.GetElapsedTime(asked));
            }
            times.Sort();
            Assert.InRange(times[16], TimeSpan.Zero, TimeSpan.FromSeconds(2)); // what a call for the database waits
            Assert.InRange(times[^1], TimeSpan.Zero, TimeSpan.FromSeconds(8));
            var refused = (await Task.WhenAll(waiting)).Max();
            output.WriteLine(
                $"Validate, log out, validate: {times[10].TotalMilliseconds:n0} ms, at most {times[^1].TotalMilliseconds:n0} ms; "
                + $"40 log-ins at once, refused within {refused.TotalSeconds:n1} s");
            Assert.InRange(refused, TimeSpan.Zero, TimeSpan.FromSeconds(25));
        }
        finally
        {
            await postgres.ResumeAsync();
        }

        await Eventually.TrueAsync(
            async () => (await server.PostAsync("/api/auth/login", new { email = users[0].Email, password = ServerUnderTest.Password }))
                .Status == 200, "log-ins work again");
        Assert.Equal(401, await server.ProfileStatusAsync(users[0].Access));
    }

    /// <summary>Each carries over what waits before it reads; of six at once only the first tries.</summary>
    [Fact]
    public async Task Readers_of_the_trail_do_not_wait_for_a_frozen_database_one_after_the_other()
    {
        await using var postgres = new PostgresServer();
        await postgres.InitializeAsync();
        await using var server = await ServerUnderTest.StartAsync(("DATABASE_URL", await postgres.NewDatabaseAsync()));
        var admin = await server.LogInAsAdminAsync();
        var user = await server.RegisterAsync();

        await postgres.FreezeAsync();
        try
        {
            (await server.PostAsync("/api/auth/logout", null, user.Access)).IsSuccess();
            var began = Stopwatch.GetTimestamp();
            foreach (var reply in await Task.WhenAll(
                Enumerable.Range(0, 6).Select(_ => server.GetAsync("/api/auth/admin/audit", admin.Access))))
            {
                reply.IsRefusal(503, "store_unavailable");
            }
            var took = Stopwatch.GetElapsedTime(began);
            output.WriteLine($"6 readers at once, refused within {took.TotalSeconds:n1} s");
            Assert.InRange(took, TimeSpan.Zero, TimeSpan.FromSeconds(40)); // one after the other: 77
        }
        finally
        {
            await postgres.ResumeAsync();
        }
    }

    /// <summary>An incident counts whom it hits, and a token of an older service is compared with its user's version:
    /// neither may cost one time-out of the database after another. A load balancer that asks whether the node is ready
    /// waits for a second by default.</summary>
    [Fact]
    public async Task A_frozen_database_holds_up_no_incident_no_older_token_and_no_health()
    {
        await using var postgres = new PostgresServer();
        await postgres.InitializeAsync();
        await using var server = await ServerUnderTest.StartAsync(("DATABASE_URL", await postgres.NewDatabaseAsync()));
        var (user, admin) = (await server.RegisterAsync(), await server.LogInAsAdminAsync());
        var older = MintedTokens.Sign(MintedTokens.Claims("a user of the older service").With("token_version_id", 1));

        await postgres.FreezeAsync();
        try
        {
            await WithinAsync(4, "ready", async () =>
                Assert.Equal(200, (await server.GetAsync("/health/ready")).Status));
            await WithinAsync(4, "an older token", async () =>
                Assert.Equal(200, (await server.GetAsync("/api/auth/token/validate", older)).Status));
            await WithinAsync(4, "a user's tokens", async () =>
                (await server.PostAsync("/api/auth/admin/revoke-user-tokens",
                    new { user_id = user.UserId, reason = "admin_action" }, admin.Access)).IsSuccess());
            await WithinAsync(6, "an incident of 20 users", async () =>
                (await server.PostAsync("/api/auth/admin/security-incident", new
                {
                    scope = new { user_ids = Enumerable.Range(0, 20).Select(i => $"user_{i}") },
                    reason = "security_incident", note = "while the database is frozen",
                }, admin.Access)).IsSuccess());
        }
        finally
        {
            await postgres.ResumeAsync();
        }
    }

    [Fact]
    public async Task A_node_starts_without_its_database_and_uses_it_when_it_is_there()
    {
        await using var postgres = new PostgresServer();
        await postgres.InitializeAsync();
        var url = await postgres.NewDatabaseAsync();
        await postgres.StopAsync();
        await using var server = await ServerUnderTest.StartAsync(("DATABASE_URL", url));
        Assert.Equal(200, (await server.GetAsync("/health/ready")).Status);
        var token = MintedTokens.Sign(MintedTokens.Claims("a user of long ago"));
        (await server.PostAsync("/api/auth/logout", null, token)).IsSuccess();
        Assert.Equal(401, (await server.GetAsync("/api/auth/token/validate", token)).Status);

        await postgres.StartProcessAsync();
        await server.UntilAsync(() => server.Services
            .GetRequiredService<Rescind.Server.Database.Preparation>().IsDone);

        await server.LogInAsAdminAsync();
    }

    /// <summary>Found by ten minutes of chaos: PostgreSQL died between the migrations and the first query of a start, and
    /// the start with it.</summary>
    [Fact]
    public async Task A_database_that_fails_after_the_migrations_does_not_end_the_start()
    {
        await using var postgres = new PostgresServer();
        await postgres.InitializeAsync();
        var url = await postgres.NewDatabaseAsync();
        await (await ServerUnderTest.StartAsync(("DATABASE_URL", url))).DisposeAsync();
        var database = new Uri(url).AbsolutePath[1..];
        await postgres.ExecuteAsync(database, "ALTER TABLE rescind.accounts RENAME TO elsewhere");

        await using var server = await ServerUnderTest.StartAsync(("DATABASE_URL", url));
        Assert.Equal(200, (await server.GetAsync("/health/ready")).Status);
        (await server.PostAsync(
            "/api/auth/login", new { email = ServerUnderTest.AdminEmail, password = ServerUnderTest.Password }))
            .IsRefusal(503, "store_unavailable");
        Assert.Contains(server.LogEntries, line => line.Contains("[4403]", StringComparison.Ordinal));

        await postgres.ExecuteAsync(database, "ALTER TABLE rescind.elsewhere RENAME TO accounts");
        await server.UntilAsync(() => server.Services
            .GetRequiredService<Rescind.Server.Database.Preparation>().IsDone);
        await server.LogInAsAdminAsync();
    }

    private async Task WithinAsync(int seconds, string what, Func<Task> call)
    {
        var asked = Stopwatch.GetTimestamp();
        await call();
        var took = Stopwatch.GetElapsedTime(asked);
        output.WriteLine($"{what}: {took.TotalSeconds:n2} s");
        Assert.True(took < TimeSpan.FromSeconds(seconds), $"{what} took {took.TotalSeconds:n1} s");
    }
}
