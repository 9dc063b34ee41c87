using System.Diagnostics;
using Microsoft.AspNetCore.Http;
using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.DependencyInjection;
using Rescind.Server.Accounts;
using Rescind.Server.Audit;
using Rescind.Server.Database;
using Rescind.Server.Maintenance;
using Rescind.Server.Sessions;
using Rescind.Server.Settings;
using Rescind.Tests.Redis;

namespace Rescind.Tests.Server;

/// <summary>What two nodes do at the same moment in the database that they share, or one that stands still or is killed
/// in the middle.</summary>
public sealed class SharedWritesTests(PostgresServer postgres) : IClassFixture<PostgresServer>
{
    [Fact]
    public async Task The_age_of_a_key_that_another_node_notes_meanwhile()
    {
        await using var server = await StartAsync();
        var admin = await server.LogInAsAdminAsync();
        var key = server.Services.GetRequiredService<ServerSettings>().Keys.Signing.Key.KeyId;
        var seen = DateTime.UtcNow.AddDays(-3);

        var reply = await StoreOf(server).WhileAnotherWritesAsync(
            postgres,
            other => AddAsync(other, "key:" + key, seen.ToString("O")),
            () => server.GetAsync("/api/auth/security/status", admin.Access));

        reply.IsSuccess();
        Assert.Contains("In use for 3 days.", reply.Text, StringComparison.Ordinal);
    }

    [Fact]
    public async Task An_occurrence_that_another_node_takes_meanwhile()
    {
        await using var server = await StartAsync();
        var occurrence = new DateTime(2026, 1, 1, 2, 0, 0, DateTimeKind.Utc);

        Assert.False(await StoreOf(server).WhileAnotherWritesAsync(
            postgres,
            other => AddAsync(other, "maintenance:first", "2026-01-01T02:00:00"),
            () => server.Services.GetRequiredService<Schedule>().TryTakeAsync("first", occurrence)));
    }

    [Fact]
    public async Task The_first_administrator_that_another_node_makes_meanwhile()
    {
        await using var server = await StartAsync(
            ("ENVIRONMENT", "Development"), ("ADMIN_EMAIL", null), ("ADMIN_PASSWORD", null));
        var (store, file) = (StoreOf(server), Path.Combine(server.Data, "initial-admin"));
        await store.WriteAsync(db => db.Accounts.ExecuteDeleteAsync(), CancellationToken.None);
        await store.WriteAsync(db => db.Marks.ExecuteDeleteAsync(), CancellationToken.None);
        File.Delete(file);
        var lines = server.LogEntries.Count;

        await store.WhileAnotherWritesAsync(
            postgres,
            other => AddAsync(other, Mark.FirstAdministrator, "its id"),
            async () =>
            {
                await server.Services.GetRequiredService<FirstAdministrator>().MakeAsync(CancellationToken.None);
                return true;
            });

        Assert.False(File.Exists(file));
        Assert.Equal(0, await store.ReadAsync(db => db.Accounts.CountAsync(), CancellationToken.None));
        Assert.DoesNotContain(server.LogEntries.Skip(lines), line => line.Contains("[4100]", StringComparison.Ordinal));
    }

    /// <summary>Of two that prune, one is a step ahead: the other must not move the anchor back.</summary>
    [Fact]
    public async Task A_chain_that_another_node_prunes_further_meanwhile()
    {
        await using var server = await StartAsync(("AUDIT_RETENTION_DAYS", "1"),
            ("MAINTENANCE_HOURLY", "0 0 30 2 *"), ("MAINTENANCE_DAILY", "0 0 30 2 *"));
        var (store, shipper) = (StoreOf(server), server.Services.GetRequiredService<AuditShipper>());
        await server.RegisterAsync();
        await server.RegisterAsync();
        await shipper.ShipAsync(CancellationToken.None);
        var retention = server.Services.GetRequiredService<AuditRetention>();
        server.Clock.Advance(TimeSpan.FromDays(2));
        Assert.Equal(2, await retention.PruneAsync(CancellationToken.None));
        await server.RegisterAsync();
        await shipper.ShipAsync(CancellationToken.None);
        server.Clock.Advance(TimeSpan.FromDays(2));
        var admin = await server.LogInAsAdminAsync();
        await server.RegisterAsync();
        await shipper.ShipAsync(CancellationToken.None);

        await store.WhileAnotherWritesAsync(
            postgres,
            async other =>
            {
                var (last, anchor) = (
                    await other.AuditEvents.OrderByDescending(row => row.Number).FirstAsync(),
                    await other.AuditAnchors.SingleAsync());
                (anchor.Number, anchor.Hash) = (last.Number, last.Hash);
                anchor.Signature = AuditChain.SignatureOf(anchor, server.Services.GetRequiredService<AuditKey>());
                await other.AuditEvents.ExecuteDeleteAsync();
            },
            () => retention.PruneAsync(CancellationToken.None));

        var verified = await server.GetAsync("/api/auth/admin/audit/verify", admin.Access);
        Assert.True(verified.Json.GetProperty("intact").GetBoolean(), verified.Text);
    }

    /// <summary>PostgreSQL ends one of two writes that wait for each other; it is done again.</summary>
    [Fact]
    public async Task Two_writes_that_wait_for_each_other_are_both_done()
    {
        await using var server = await StartAsync();
        var store = StoreOf(server);
        var users = new[] { (await server.RegisterAsync()).UserId, (await server.RegisterAsync()).UserId };
        using var both = new CountdownEvent(2);

        var written = await Task.WhenAll(
            WriteAsync(users[0], users[1], "first"), WriteAsync(users[1], users[0], "second"));

        Assert.Equal([2, 2], written);

        Task<int> WriteAsync(string one, string other, string email) => store.WriteAsync(
            async db =>
            {
                var changed = await SetAsync(one);
                if (!both.IsSet)
                {
                    both.Signal();
                    await Eventually.TrueAsync(() => both.IsSet, "both hold one row");
                }
                return changed + await SetAsync(other);

                Task<int> SetAsync(string id) => db.Accounts.Where(row => row.Id == id)
                    .ExecuteUpdateAsync(row => row.SetProperty(it => it.Email, email));
            },
            CancellationToken.None);
    }

    /// <summary>Frozen, or cut off so that PostgreSQL never sees its connection end: what it holds is free again after
    /// seconds, and what it had begun is undone.</summary>
    [Fact]
    public async Task A_node_that_stands_still_in_a_write_holds_up_the_others_for_seconds()
    {
        await using var server = await StartAsync();
        var user = await server.RegisterAsync();
        var resumes = new TaskCompletionSource();
        var holds = new TaskCompletionSource();
        var frozen = StoreOf(server).WriteAsync(
            async db =>
            {
                await db.Accounts.ExecuteUpdateAsync(row => row.SetProperty(it => it.PasswordHash, "frozen"));
                holds.SetResult();
                await resumes.Task;
                return true;
            },
            CancellationToken.None);
        await holds.Task;
        var began = Stopwatch.GetTimestamp();

        Reply reply;
        do
        {
            reply = await server.PostAsync(
                "/api/auth/login", new { email = user.Email, password = ServerUnderTest.Password });
        }
        while (reply.Status == 503 && Stopwatch.GetElapsedTime(began) < TimeSpan.FromMinutes(1));

        reply.IsSuccess();
        Assert.InRange(Stopwatch.GetElapsedTime(began), TimeSpan.FromSeconds(10), TimeSpan.FromSeconds(40));
        resumes.SetResult();
        await Assert.ThrowsAnyAsync<Exception>(() => frozen);
        await server.LogInAsync(user.Email);
    }

    /// <summary>The database went away when it was told to keep the change. Nobody is told that nothing was changed, and
    /// the trail says that it may have been.</summary>
    [Fact]
    public async Task A_change_whose_end_is_not_known_is_said_to_be_so()
    {
        var database = await postgres.NewDatabaseAsync();
        await using var server = await ServerUnderTest.StartAsync(("DATABASE_URL", database));
        var (user, admin) = (await server.RegisterAsync(), await server.LogInAsAdminAsync());
        await postgres.ExecuteAsync(
            database[(database.LastIndexOf('/') + 1)..],
            """
            CREATE FUNCTION go_away() RETURNS trigger LANGUAGE plpgsql AS
                $$ BEGIN PERFORM pg_terminate_backend(pg_backend_pid()); RETURN NULL; END $$;
            CREATE CONSTRAINT TRIGGER away AFTER INSERT OR UPDATE ON rescind.accounts
                DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION go_away();
            """);

        Reply[] replies =
        [
            await server.PostAsync(
                "/api/auth/change-password",
                new { current_password = ServerUnderTest.Password, new_password = "an entirely new password" },
                user.Access),
            await server.PostAsync(
                "/api/auth/register", new { email = server.NewEmail(), password = ServerUnderTest.Password }),
            await server.PostAsync(
                "/api/auth/admin/import-users",
                new
                {
                    users = new[]
                    {
                        new
                        {
                            id = "imported", email = server.NewEmail(), is_admin = true,
                            password_hash = BCrypt.Net.BCrypt.HashPassword(ServerUnderTest.Password, workFactor: 4),
                        },
                    },
                },
                admin.Access),
        ];

        Assert.All(replies, reply =>
        {
            reply.IsRefusal(503, "store_unavailable");
            Assert.Contains("some or all of it may have been done", reply.Detail, StringComparison.Ordinal);
        });
        var events = (await server.GetAsync("/api/auth/admin/audit?limit=100", admin.Access)).Json.GetProperty("items")
            .EnumerateArray().Where(one => one.GetProperty("note").GetString()?.StartsWith(
                "not confirmed by the database", StringComparison.Ordinal) == true)
            .Select(one => one.GetProperty("event_type").GetString());
        Assert.Equal(["users_imported", "user_registered", "password_changed"], events);
    }

    /// <summary>Whoever opened a session while an earlier revocation was still waited for goes on.</summary>
    [Fact]
    public async Task A_session_that_began_after_the_cutoff_is_not_noted_as_ended()
    {
        await using var server = await StartAsync();
        var user = await server.RegisterAsync();
        var made = Revocation.OfSubject(IssuerOf(server), user.UserId) with { IssuedBefore = DateTimeOffset.UtcNow };
        server.Clock.Advance(TimeSpan.FromSeconds(20));
        var later = await server.LogInAsync(user.Email);

        Assert.Equal(1, await server.Services.GetRequiredService<SessionBook>().EndHitAsync(made));

        Assert.Equal(
            [later.Session],
            await StoreOf(server).ReadAsync(
                db => db.Sessions.Where(row => row.EndedAt == null && row.AccountId == user.UserId)
                    .Select(row => row.Id).ToListAsync(), CancellationToken.None));
    }

    /// <summary>The mailed code decides, not the password of before: a log-in may hash that anew at this moment.</summary>
    [Fact]
    public async Task A_password_that_is_hashed_anew_meanwhile_does_not_spoil_a_reset()
    {
        await using var server = await StartAsync();
        var user = await server.RegisterAsync();
        await StoreOf(server).WriteAsync(
            db =>
            {
                db.PasswordResets.Add(new PasswordReset
                {
                    Hash = "hash", AccountId = user.UserId, ExpiresAt = DateTime.UtcNow.AddMinutes(5),
                });
                return db.SaveChangesAsync();
            },
            CancellationToken.None);
        var account = await StoreOf(server).ReadAsync(
            db => db.Accounts.SingleAsync(row => row.Id == user.UserId), CancellationToken.None);
        account.PasswordHash = "as it was read before";
        var context = new DefaultHttpContext { RequestServices = server.Services };
        server.Services.GetRequiredService<IHttpContextAccessor>().HttpContext = context;

        var changed = await server.Services.GetRequiredService<CredentialChange>()
            .ResetAsync(account, "new", "hash", context);

        Assert.Equal((false, null), (changed.IsGone, changed.Refusal));
        Assert.Equal("new", (await StoreOf(server).ReadAsync(
            db => db.Accounts.SingleAsync(row => row.Id == user.UserId), CancellationToken.None)).PasswordHash);
    }

    /// <summary>Killed between storing a revocation and answering: the rule holds, and neither its record nor its event
    /// was kept in the database.</summary>
    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task What_a_killed_process_had_revoked_is_found_at_the_next_start(bool shared)
    {
        await using var server = shared ? await StartAsync() : await ServerUnderTest.StartAsync();
        var admin = await server.LogInAsAdminAsync();
        foreach (var jti in new[] { "kept", "lifted" })
        {
            (await server.PostAsync(
                "/api/auth/admin/revoke-token-by-jti", new { jti, reason = "stolen" }, admin.Access)).IsSuccess();
        }
        var blacklist = server.Services.GetRequiredService<Blacklist>();
        await blacklist.LiftAsync(
            blacklist.Find(RuleKind.Token, IssuerOf(server), "lifted"), "restored", "somebody");
        await server.Services.GetRequiredService<AuditShipper>().ShipAsync(CancellationToken.None);
        await server.Services.GetRequiredService<SqliteStore>().Records.AddAsync(
            [Revocation.OfToken(IssuerOf(server), "not stored") with
            {
                Id = RecentRecordsTests.LiftOf(1).Id, Reason = "stolen", MadeAt = DateTimeOffset.UtcNow,
            }],
            CancellationToken.None);
        await StoreOf(server).WriteAsync(db => db.Revocations.ExecuteDeleteAsync(), CancellationToken.None);
        server.Clock.Advance(TimeSpan.FromSeconds(5));

        await server.RestartAsync();
        await Eventually.TrueAsync(async () => (await FoundAsync()).Length > 0, "they are found");
        await server.RestartAsync();
        await Task.Delay(TimeSpan.FromSeconds(3));

        Assert.Equal(["revocation_lifted", "token_blacklisted"], (await FoundAsync()).Order());

        // Where nodes share a database the list comes from there.
        var list = await server.GetAsync("/api/auth/admin/revocations", admin.Access);
        Assert.Equal(
            shared ? ["kept", "lifted"] : ["kept", "lifted", "not stored"],
            list.Json.GetProperty("items").EnumerateArray()
                .Select(one => one.GetProperty("target").GetProperty("value").GetString()).Order());

        async Task<string[]> FoundAsync() =>
            [.. (await server.GetAsync("/api/auth/admin/audit?limit=100", admin.Access)).Json.GetProperty("items")
                .EnumerateArray().Where(one => one.GetProperty("note").GetString() == "kept at a later start")
                .Select(one => one.GetProperty("event_type").GetString()!)];
    }

    private static string IssuerOf(ServerUnderTest server) => server.Services.GetRequiredService<ServerSettings>().Issuer;

    private static AccountStore StoreOf(ServerUnderTest server) => server.Services.GetRequiredService<AccountStore>();

    private static Task AddAsync(AccountsDb db, string name, string value)
    {
        db.Marks.Add(new Mark { Name = name, Value = value });
        return Task.CompletedTask;
    }

    private async Task<ServerUnderTest> StartAsync(params (string Name, string? Value)[] settings) =>
        await ServerUnderTest.StartAsync([("DATABASE_URL", await postgres.NewDatabaseAsync()), .. settings]);
}

internal static class SharedWrites
{
    /// <summary>Does something that must wait for another node's transaction, which is kept as soon as it
    /// does.</summary>
    public static async Task<T> WhileAnotherWritesAsync<T>(
        this AccountStore store, PostgresServer postgres, Func<AccountsDb, Task> write, Func<Task<T>> meanwhile)
    {
        var done = await store.WriteAsync(
            async db =>
            {
                await write(db);
                await db.SaveChangesAsync();
                var waiting = meanwhile();
                await Eventually.TrueAsync(
                    async () => await postgres.ExecuteAsync(
                        "postgres", "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock'") is >= 1L,
                    "this node waits for the other");
                return waiting;
            },
            CancellationToken.None);
        return await done;
    }
}
