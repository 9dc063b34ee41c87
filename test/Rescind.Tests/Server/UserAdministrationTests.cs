using System.Text.Json;
using Microsoft.AspNetCore.Http;
using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.DependencyInjection;
using Rescind.Server.Accounts;
using Rescind.Server.Database;

namespace Rescind.Tests.Server;

/// <summary>Administrators and the users of this server: find, change, end, and the incident.</summary>
public abstract class UserAdministrationTests(ServerUnderTest server)
{
    [Fact]
    public async Task Users_are_found_by_a_part_of_the_address_or_the_id_and_pages_join()
    {
        var mark = Guid.NewGuid().ToString("n")[..12];
        var admin = await server.LogInAsAdminAsync();
        var users = new List<Tokens>();
        for (var i = 0; i < 5; i++)
        {
            users.Add(await server.RegisterAsync($"{i}{mark}@example.com"));
        }

        var (found, cursor) = (new List<string>(), "");
        do
        {
            var page = await server.GetAsync(
                $"/api/auth/admin/users?query={mark.ToUpperInvariant()}&limit=2&cursor={Uri.EscapeDataString(cursor!)}", admin.Access);
            page.IsSuccess();
            found.AddRange(page.Json.GetProperty("items").EnumerateArray().Select(one => one.GetProperty("id").GetString()!));
            cursor = page.Json.GetProperty("next_cursor").GetString();
        }
        while (cursor is not null);

        Assert.Equal(users.Select(user => user.UserId), found);
        var byId = await server.GetAsync($"/api/auth/admin/users?query={users[2].UserId}", admin.Access);
        Assert.Equal(users[2].Email, Assert.Single(byId.Json.GetProperty("items").EnumerateArray()).GetProperty("email").GetString());
        var none = await server.GetAsync("/api/auth/admin/users?query=%25", admin.Access);
        Assert.Empty(none.Json.GetProperty("items").EnumerateArray());
        (await server.GetAsync("/api/auth/admin/users", users[0].Access)).IsRefusal(403, "forbidden");
    }

    [Fact]
    public async Task A_disabled_user_is_out_at_once_and_stays_out_until_enabled()
    {
        var (user, admin) = (await server.RegisterAsync(), await server.LogInAsAdminAsync());

        var reply = await PatchAsync(user.UserId, new { disabled = true }, admin);

        reply.IsSuccess();
        Assert.True(reply.Json.GetProperty("user").GetProperty("disabled").GetBoolean());
        (await server.GetAsync("/api/users/profile", user.Access)).IsRefusal(401, "token_revoked");
        (await server.PostAsync("/api/auth/refresh", new { refresh_token = user.Refresh })).IsRefusal(401, "token_revoked");
        (await server.PostAsync("/api/auth/login", new { email = user.Email, password = ServerUnderTest.Password }))
            .IsRefusal(403, "account_disabled");
        (await server.PostAsync("/api/auth/login", new { email = user.Email, password = "a wrong one" }))
            .IsRefusal(401, "invalid_credentials");
        (await PatchAsync(user.UserId, new { disabled = false }, admin)).IsSuccess();
        await server.LogInAsync(user.Email);
    }

    [Fact]
    public async Task A_new_administrator_needs_a_new_token_and_a_former_one_loses_his()
    {
        var (user, admin) = (await server.RegisterAsync(), await server.LogInAsAdminAsync());
        (await PatchAsync(user.UserId, new { is_admin = true }, admin)).IsSuccess();
        Assert.Equal(401, await server.ProfileStatusAsync(user.Access));
        var promoted = await server.LogInAsync(user.Email);
        (await server.GetAsync("/api/auth/admin/users", promoted.Access)).IsSuccess();

        (await PatchAsync(user.UserId, new { is_admin = false }, admin)).IsSuccess();

        (await server.GetAsync("/api/auth/admin/users", promoted.Access)).IsRefusal(401, "token_revoked");
        (await PatchAsync(user.UserId, new { }, admin)).IsRefusal(400, "validation_failed");
        (await PatchAsync("nobody", new { is_admin = true }, admin)).IsRefusal(404, "not_found");
    }

    /// <summary>After some twenty in a row no tokens are made for a while; what was revoked still has an end.</summary>
    [Fact]
    public async Task The_cutoff_that_was_made_is_told_also_when_no_token_can_follow()
    {
        await using var own = await NewServerAsync();
        var (user, admin) = (await own.RegisterAsync(), await own.LogInAsAdminAsync());
        var facts = new TokenFacts { Issuer = "rescind", TokenId = "next", Subject = user.UserId };
        var blacklist = own.Services.GetRequiredService<Blacklist>();
        for (var (i, isOver) = (0, false); !isOver; i++)
        {
            isOver = blacklist.EarliestIssueTime(facts) == DateTimeOffset.MaxValue;
            var reply = await own.PostAsync(
                "/api/auth/admin/revoke-user-tokens", new { user_id = user.UserId, reason = "revoked" }, admin.Access);
            Assert.InRange(
                reply.Json.GetProperty("revoked_before").GetDateTimeOffset(),
                DateTimeOffset.UtcNow.AddSeconds(-10), DateTimeOffset.UtcNow.AddSeconds(30));
            Assert.InRange(i, 0, 200);
        }
    }

    /// <summary>The account was read before the transaction, when there was another administrator.</summary>
    [Fact]
    public async Task Who_became_the_last_administrator_meanwhile_cannot_go()
    {
        await using var own = await NewServerAsync();
        var (first, second) = (await own.LogInAsAdminAsync(), await own.RegisterAsync());
        var asRead = await own.Services.GetRequiredService<AccountStore>().ReadAsync(
            db => db.Accounts.SingleAsync(row => row.Id == second.UserId), CancellationToken.None);
        (await own.SendAsync(HttpMethod.Patch, $"/api/auth/admin/users/{second.UserId}", new { is_admin = true }, first.Access))
            .IsSuccess();
        second = await own.LogInAsync(second.Email);
        (await own.SendAsync(HttpMethod.Patch, $"/api/auth/admin/users/{first.UserId}", new { is_admin = false }, second.Access))
            .IsSuccess();

        var changed = await own.Services.GetRequiredService<CredentialChange>().DeleteAsync(asRead, new DefaultHttpContext());

        Assert.Equal(409, changed.Refusal?.Status);
        (await own.GetAsync("/api/auth/admin/users", second.Access)).IsSuccess();
    }

    [Fact]
    public async Task Two_administrators_who_remove_each_other_at_once_leave_one()
    {
        await using var own = await NewServerAsync();
        var first = await own.LogInAsAdminAsync();
        var second = await own.RegisterAsync();
        (await own.SendAsync(HttpMethod.Patch, $"/api/auth/admin/users/{second.UserId}", new { is_admin = true }, first.Access))
            .IsSuccess();
        second = await own.LogInAsync(second.Email);

        var replies = await Task.WhenAll(
            own.SendAsync(HttpMethod.Patch, $"/api/auth/admin/users/{second.UserId}", new { is_admin = false }, first.Access),
            own.SendAsync(HttpMethod.Patch, $"/api/auth/admin/users/{first.UserId}", new { disabled = true }, second.Access));

        Assert.Single(replies, reply => reply.Status == 200);
        Assert.Single(replies, reply => reply.Status is 409 or 401);
    }

    [Fact]
    public async Task Two_changes_of_one_user_at_once_are_both_kept()
    {
        var admin = await server.LogInAsAdminAsync();
        for (var round = 0; round < 10; round++)
        {
            var user = await server.RegisterAsync();
            await Task.WhenAll(
                PatchAsync(user.UserId, new { disabled = true }, admin),
                PatchAsync(user.UserId, new { is_admin = true }, admin));

            var found = await server.GetAsync($"/api/auth/admin/users?query={user.UserId}", admin.Access);
            var now = Assert.Single(found.Json.GetProperty("items").EnumerateArray());
            Assert.Equal((true, true), (now.GetProperty("disabled").GetBoolean(), now.GetProperty("is_admin").GetBoolean()));
        }
    }

    [Fact]
    public async Task Sessions_of_a_user_are_listed_and_ended()
    {
        var (user, admin) = (await server.RegisterAsync(), await server.LogInAsAdminAsync());
        var ended = await ServerUnderTest.CountedAsync("sessions_revoked", async () =>
        {
            user = await server.RegisterAsync();
            await server.LogInAsync(user.Email);
            var list = await server.GetAsync($"/api/auth/admin/users/{user.UserId}/sessions", admin.Access);
            Assert.Equal(2, list.Json.GetProperty("sessions").GetArrayLength());
            return await server.SendAsync(
                HttpMethod.Delete, $"/api/auth/admin/users/{user.UserId}/sessions", null, admin.Access);
        });

        ended.IsSuccess();
        Assert.Equal(2, ended.Json.GetProperty("sessions_revoked").GetInt32());
        (await server.GetAsync("/api/users/profile", user.Access)).IsRefusal(401, "token_revoked");
        await server.LogInAsync(user.Email);
    }

    [Fact]
    public async Task Blacklisted_tokens_of_a_user_are_shown_by_their_beginning()
    {
        var (user, admin) = (await server.RegisterAsync(), await server.LogInAsAdminAsync());
        var other = await server.LogInAsync(user.Email);
        (await server.PostAsync("/api/auth/revoke", new { reason = "lost_phone" }, other.Access)).IsSuccess();
        (await server.PostAsync("/api/auth/logout", null, user.Access)).IsSuccess();

        var reply = await server.GetAsync($"/api/auth/admin/user-blacklisted-tokens/{user.UserId}", admin.Access);

        reply.IsSuccess();
        Assert.Equal(2, reply.Json.GetProperty("blacklisted_token_count").GetInt32());
        var tokens = reply.Json.GetProperty("blacklisted_tokens").EnumerateArray().ToList();
        Assert.Equal(["logout", "lost_phone"], tokens.Select(one => one.GetProperty("reason").GetString()));
        Assert.Equal(
            [Begin(user.Refresh), Begin(other.Access)], tokens.Select(one => one.GetProperty("jti").GetString()));
        Assert.All(tokens, one => Assert.Equal(user.UserId, one.GetProperty("revoked_by").GetString()));
    }

    [Fact]
    public async Task A_dry_run_counts_whom_it_would_hit()
    {
        var (user, admin) = (await server.RegisterAsync(), await server.LogInAsAdminAsync());
        await server.LogInAsync(user.Email);

        var reply = await server.PostAsync("/api/auth/admin/revocations",
            new { target = new { type = "subject", value = user.UserId }, reason = "admin_action", dry_run = true }, admin.Access);

        reply.IsSuccess();
        var would = reply.Json.GetProperty("would_revoke");
        Assert.Equal((2, 1), (would.GetProperty("sessions").GetInt32(), would.GetProperty("users").GetInt32()));
        Assert.Equal(200, await server.ProfileStatusAsync(user.Access));
    }

    [Fact]
    public async Task An_incident_names_what_it_did_to_each_target()
    {
        var (first, second, third) = (await server.RegisterAsync(), await server.RegisterAsync(), await server.RegisterAsync());
        var admin = await server.LogInAsAdminAsync();
        var scope = new { user_ids = new[] { first.UserId, second.UserId, "nobody here" }, client_id = "an-app" };

        var dry = await IncidentAsync(admin, new { scope, reason = "security_incident", note = "a leak", dry_run = true });
        dry.IsSuccess();
        Assert.Equal(200, await server.ProfileStatusAsync(first.Access));
        Assert.Equal(JsonValueKind.Null, dry.Json.GetProperty("receipt").ValueKind);

        var reply = await IncidentAsync(admin, new { scope, reason = "security_incident", note = "a leak" });
        reply.IsSuccess();
        Assert.Equal("everywhere", reply.Json.GetProperty("receipt").GetProperty("state").GetString());
        Assert.Equal(
            [("subject", 1), ("subject", 1), ("subject", 0), ("client", 0)],
            reply.Json.GetProperty("targets").EnumerateArray().Select(
                one => (one.GetProperty("type").GetString()!, one.GetProperty("sessions").GetInt32())));
        Assert.Equal((401, 401, 200), (await server.ProfileStatusAsync(first.Access),
            await server.ProfileStatusAsync(second.Access), await server.ProfileStatusAsync(third.Access)));

        (await IncidentAsync(admin, new { scope = new { }, reason = "x", note = "y" })).IsRefusal(400, "validation_failed");
        (await IncidentAsync(admin, new { scope, reason = "x" })).IsRefusal(400, "validation_failed");
        (await IncidentAsync(admin, new { scope = new { everyone = true }, reason = "x", note = "y" }))
            .IsRefusal(400, "validation_failed");
        Assert.Equal(200, await server.ProfileStatusAsync(third.Access));
    }

    /// <summary>It counted first, for as long as the caller waited.</summary>
    [Fact]
    public async Task An_incident_is_carried_out_though_its_caller_hangs_up()
    {
        var (user, admin) = (await server.RegisterAsync(), await server.LogInAsAdminAsync());
        var ids = Enumerable.Range(0, 900).Select(i => $"nobody-{i}").Append(user.UserId).ToArray();

        // Again where the machine had not even read the request when its caller hung up.
        for (var tries = 0; tries < 5 && await server.ProfileStatusAsync(user.Access) != 401; tries++)
        {
            using var request = new HttpRequestMessage(HttpMethod.Post, "/api/auth/admin/security-incident");
            request.Headers.Authorization = new("Bearer", admin.Access);
            request.Content = System.Net.Http.Json.JsonContent.Create(
                new { scope = new { user_ids = ids }, reason = "security_incident", note = "a leak" });
            using var hangUp = new CancellationTokenSource();
            var asked = server.Http.SendAsync(request, hangUp.Token);
            await Task.Delay(150, TestContext.Current.CancellationToken);
            await hangUp.CancelAsync();
            await asked.ContinueWith(static _ => { }, TaskScheduler.Default);
            await Task.Delay(TimeSpan.FromSeconds(3), TestContext.Current.CancellationToken);
        }
        Assert.Equal(401, await server.ProfileStatusAsync(user.Access));
    }

    [Fact]
    public async Task Everyone_is_everyone_and_log_ins_work_afterwards()
    {
        await using var own = await NewServerAsync();
        var (user, admin) = (await own.RegisterAsync(), await own.LogInAsAdminAsync());
        var foreign = MintedTokens.Sign(MintedTokens.Claims("somebody we never saw"));

        (await own.PostAsync("/api/auth/admin/security-incident",
            new { scope = new { everyone = true }, reason = "security_incident", note = "all", confirm = "revoke everything" },
            admin.Access)).IsSuccess();

        foreach (var token in new[] { user.Access, admin.Access, foreign })
        {
            (await own.GetAsync("/api/auth/token/validate", token)).IsRefusal(401, "token_revoked");
        }
        var again = await own.LogInAsync(user.Email);
        Assert.Equal(200, await own.ProfileStatusAsync(again.Access));
        var list = await own.GetAsync("/api/auth/sessions", again.Access);
        Assert.Single(list.Json.GetProperty("sessions").EnumerateArray());
    }

    protected abstract Task<ServerUnderTest> NewServerAsync();

    private Task<Reply> IncidentAsync(Tokens admin, object body) =>
        server.PostAsync("/api/auth/admin/security-incident", body, admin.Access);

    private Task<Reply> PatchAsync(string user, object body, Tokens admin) =>
        server.SendAsync(HttpMethod.Patch, $"/api/auth/admin/users/{user}", body, admin.Access);

    private static string Begin(string token) =>
        MintedTokens.Read(token).GetProperty("jti").GetString()![..8] + "...";
}

public sealed class UserAdministrationTestsOnSqlite(ServerUnderTest server)
    : UserAdministrationTests(server), IClassFixture<ServerUnderTest>
{
    protected override Task<ServerUnderTest> NewServerAsync() => ServerUnderTest.StartAsync();
}

public sealed class UserAdministrationTestsOnPostgres(ServerOnPostgres server)
    : UserAdministrationTests(server), IClassFixture<ServerOnPostgres>
{
    protected override async Task<ServerUnderTest> NewServerAsync() =>
        await ServerUnderTest.StartAsync(("DATABASE_URL", await server.Postgres.NewDatabaseAsync()));
}
