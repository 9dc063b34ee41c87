namespace Rescind.Tests.Server;

/// <summary>What an administrator can end, and that nobody else can.</summary>
public abstract class AdministrationTests(ServerUnderTest server)
{
    private const string RevokeUser = "/api/auth/admin/revoke-user-tokens";
    private const string RevokeJti = "/api/auth/admin/revoke-token-by-jti";

    public static TheoryData<string, string?> ForeignTokens => new()
    {
        { "a jti that is no UUID", "order-4711/ä" },
        { "no jti at all", null },
        { "a jti that is a UUID", "7d3f3a1e-32a5-4ec1-bb6f-6f6a3d6f5f5e" },
    };

    [Theory]
    [MemberData(nameof(ForeignTokens))]
    public async Task Revoking_a_user_ends_tokens_this_server_never_saw(string what, string? jti)
    {
        Assert.NotEmpty(what);
        var (tokens, admin) = (await server.RegisterAsync(), await server.LogInAsAdminAsync());
        var claims = MintedTokens.Claims(tokens.UserId);
        var minted = MintedTokens.Sign(jti is null ? claims : claims.With("jti", jti));
        Assert.Equal(200, await server.ProfileStatusAsync(minted));

        var reply = await server.PostAsync(
            RevokeUser, new { user_id = tokens.UserId, reason = "security_incident", note = "ticket 1" },
                admin.Access);

        reply.IsSuccess();
        (await server.GetAsync("/api/users/profile", minted)).IsRefusal(401, "token_revoked");
        Assert.Equal(401, await server.ProfileStatusAsync(tokens.Access));
        (await server.PostAsync("/api/auth/refresh", new { refresh_token = tokens.Refresh }))
            .IsRefusal(401, "token_revoked");
    }

    [Fact]
    public async Task A_token_minted_elsewhere_that_was_not_seen_before_its_user_was_revoked_is_refused()
    {
        var (tokens, admin) = (await server.RegisterAsync(), await server.LogInAsAdminAsync());
        var minted = MintedTokens.Sign(MintedTokens.Claims(tokens.UserId));
        var undated = MintedTokens.Claims(tokens.UserId);
        undated.Remove("iat");

        await server.PostAsync(RevokeUser, new { user_id = tokens.UserId, reason = "revoked" }, admin.Access);

        (await server.GetAsync("/api/users/profile", minted)).IsRefusal(401, "token_revoked");
        (await server.GetAsync("/api/users/profile", MintedTokens.Sign(undated)))
            .IsRefusal(401, "token_revoked");
    }

    [Fact]
    public async Task The_answer_tells_what_was_revoked_and_by_whom()
    {
        var (tokens, admin) = (await server.RegisterAsync(), await server.LogInAsAdminAsync());

        var reply = await ServerUnderTest.CountedAsync("sessions_revoked", async () =>
        {
            tokens = await server.RegisterAsync();
            await server.LogInAsync(tokens.Email);
            return await server.PostAsync(
                RevokeUser, new { user_id = tokens.UserId, reason = "admin_action" }, admin.Access);
        });

        Assert.Equal(tokens.UserId, reply.Json.GetProperty("user_id").GetString());
        Assert.True(reply.Json.GetProperty("known_user").GetBoolean());
        Assert.Equal(2, reply.Json.GetProperty("sessions_revoked").GetInt32());
        Assert.Equal(admin.UserId, reply.Json.GetProperty("revoked_by").GetString());
        var before = reply.Json.GetProperty("revoked_before").GetDateTimeOffset();
        Assert.InRange(before, DateTimeOffset.UtcNow.AddSeconds(-10), DateTimeOffset.UtcNow.AddSeconds(3));
        Assert.Equal("everywhere", reply.Json.GetProperty("receipt").GetProperty("state").GetString());
    }

    [Fact]
    public async Task A_login_right_after_the_revocation_gives_tokens_that_work()
    {
        var (tokens, admin) = (await server.RegisterAsync(), await server.LogInAsAdminAsync());
        for (var round = 0; round < 3; round++)
        {
            (await server.PostAsync(RevokeUser, new { user_id = tokens.UserId, reason = "revoked" },
                admin.Access))
                .IsSuccess();
            var next = await server.LogInAsync(tokens.Email);

            Assert.Equal(200, await server.ProfileStatusAsync(next.Access));
            var refreshed = await server.PostAsync("/api/auth/refresh", new { refresh_token = next.Refresh });
            Assert.Equal(200, await server.ProfileStatusAsync(Tokens.Of(refreshed.Json).Access));
        }
    }

    [Fact]
    public async Task Query_parameters_do_as_well_as_a_body()
    {
        var (tokens, admin) = (await server.RegisterAsync(), await server.LogInAsAdminAsync());

        var reply = await server.PostAsync(
            $"{RevokeUser}?user_id={tokens.UserId}&reason=admin_action", null, admin.Access);

        reply.IsSuccess();
        Assert.Equal(401, await server.ProfileStatusAsync(tokens.Access));
    }

    [Fact]
    public async Task A_user_that_is_not_ours_is_revoked_all_the_same()
    {
        var admin = await server.LogInAsAdminAsync();
        var minted = MintedTokens.Sign(MintedTokens.Claims("user_123"));
        (await server.GetAsync("/api/auth/token/validate", minted)).IsSuccess();

        var reply = await server.PostAsync(RevokeUser, new { user_id = "user_123", reason = "revoked" },
            admin.Access);

        reply.IsSuccess();
        Assert.False(reply.Json.GetProperty("known_user").GetBoolean());
        (await server.GetAsync("/api/auth/token/validate", minted)).IsRefusal(401, "token_revoked");
    }

    [Fact]
    public async Task A_token_can_be_revoked_by_its_jti()
    {
        var (tokens, admin) = (await server.RegisterAsync(), await server.LogInAsAdminAsync());
        var jti = MintedTokens.Read(tokens.Access).GetProperty("jti").GetString();
        var body = new { jti, reason = "admin_action", expires_at = DateTimeOffset.UtcNow.AddMinutes(30) };

        var reply = await server.PostAsync(RevokeJti, body, admin.Access);

        reply.IsSuccess();
        Assert.Equal(jti, reply.Json.GetProperty("jti").GetString());
        Assert.Equal(401, await server.ProfileStatusAsync(tokens.Access));
        (await server.PostAsync("/api/auth/refresh", new { refresh_token = tokens.Refresh })).IsSuccess();
    }

    [Fact]
    public async Task An_expiry_in_the_past_does_not_bring_a_token_back()
    {
        var (tokens, admin) = (await server.RegisterAsync(), await server.LogInAsAdminAsync());
        var jti = MintedTokens.Read(tokens.Access).GetProperty("jti").GetString();
        var body = new { jti, reason = "admin_action", expires_at = DateTimeOffset.UtcNow.AddDays(-1) };

        (await server.PostAsync(RevokeJti, body, admin.Access)).IsSuccess();
        (await server.PostAsync("/api/auth/admin/cleanup", null, admin.Access)).IsSuccess();

        Assert.Equal(401, await server.ProfileStatusAsync(tokens.Access));
    }

    [Fact]
    public async Task Whether_a_caller_is_administrator_counts_from_the_token()
    {
        var tokens = await server.RegisterAsync();
        var claims = MintedTokens.Claims("operator", isAdmin: true);
        var body = new { user_id = tokens.UserId, reason = "admin_action" };

        (await server.PostAsync(RevokeUser, body, MintedTokens.Sign(claims))).IsSuccess();

        var pretender = MintedTokens.Sign(MintedTokens.Claims("operator").With("is_admin", "yes"));
        (await server.PostAsync(RevokeUser, body, pretender)).IsRefusal(403, "forbidden");
    }

    [Fact]
    public async Task A_batch_may_be_as_large_as_the_contract_says()
    {
        var admin = await server.LogInAsAdminAsync();
        var revocations = Enumerable.Range(0, 10_000).Select(number => new
        {
            target = new { type = "token", value = $"{Guid.NewGuid()}" }, reason = "security_incident",
            note = $"ticket {number}".PadRight(100, '.'),
        });

        var reply = await server.PostAsync("/api/auth/admin/revocations/batch", new { revocations }, admin.Access);

        reply.IsSuccess();
        Assert.Equal(10_000, reply.Json.GetProperty("accepted").GetInt32());
    }

    [Theory]
    [InlineData("POST", RevokeUser)]
    [InlineData("POST", RevokeJti)]
    [InlineData("POST", "/api/auth/admin/revocations")]
    [InlineData("POST", "/api/auth/admin/revocations/batch")]
    [InlineData("GET", "/api/auth/admin/revocations")]
    [InlineData("DELETE", "/api/auth/admin/revocations/x")]
    [InlineData("GET", "/api/auth/admin/explain?jti=x")]
    [InlineData("POST", "/api/auth/admin/explain")]
    [InlineData("GET", "/api/auth/admin/blacklist-metrics")]
    [InlineData("POST", "/api/auth/admin/cleanup")]
    public async Task Every_administration_call_is_for_administrators_only(string method, string path)
    {
        var tokens = await server.RegisterAsync();

        (await server.SendAsync(new HttpMethod(method), path, null, tokens.Access))
            .IsRefusal(403, "forbidden");
        (await server.SendAsync(new HttpMethod(method), path)).IsRefusal(401, "token_missing");
    }

    [Fact]
    public async Task Revocations_are_made_listed_explained_and_lifted()
    {
        var (tokens, admin) = (await server.RegisterAsync(), await server.LogInAsAdminAsync());
        var rule = new { target = new { type = "session", value = tokens.Session },
            reason = "suspicious_activity" };

        var made = await server.PostAsync("/api/auth/admin/revocations", rule, admin.Access);

        made.IsSuccess(201);
        Assert.Equal(401, await server.ProfileStatusAsync(tokens.Access));
        var listed = await server.GetAsync(
            $"/api/auth/admin/revocations?type=session&value={tokens.Session}", admin.Access);
        listed.IsSuccess();
        var item = Assert.Single(listed.Json.GetProperty("items").EnumerateArray());
        var id = item.GetProperty("id").GetString();
        var explained = await server.PostAsync(
            "/api/auth/admin/explain", new { token = tokens.Access }, admin.Access);
        explained.IsSuccess();
        Assert.Contains("suspicious_activity", explained.Text, StringComparison.Ordinal);
        Assert.Contains(admin.UserId, explained.Text, StringComparison.Ordinal);

        var lifted = await server.SendAsync(
            HttpMethod.Delete, $"/api/auth/admin/revocations/{id}", new { reason = "restored" },
                admin.Access);

        lifted.IsSuccess();
        Assert.Equal(200, await server.ProfileStatusAsync(tokens.Access));
    }

    [Fact]
    public async Task Metrics_count_what_was_revoked_and_name_the_node()
    {
        var (tokens, admin) = (await server.RegisterAsync(), await server.LogInAsAdminAsync());
        await server.PostAsync("/api/auth/logout", null, tokens.Access);

        var reply = await server.GetAsync("/api/auth/admin/blacklist-metrics", admin.Access);

        reply.IsSuccess();
        var metrics = reply.Json.GetProperty("blacklist_metrics");
        Assert.True(metrics.GetProperty("rules").GetProperty("session").GetInt64() >= 1);
        Assert.True(metrics.GetProperty("access_tokens_blacklisted").GetInt64() >= 1);
        Assert.True(metrics.GetProperty("refresh_tokens_blacklisted").GetInt64() >= 1);
        Assert.Equal(admin.UserId, reply.Json.GetProperty("requested_by").GetString());
        var health = reply.Json.GetProperty("service_health");
        Assert.Equal("sqlite", health.GetProperty("store").GetString());
        Assert.Equal("healthy", health.GetProperty("status").GetString());
        Assert.NotEmpty(reply.Json.GetProperty("nodes")[0].GetProperty("id").GetString()!);
    }
}

public sealed class AdministrationTestsOnSqlite(ServerUnderTest server) : AdministrationTests(server), IClassFixture<ServerUnderTest>;

public sealed class AdministrationTestsOnPostgres(ServerOnPostgres server)
    : AdministrationTests(server), IClassFixture<ServerOnPostgres>;
