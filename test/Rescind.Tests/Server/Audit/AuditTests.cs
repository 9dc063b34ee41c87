using System.Net.Http.Headers;
using System.Net.Http.Json;
using System.Text.Json;
using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.DependencyInjection;
using Rescind.Server.Audit;
using Rescind.Server.Database;

namespace Rescind.Tests.Server;

/// <summary>Everything that happens to a token or an account is written down, and nobody can change it unseen.</summary>
public abstract class AuditTests(ServerUnderTest server)
{
    [Fact]
    public async Task Each_thing_that_happens_to_a_user_leaves_its_event()
    {
        var user = await server.RegisterAsync();
        var admin = await server.LogInAsAdminAsync();
        var phone = await server.LogInAsync(user.Email);
        var next = Tokens.Of((await server.PostAsync("/api/auth/refresh", new { refresh_token = phone.Refresh })).Json);
        (await server.PostAsync("/api/auth/logout", null, next.Access)).IsSuccess();
        (await server.PostAsync("/api/auth/admin/revoke-user-tokens",
            new { user_id = user.UserId, reason = "suspicious_activity", note = "a call" }, admin.Access)).IsSuccess();

        var events = (await EventsAsync(admin, $"user_id={user.UserId}")).Reverse().ToList();

        Assert.Equal(
            ["user_registered", "login_succeeded", "token_refreshed", "user_logged_out", "session_revoked", "user_tokens_revoked"],
            events.Select(one => one.GetProperty("event_type").GetString()));
        var last = events[^1];
        Assert.Equal("suspicious_activity", last.GetProperty("reason").GetString());
        Assert.Equal(("a call", admin.UserId, "admin"), (
            last.GetProperty("note").GetString(), last.GetProperty("actor").GetString(),
            last.GetProperty("actor_type").GetString()));
        Assert.All(events[..^1], one => Assert.Equal("self", one.GetProperty("actor_type").GetString()));
        Assert.All(events, one => Assert.Equal("127.0.0.1", one.GetProperty("ip").GetString()));
        Assert.All(events, one => Assert.False(string.IsNullOrEmpty(one.GetProperty("request_id").GetString())));
        var jti = events[3].GetProperty("jti").GetString();
        Assert.Equal(MintedTokens.Read(next.Access).GetProperty("jti").GetString()![..8] + "...", jti);
        Assert.Contains(server.LogEntries, line => line.Contains("Rescind.Audit[4500] {\"event_type\":\"user_logged_out\"",
            StringComparison.Ordinal) && line.Contains(user.UserId, StringComparison.Ordinal));
    }

    [Fact]
    public async Task Administration_leaves_an_event_for_each_rule_and_lift()
    {
        var admin = await server.LogInAsAdminAsync();
        var mark = Guid.NewGuid().ToString("n");
        var made = await server.PostAsync("/api/auth/admin/revocations",
            new { target = new { type = "client", value = mark }, reason = "security_incident" }, admin.Access);
        var id = made.Json.GetProperty("id").GetString();
        (await server.SendAsync(HttpMethod.Delete, $"/api/auth/admin/revocations/{id}", new { reason = "restored" },
            admin.Access)).IsSuccess();
        (await server.PostAsync("/api/auth/admin/revocations/batch",
            new
            {
                revocations = new[]
                {
                    new { target = new { type = "key", value = mark }, reason = "batch_" + mark[..8] },
                    new { target = new { type = "session", value = mark }, reason = "batch_" + mark[..8] },
                },
            }, admin.Access)).IsSuccess();

        (await server.PostAsync("/api/auth/admin/cleanup", null, admin.Access)).IsSuccess();

        var types = (await EventsAsync(admin, $"actor={admin.UserId}&limit=5"))
            .Select(one => one.GetProperty("event_type").GetString()).Reverse();

        Assert.Equal(
            ["client_tokens_revoked", "revocation_lifted", "key_revoked", "session_revoked", "blacklist_cleanup"], types);
    }

    [Fact]
    public async Task A_revoked_token_in_a_loop_makes_two_events_a_minute()
    {
        var (user, admin) = (await server.RegisterAsync(), await server.LogInAsAdminAsync());
        (await server.PostAsync("/api/auth/logout", null, user.Access)).IsSuccess();
        for (var i = 0; i < 50; i++)
        {
            Assert.Equal(401, await server.ProfileStatusAsync(user.Access));
        }

        server.Clock.Advance(TimeSpan.FromSeconds(61));
        await server.Services.GetRequiredService<AuditTrail>().KeepCountsAsync(all: false);

        var counts = new List<int>();
        await Redis.Eventually.TrueAsync(async () =>
        {
            var events = await EventsAsync(admin, $"user_id={user.UserId}&event_type=blacklisted_token_used");
            counts = [.. events.Select(one => one.GetProperty("count").GetInt32())];
            return counts.Count > 1;
        }, "the counted ones are noted");
        Assert.Equal([49, 1], counts);
    }

    [Fact]
    public async Task Failed_log_ins_are_counted_by_address_and_a_lockout_is_told()
    {
        var (user, admin) = (await server.RegisterAsync(), await server.LogInAsAdminAsync());
        for (var i = 0; i < 5; i++)
        {
            await server.PostAsync("/api/auth/login", new { email = user.Email, password = "a wrong one" });
        }

        var locked = await EventsAsync(admin, $"user_id={user.UserId}&event_type=account_locked");
        Assert.Equal("anonymous", Assert.Single(locked).GetProperty("actor_type").GetString());
        await Redis.Eventually.TrueAsync(async () =>
            (await EventsAsync(admin, $"user_id={user.UserId}&event_type=login_failed")).Count > 0, "a failure is noted");
    }

    /// <summary>Whoever tries many accounts from one address must not have all of it booked on the first.</summary>
    [Fact]
    public async Task Failed_log_ins_are_booked_on_the_account_that_was_tried()
    {
        var (first, second, admin) = (
            await server.RegisterAsync(), await server.RegisterAsync(), await server.LogInAsAdminAsync());
        foreach (var user in new[] { first, second, second })
        {
            await server.PostAsync("/api/auth/login", new { email = user.Email, password = "a wrong one" });
        }
        foreach (var user in new[] { first, second })
        {
            IReadOnlyList<JsonElement> failed = [];
            await Redis.Eventually.TrueAsync(async () =>
            {
                failed = await EventsAsync(admin, $"user_id={user.UserId}&event_type=login_failed");
                return failed.Count > 0;
            }, "the failure is noted");
            Assert.Equal(1, failed[0].GetProperty("count").GetInt32());
        }
    }

    /// <summary>A thief of a refresh token, with an account of his own.</summary>
    [Fact]
    public async Task A_log_out_is_booked_on_whose_session_ended()
    {
        var (caller, other, admin) = (
            await server.RegisterAsync(), await server.RegisterAsync(), await server.LogInAsAdminAsync());
        (await server.PostAsync("/api/auth/logout", new { refresh_token = other.Refresh }, caller.Access)).IsSuccess();
        foreach (var user in new[] { caller, other })
        {
            var events = await EventsAsync(admin, $"user_id={user.UserId}");
            Assert.Equal(
                ["session_revoked", "user_logged_out", "user_registered"],
                events.Select(one => one.GetProperty("event_type").GetString()).Order());
        }
    }

    [Fact]
    public async Task Who_became_an_administrator_and_how_is_told()
    {
        var (user, admin) = (await server.RegisterAsync(), await server.LogInAsAdminAsync());
        var id = "imported-" + Guid.NewGuid().ToString("n");
        var hash = BCrypt.Net.BCrypt.HashPassword(ServerUnderTest.Password, workFactor: 4);
        (await server.PostAsync("/api/auth/admin/import-users", new
        {
            users = new[] { new { id, email = server.NewEmail(), password_hash = hash, is_admin = true } },
        }, admin.Access)).IsSuccess();
        (await server.SendAsync(
            HttpMethod.Patch, $"/api/auth/admin/users/{user.UserId}", new { is_admin = true }, admin.Access)).IsSuccess();
        var imported = Assert.Single(await EventsAsync(admin, $"user_id={id}"));
        Assert.Equal(("users_imported", "an administrator", admin.UserId), (
            imported.GetProperty("event_type").GetString(), imported.GetProperty("note").GetString(),
            imported.GetProperty("actor").GetString()));
        var changed = Assert.Single(await EventsAsync(admin, $"user_id={user.UserId}&event_type=account_changed"));
        Assert.Equal("is_admin true", changed.GetProperty("note").GetString());
    }

    [Fact]
    public async Task The_next_page_of_a_csv_asks_for_the_same()
    {
        var (user, admin) = (await server.RegisterAsync(), await server.LogInAsAdminAsync());
        await server.LogInAsync(user.Email);
        await server.RegisterAsync();
        var (path, pages) = ($"/api/auth/admin/audit?user_id={user.UserId}&limit=1", new List<string>());
        while (path is not null)
        {
            using var request = new HttpRequestMessage(HttpMethod.Get, path);
            request.Headers.Authorization = new("Bearer", admin.Access);
            request.Headers.Accept.ParseAdd("text/csv");
            using var response = await server.Http.SendAsync(request);
            pages.Add((await response.Content.ReadAsStringAsync()).Split("\r\n")[1]);
            path = response.Headers.TryGetValues("Link", out var links)
                ? "/api/auth/admin/audit" + links.Single().Split('<', '>')[1]
                : null;
        }
        Assert.Equal(2, pages.Count);
        Assert.All(pages, line => Assert.Contains(user.UserId, line, StringComparison.Ordinal));
    }

    [Fact]
    public async Task Pages_join_without_gaps_while_events_arrive()
    {
        var (user, admin) = (await server.RegisterAsync(), await server.LogInAsAdminAsync());
        for (var i = 0; i < 6; i++)
        {
            await server.LogInAsync(user.Email);
        }
        var (seen, cursor) = (new List<long>(), (string?)null);
        do
        {
            var page = await server.GetAsync(
                $"/api/auth/admin/audit?user_id={user.UserId}&limit=2&cursor={cursor}", admin.Access);
            page.IsSuccess();
            seen.AddRange(page.Json.GetProperty("items").EnumerateArray().Select(one => one.GetProperty("number").GetInt64()));
            cursor = page.Json.GetProperty("next_cursor").GetString();
            await server.LogInAsync(user.Email);
        }
        while (cursor is not null);

        Assert.Equal(7, seen.Count);
        Assert.Equal(seen.OrderDescending(), seen);
        (await server.GetAsync("/api/auth/admin/audit?cursor=nonsense!", admin.Access)).IsRefusal(400, "validation_failed");
        (await server.GetAsync("/api/auth/admin/audit?limit=5000", admin.Access)).IsRefusal(400, "validation_failed");
        (await server.GetAsync("/api/auth/admin/audit", user.Access)).IsRefusal(403, "forbidden");
    }

    [Fact]
    public async Task Csv_has_no_cell_that_starts_a_formula()
    {
        var (user, admin) = (await server.RegisterAsync(), await server.LogInAsAdminAsync());
        using var login = new HttpRequestMessage(HttpMethod.Post, "/api/auth/login");
        login.Headers.TryAddWithoutValidation("User-Agent", "=HYPERLINK(\"http://x\",\"a\")");
        login.Content = System.Net.Http.Json.JsonContent.Create(
            new { email = user.Email, password = ServerUnderTest.Password });
        Assert.Equal(200, (await Reply.OfAsync(await server.Http.SendAsync(login))).Status);

        using var request = new HttpRequestMessage(
            HttpMethod.Get, $"/api/auth/admin/audit?user_id={user.UserId}&event_type=login_succeeded");
        request.Headers.Authorization = new("Bearer", admin.Access);
        request.Headers.Accept.ParseAdd("text/csv");
        var reply = await Reply.OfAsync(await server.Http.SendAsync(request));

        Assert.Equal((200, "text/csv"), (reply.Status, reply.MediaType));
        Assert.Contains("\"'=HYPERLINK(\"\"http://x\"\",\"\"a\"\")\"", reply.Text, StringComparison.Ordinal);
        Assert.StartsWith("timestamp,event_type,user_id", reply.Text, StringComparison.Ordinal);
        Assert.Equal(2, reply.Text.Split("\r\n", StringSplitOptions.RemoveEmptyEntries).Length);
    }

    [Theory]
    [InlineData("changed", "UPDATE {0} SET {note} = 'nothing happened' WHERE {number} = 3", 3)]
    [InlineData("missing", "DELETE FROM {0} WHERE {number} = 3", 3)]
    [InlineData("missing", "DELETE FROM {0} WHERE {number} = 1", 1)]
    [InlineData("changed", "UPDATE {0} SET {number} = -3 WHERE {number} = 3; UPDATE {0} SET {number} = 3 WHERE {number} = 4; UPDATE {0} SET {number} = 4 WHERE {number} = -3", 3)]
    [InlineData("missing: this node wrote it", "DELETE FROM {0} WHERE {number} > 3", 4)]
    public async Task Verify_finds_what_was_done_to_the_table(string problem, string sql, long number)
    {
        await using var own = await NewServerAsync();
        var admin = await own.LogInAsAdminAsync();
        for (var i = 0; i < 5; i++)
        {
            await own.RegisterAsync();
        }
        var before = await own.GetAsync("/api/auth/admin/audit/verify", admin.Access);
        Assert.True(before.Json.GetProperty("intact").GetBoolean(), before.Text);

        await using (var db = await own.Services.GetRequiredService<IDbContextFactory<AccountsDb>>().CreateDbContextAsync())
        {
            var isSqlite = db.Database.IsSqlite();
            await db.Database.ExecuteSqlRawAsync(sql
                .Replace("{0}", isSqlite ? "audit_events" : "rescind.audit_events")
                .Replace("{number}", isSqlite ? "Number" : "number").Replace("{note}", isSqlite ? "Note" : "note"));
        }

        var after = await own.GetAsync("/api/auth/admin/audit/verify", admin.Access);
        Assert.False(after.Json.GetProperty("intact").GetBoolean());
        var broken = Assert.Single(after.Json.GetProperty("nodes").EnumerateArray()).GetProperty("first_broken");
        Assert.Equal((number, problem), (broken.GetProperty("number").GetInt64(), broken.GetProperty("problem").GetString()));
    }

    [Fact]
    public async Task A_file_that_was_rolled_back_begins_a_new_chain_and_loses_nothing()
    {
        await using var own = await NewServerAsync();
        await own.RegisterAsync();
        await own.StopAsync();
        var (file, copy) = (Path.Combine(own.Data, AuditSpool.FileName), Path.Combine(own.Data, "copy"));
        File.Copy(file, copy);
        await own.RestartAsync();
        await own.RegisterAsync();
        await own.StopAsync();
        File.Copy(copy, file, overwrite: true);
        await own.RestartAsync();

        var (user, admin) = (await own.RegisterAsync(), await own.LogInAsAdminAsync());

        var verified = await own.GetAsync("/api/auth/admin/audit/verify", admin.Access);
        Assert.True(verified.Json.GetProperty("intact").GetBoolean(), verified.Text);
        Assert.Equal(2, verified.Json.GetProperty("nodes").GetArrayLength());
        var events = await own.GetAsync($"/api/auth/admin/audit?user_id={user.UserId}", admin.Access);
        Assert.Single(events.Json.GetProperty("items").EnumerateArray());
    }

    [Fact]
    public async Task An_administrator_is_told_when_an_event_could_not_be_kept_and_the_log_has_it()
    {
        await using var own = await NewServerAsync();
        var (user, admin) = (await own.RegisterAsync(), await own.LogInAsAdminAsync());
        await own.Services.GetRequiredService<AuditSpool>().DisposeAsync();

        (await own.PostAsync("/api/auth/admin/revoke-user-tokens",
            new { user_id = user.UserId, reason = "admin_action" }, admin.Access)).IsRefusal(503, "store_unavailable");

        Assert.Equal(401, await own.ProfileStatusAsync(user.Access));
        await own.LogInAsync(user.Email);
        Assert.Contains(own.LogEntries, line => line.Contains("[4501]", StringComparison.Ordinal)
            && line.Contains("user_tokens_revoked", StringComparison.Ordinal));
        Assert.True(own.Services.GetRequiredService<AuditTrail>().Lost >= 2);
    }

    /// <summary>The tokens are dead whatever became of the call, so their event must be there.</summary>
    [Fact]
    public async Task A_revocation_whose_call_then_failed_has_its_event()
    {
        await using var own = await NewServerAsync();
        var (user, admin) = (await own.RegisterAsync(), await own.LogInAsAdminAsync());
        await using (var db = await own.Services.GetRequiredService<IDbContextFactory<AccountsDb>>().CreateDbContextAsync())
        {
            await db.Database.ExecuteSqlRawAsync(db.Database.IsSqlite()
                ? "CREATE TRIGGER full BEFORE INSERT ON sessions BEGIN SELECT RAISE(ABORT, 'full'); END"
                : "ALTER TABLE rescind.sessions ADD CONSTRAINT no_room CHECK (false) NOT VALID");
        }

        using var request = new HttpRequestMessage(HttpMethod.Post, "/api/auth/change-password");
        request.Headers.Authorization = new AuthenticationHeaderValue("Bearer", user.Access);
        request.Content = JsonContent.Create(
            new { current_password = ServerUnderTest.Password, new_password = "an entirely new one" });
        (await Reply.OfAsync(await own.Http.SendAsync(request))).IsRefusal(500, "internal_error");

        Assert.Equal(401, await own.ProfileStatusAsync(user.Access));
        var events = await own.GetAsync($"/api/auth/admin/audit?user_id={user.UserId}", admin.Access);
        Assert.Contains("user_tokens_revoked", events.Json.GetProperty("items").EnumerateArray()
            .Select(one => one.GetProperty("event_type").GetString()));
    }

    /// <summary>Else one event that the database refuses keeps all later ones out, for ever.</summary>
    [Fact]
    public async Task The_longest_id_in_the_widest_letters_reaches_the_database()
    {
        var admin = await server.LogInAsAdminAsync();
        var random = new Random(1);
        var id = string.Concat(Enumerable.Range(0, 1024).Select(_ => (char)random.Next(0x4E00, 0x9FA0)));

        (await server.PostAsync("/api/auth/admin/revoke-user-tokens", new { user_id = id, reason = "admin_action" },
            admin.Access)).IsSuccess();
        (await server.PostAsync("/api/auth/admin/revocations",
            new { target = new { type = "client", value = id }, reason = "admin_action" }, admin.Access)).IsSuccess(201);

        var events = await EventsAsync(admin, "event_type=user_tokens_revoked");
        Assert.StartsWith(events[0].GetProperty("user_id").GetString()!, id, StringComparison.Ordinal);
        var rules = await server.GetAsync("/api/auth/admin/revocations?limit=1", admin.Access);
        Assert.Equal(id, rules.Json.GetProperty("items")[0].GetProperty("target").GetProperty("value").GetString());
    }

    protected abstract Task<ServerUnderTest> NewServerAsync();

    private async Task<IReadOnlyList<JsonElement>> EventsAsync(Tokens admin, string query)
    {
        var reply = await server.GetAsync("/api/auth/admin/audit?" + query, admin.Access);
        reply.IsSuccess();
        return [.. reply.Json.GetProperty("items").EnumerateArray()];
    }
}

public sealed class AuditTestsOnSqlite(ServerUnderTest server) : AuditTests(server), IClassFixture<ServerUnderTest>
{
    protected override Task<ServerUnderTest> NewServerAsync() => ServerUnderTest.StartAsync();
}

public sealed class AuditTestsOnPostgres(ServerOnPostgres server)
    : AuditTests(server), IClassFixture<ServerOnPostgres>
{
    protected override async Task<ServerUnderTest> NewServerAsync() =>
        await ServerUnderTest.StartAsync(("DATABASE_URL", await server.Postgres.NewDatabaseAsync()));
}
