using System.Collections.Concurrent;
using System.Text.Json;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using Rescind.Server.Audit;
using Rescind.Server.Database;
using Rescind.Server.Maintenance;
using Rescind.Tests.Redis;

namespace Rescind.Tests.Server;

/// <summary>What the server does by itself, and whom it tells.</summary>
public abstract class MaintenanceTests
{
    /// <summary>Not by itself, when a test moves the clock.</summary>
    private static readonly (string, string?)[] Seldom =
        [("MAINTENANCE_HOURLY", "0 0 30 2 *"), ("MAINTENANCE_DAILY", "0 0 30 2 *")];

    [Fact]
    public async Task Retention_cuts_a_chain_at_a_signed_anchor_and_verification_goes_on_from_there()
    {
        await using var server = await NewServerAsync([("AUDIT_RETENTION_DAYS", "1"), .. Seldom]);
        var old = await server.RegisterAsync();
        await server.Services.GetRequiredService<AuditShipper>().ShipAsync(CancellationToken.None);
        server.Clock.Advance(TimeSpan.FromDays(2));
        var admin = await server.LogInAsAdminAsync();
        var young = await server.RegisterAsync();
        await server.Services.GetRequiredService<AuditShipper>().ShipAsync(CancellationToken.None);

        await server.Services.GetRequiredService<Schedule>().DailyAsync(CancellationToken.None);

        Assert.Empty(await EventsAsync(server, admin, old.UserId));
        Assert.Single(await EventsAsync(server, admin, young.UserId));
        var verified = await server.GetAsync("/api/auth/admin/audit/verify", admin.Access);
        Assert.True(verified.Json.GetProperty("intact").GetBoolean(), verified.Text);
        Assert.Equal(3, verified.Json.GetProperty("nodes")[0].GetProperty("events").GetInt64());

        await server.Services.GetRequiredService<AccountStore>().WriteAsync(
            db => db.AuditAnchors.ExecuteUpdateAsync(row => row.SetProperty(it => it.Number, it => it.Number + 1)),
            CancellationToken.None);
        var forged = await server.GetAsync("/api/auth/admin/audit/verify", admin.Access);
        Assert.Equal("its anchor is forged", forged.Json.GetProperty("nodes")[0].GetProperty("first_broken")
            .GetProperty("problem").GetString());
    }

    /// <summary>Who can write to the database must not get the server to delete, and to sign, what he changed.</summary>
    [Fact]
    public async Task Retention_leaves_a_chain_that_was_changed_as_it_found_it()
    {
        await using var server = await NewServerAsync();
        var (user, admin) = (await server.RegisterAsync(), await server.LogInAsAdminAsync());
        await server.Services.GetRequiredService<AuditShipper>().ShipAsync(CancellationToken.None);
        var longAgo = DateTime.UtcNow.AddDays(-100);
        await server.Services.GetRequiredService<AccountStore>().WriteAsync(
            db => db.AuditEvents.ExecuteUpdateAsync(row => row.SetProperty(it => it.Timestamp, longAgo)),
            CancellationToken.None);

        await server.Services.GetRequiredService<Schedule>().DailyAsync(CancellationToken.None);

        var verified = await server.GetAsync("/api/auth/admin/audit/verify", admin.Access);
        Assert.Equal("changed", verified.Json.GetProperty("nodes")[0].GetProperty("first_broken")
            .GetProperty("problem").GetString());
        Assert.NotEmpty(await EventsAsync(server, admin, user.UserId));
        Assert.Contains(server.LogEntries, line => line.StartsWith("Critical", StringComparison.Ordinal)
            && line.Contains("[4605]", StringComparison.Ordinal));
    }

    [Fact]
    public async Task What_has_expired_is_forgotten()
    {
        await using var server = await NewServerAsync(Seldom);
        await server.RegisterAsync();
        server.Clock.Advance(TimeSpan.FromDays(8));
        var young = await server.RegisterAsync();

        Assert.Equal(1, await server.Services.GetRequiredService<Schedule>().ForgetExpiredAsync());

        Assert.Equal(200, await server.ProfileStatusAsync(young.Access));
        (await server.PostAsync("/api/auth/refresh", new { refresh_token = young.Refresh })).IsSuccess();
    }

    [Fact]
    public async Task An_occurrence_is_taken_once()
    {
        await using var server = await NewServerAsync();
        var schedule = server.Services.GetRequiredService<Schedule>();
        var first = new DateTime(2026, 1, 1, 2, 0, 0, DateTimeKind.Utc);

        Assert.True(await schedule.TryTakeAsync("daily", first));
        Assert.False(await schedule.TryTakeAsync("daily", first));
        var takers = await Task.WhenAll(Enumerable.Range(0, 8).Select(_ => schedule.TryTakeAsync("daily", first.AddDays(1))));
        Assert.Single(takers, taken => taken);
        Assert.False(await schedule.TryTakeAsync("daily", first));
        Assert.True(await schedule.TryTakeAsync("hourly", first));
    }

    [Fact]
    public async Task A_mark_that_a_clock_far_ahead_left_does_not_end_maintenance()
    {
        await using var server = await NewServerAsync();
        var schedule = server.Services.GetRequiredService<Schedule>();
        var now = DateTime.UtcNow;
        Assert.True(await schedule.TryTakeAsync("daily", now.AddYears(1)));
        Assert.True(await schedule.TryTakeAsync("hourly", now.AddHours(23)));

        var takers = await Task.WhenAll(Enumerable.Range(0, 8).Select(_ => schedule.TryTakeAsync("daily", now)));

        Assert.Single(takers, taken => taken);
        Assert.False(await schedule.TryTakeAsync("hourly", now));
    }

    [Fact]
    public async Task The_schedule_runs_by_the_clock()
    {
        await using var server = await NewServerAsync();
        var schedule = server.Services.GetRequiredService<Schedule>();
        Assert.Null(schedule.LastRun);

        server.Clock.Advance(TimeSpan.FromHours(1));
        await server.UntilAsync(() => schedule.LastRun is not null);

        Assert.False(schedule.ExecuteTask!.IsCompleted);
    }

    [Fact]
    public async Task A_clock_that_was_set_back_does_not_put_maintenance_off()
    {
        await using var server = await NewServerAsync(("MAINTENANCE_HOURLY", "* * * * *"));

        // Well before an occurrence a long time from now.
        server.Clock.Advance(TimeSpan.FromDays(30) + TimeSpan.FromSeconds(20 - DateTime.UtcNow.Second));
        await server.RestartAsync();
        var schedule = server.Services.GetRequiredService<Schedule>();
        Assert.Null(schedule.LastRun);
        server.Clock.Advance(TimeSpan.FromDays(-30) + TimeSpan.FromSeconds(50 - server.Clock.GetUtcNow().Second));
        await server.UntilAsync(() => schedule.LastRun is not null);

        Assert.InRange(schedule.LastRun!.Value, DateTime.UtcNow.AddMinutes(-1), DateTime.UtcNow.AddMinutes(2));
    }

    [Fact]
    public async Task A_node_whose_clock_is_wrong_leaves_what_is_shared_to_others()
    {
        await using var redis = await RedisServer.StartAsync();
        await using var server = await NewServerAsync(("REDIS_URL", redis.Url));
        var (schedule, store) = (
            server.Services.GetRequiredService<Schedule>(), server.Services.GetRequiredService<AccountStore>());
        await server.RegisterAsync();

        var ahead = TimeSpan.FromDays(30);
        server.Clock.Advance(ahead);
        await server.UntilAsync(() => schedule.LastRun is not null);

        Assert.Equal((1, false), await StateAsync());
        Assert.Single(server.LogEntries, line => line.Contains("[4607] The hourly", StringComparison.Ordinal));

        server.Clock.Advance(-ahead);
        await server.UntilAsync(() => server.Services.GetRequiredService<Blacklist>().GetStatus().Fresh);
        await schedule.HourAsync(DateTime.UtcNow, CancellationToken.None);
        Assert.Equal((1, true), await StateAsync());

        Task<(int, bool)> StateAsync() => store.ReadAsync(
            async db => (await db.Sessions.CountAsync(), await db.Marks.AnyAsync(mark => mark.Name == "maintenance:hourly")),
            CancellationToken.None);
    }

    protected abstract Task<ServerUnderTest> NewServerAsync(params (string Name, string? Value)[] settings);

    private static async Task<IReadOnlyList<JsonElement>> EventsAsync(ServerUnderTest server, Tokens admin, string user)
    {
        var reply = await server.GetAsync($"/api/auth/admin/audit?user_id={user}", admin.Access);
        reply.IsSuccess();
        return [.. reply.Json.GetProperty("items").EnumerateArray()];
    }
}

public sealed class MaintenanceTestsOnSqlite : MaintenanceTests
{
    protected override Task<ServerUnderTest> NewServerAsync(params (string Name, string? Value)[] settings) =>
        ServerUnderTest.StartAsync(settings);
}

public sealed class MaintenanceTestsOnPostgres(PostgresServer postgres) : MaintenanceTests
{
    protected override async Task<ServerUnderTest> NewServerAsync(params (string Name, string? Value)[] settings) =>
        await ServerUnderTest.StartAsync([("DATABASE_URL", await postgres.NewDatabaseAsync()), .. settings]);
}

/// <summary>What each node does for itself while one of them does what is shared.</summary>
public sealed class MaintenanceOfNodesTests(PostgresServer postgres)
{
    [Fact]
    public async Task Every_node_compacts_its_own_file_and_one_notes_it()
    {
        await using var redis = await RedisServer.StartAsync();
        var database = ("DATABASE_URL", await postgres.NewDatabaseAsync());
        await using var one = await ServerUnderTest.StartAsync(database, ("REDIS_URL", redis.Url), ("RESCIND_NODE", "one"));
        await using var two = await ServerUnderTest.StartAsync(database, ("REDIS_URL", redis.Url), ("RESCIND_NODE", "two"));
        var admin = await one.LogInAsAdminAsync();

        foreach (var node in new[] { one, two })
        {
            await node.Services.GetRequiredService<Schedule>().DayAsync(DateTime.UtcNow.Date, CancellationToken.None);
            await node.Services.GetRequiredService<AuditShipper>().ShipAsync(CancellationToken.None);
        }

        foreach (var node in new[] { one, two })
        {
            Assert.Single(node.LogEntries, line => line.Contains("Compacted", StringComparison.OrdinalIgnoreCase)
                && line.Contains(" Rescind.Blacklist[", StringComparison.Ordinal));
        }
        var events = await one.GetAsync("/api/auth/admin/audit?event_type=blacklist_cleanup", admin.Access);
        Assert.Single(events.Json.GetProperty("items").EnumerateArray());
    }
}

/// <summary>Alerts, posted to a real receiver.</summary>
public sealed class AlertTests
{
    private const string Secret = "a secret of the webhook";

    [Fact]
    public async Task A_passed_threshold_is_posted_signed_and_again_until_it_is_taken()
    {
        var got = new ConcurrentQueue<(string Time, string Signature, string Body)>();
        await using var receiver = await ReceiverAsync(got, refusals: 2);
        await using var server = await ServerUnderTest.StartAsync(
            ("ALERT_WEBHOOK_URL", receiver.Urls.First() + "/alerts"), ("ALERT_WEBHOOK_SECRET", Secret));
        var alerts = server.Services.GetRequiredService<Alerts>();

        alerts.Post(AuditEvents.BlacklistPerformanceIssue, "A check takes 60 ms on average; 50 is too much.");
        await server.UntilAsync(() => alerts.Counts.Posted == 1);

        Assert.Equal(3, got.Count);
        Assert.All(got, one => Assert.Equal(Alerts.Sign(Secret, one.Time, one.Body), one.Signature));
        var body = JsonElement.Parse(got.Last().Body);
        Assert.Equal("blacklist_performance_issue", body.GetProperty("type").GetString());
        Assert.Contains("60 ms", body.GetProperty("detail").GetString(), StringComparison.Ordinal);
        Assert.DoesNotContain(Secret, string.Join('\n', server.LogEntries), StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_database_that_goes_away_and_comes_back_is_told_once_each()
    {
        var got = new ConcurrentQueue<(string Time, string Signature, string Body)>();
        await using var receiver = await ReceiverAsync(got, refusals: 0);
        await using var postgres = new PostgresServer();
        await postgres.InitializeAsync();
        await using var server = await ServerUnderTest.StartAsync(
            ("DATABASE_URL", await postgres.NewDatabaseAsync()),
            ("ALERT_WEBHOOK_URL", receiver.Urls.First() + "/alerts"), ("ALERT_WEBHOOK_SECRET", Secret));
        var admin = await server.LogInAsAdminAsync();

        await postgres.StopAsync();
        await server.PostAsync("/api/auth/logout", null, MintedTokens.Sign(MintedTokens.Claims("a user")));
        await server.UntilAsync(() => got.Count == 1);
        await postgres.StartProcessAsync();
        await server.UntilAsync(() => got.Count == 2);

        Assert.Equal(["store_unavailable", "store_recovered"],
            got.Select(one => JsonElement.Parse(one.Body).GetProperty("type").GetString()));
        var events = await server.GetAsync("/api/auth/admin/audit?event_type=store_unavailable", admin.Access);
        Assert.Single(events.Json.GetProperty("items").EnumerateArray());
    }

    private static async Task<WebApplication> ReceiverAsync(
        ConcurrentQueue<(string Time, string Signature, string Body)> got, int refusals)
    {
        var builder = WebApplication.CreateSlimBuilder();
        builder.Logging.ClearProviders();
        builder.WebHost.UseSetting("urls", "http://127.0.0.1:0");
        var app = builder.Build();
        app.MapPost("/alerts", async (HttpRequest request) =>
        {
            using var reader = new StreamReader(request.Body);
            got.Enqueue((
                request.Headers["X-Rescind-Timestamp"].ToString(), request.Headers["X-Rescind-Signature"].ToString(),
                await reader.ReadToEndAsync()));
            return got.Count <= refusals ? Results.StatusCode(500) : Results.NoContent();
        });
        await app.StartAsync();
        return app;
    }
}

/// <summary>The go-live list.</summary>
public sealed class SecurityStatusTests(PostgresServer postgres)
{
    [Fact]
    public async Task Each_line_that_is_not_well_has_a_remedy_and_what_is_mended_is_well()
    {
        await using var server = await ServerUnderTest.StartAsync();
        var (user, admin) = (await server.RegisterAsync(), await server.LogInAsAdminAsync());
        (await server.GetAsync("/api/auth/security/status", user.Access)).IsRefusal(403, "forbidden");

        var before = await ChecksAsync(server, admin);

        Assert.All(before.Values, check => Assert.Equal(
            check.GetProperty("ok").GetBoolean(), check.GetProperty("remedy").ValueKind == JsonValueKind.Null));
        Assert.Equal(["alerts", "mail", "rate_limits", "tls"], Wrong(before));

        await server.RestartAsync(
            ("RATE_LIMIT_ENABLED", "true"), ("SMTP_URL", "smtp://127.0.0.1"), ("MAIL_FROM", "a@example.com"),
            ("ALERT_WEBHOOK_URL", "http://127.0.0.1/"), ("ALERT_WEBHOOK_SECRET", "a secret of the webhook"),
            ("DATABASE_URL", await postgres.NewDatabaseAsync()), ("JWT_PREVIOUS_SECRET", ServerUnderTest.Secret + "!"), ("FORWARDED_PROXIES", "127.0.0.1"),
            ("MAINTENANCE_DAILY", "0 0 30 2 *"));
        server.Http.DefaultRequestHeaders.Add("X-Forwarded-Proto", "https");
        server.Http.DefaultRequestHeaders.Add("X-Forwarded-For", "198.51.100.7");
        admin = await server.LogInAsAdminAsync();

        Assert.Equal(["audit_key", "previous_key", "redis"], Wrong(await ChecksAsync(server, admin)));
        Assert.Subset(before.Keys.ToHashSet(), new HashSet<string>(
        [
            "signing_key", "signing_key_age", "redis", "tls", "database", "administrator", "rate_limits", "clock",
            "retention", "background_jobs", "local_disk", "mail",
        ]));
        server.Clock.Advance(TimeSpan.FromDays(366));
        admin = await server.LogInAsAdminAsync();
        await Eventually.TrueAsync(
            async () => Wrong(await ChecksAsync(server, admin)).Intersect(["signing_key_age", "retention"]).Count() == 2,
            "what is too old is said");
    }

    private static IEnumerable<string> Wrong(Dictionary<string, JsonElement> checks) => checks
        .Where(check => check.Key != "local_disk" && !check.Value.GetProperty("ok").GetBoolean())
        .Select(check => check.Key).Order();

    private static async Task<Dictionary<string, JsonElement>> ChecksAsync(ServerUnderTest server, Tokens admin)
    {
        var reply = await server.GetAsync("/api/auth/security/status", admin.Access);
        reply.IsSuccess();
        Assert.Equal("attention", reply.Json.GetProperty("status").GetString());
        return reply.Json.GetProperty("checks").EnumerateArray()
            .ToDictionary(check => check.GetProperty("name").GetString()!, check => check);
    }
}
