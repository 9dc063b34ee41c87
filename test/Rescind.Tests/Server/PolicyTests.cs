using System.Net.Http.Json;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using Rescind.Server.Answers;
using Rescind.Server.Sessions;
using Rescind.Tests.Redis;

namespace Rescind.Tests.Server;

/// <summary>What the settings change in the answers, and what happens to the unexpected.</summary>
public sealed class PolicyTests
{
    [Theory]
    [InlineData("accept")]
    [InlineData("refuse")]
    public async Task A_node_that_is_cut_off_from_its_log_does_as_it_was_told(string policy)
    {
        var log = new CutOffLog();
        await using var server = new ServerUnderTest { Replace = log.PutInto };
        await server.StartWithAsync(("BLACKLIST_WHEN_UNKNOWN", policy), ("BLACKLIST_FRESHNESS_MS", "1500"));
        var (dead, alive) = (await server.RegisterAsync(), await server.RegisterAsync());
        (await server.PostAsync("/api/auth/logout", null, dead.Access)).IsSuccess();

        log.CutOff();
        await server.UntilAsync(() => !server.Services.GetRequiredService<Blacklist>().GetStatus().Fresh);

        (await server.GetAsync("/api/users/profile", dead.Access)).IsRefusal(401, "token_revoked");
        var read = await server.GetAsync("/api/users/profile", alive.Access);
        var refreshed =
            await server.PostAsync("/api/auth/refresh", new { refresh_token = alive.Refresh }, alive.Access);
        if (policy == "accept")
        {
            read.IsSuccess();
            refreshed.IsSuccess();
        }
        else
        {
            read.IsRefusal(503, "revocation_unknown");
            Assert.Equal("1", read.Headers["Retry-After"]);
            Assert.False(read.Headers.ContainsKey("WWW-Authenticate"));
            refreshed.IsRefusal(503, "revocation_unknown");
            (await server.PostAsync(
                "/api/auth/login", new { email = alive.Email, password = "wrong wrong" }, alive.Access))
                .IsRefusal(401, "invalid_credentials");
        }
    }

    /// <summary>Another node may have ended it and noted that in the row, while this one cannot hear of the rule.</summary>
    [Fact]
    public async Task A_session_that_has_ended_is_not_refreshed_where_the_blacklist_does_not_know()
    {
        var log = new CutOffLog();
        await using var server = new ServerUnderTest { Replace = log.PutInto };
        await server.StartWithAsync(("BLACKLIST_FRESHNESS_MS", "100"));
        var (ended, alive) = (await server.RegisterAsync(), await server.RegisterAsync());
        await server.Services.GetRequiredService<SessionBook>().EndAsync(ended.Session);
        log.CutOff();
        await server.UntilAsync(() => !server.Services.GetRequiredService<Blacklist>().GetStatus().Fresh);

        (await server.PostAsync("/api/auth/refresh", new { refresh_token = ended.Refresh })).IsRefusal(401, "token_revoked");
        (await server.PostAsync("/api/auth/refresh", new { refresh_token = alive.Refresh })).IsSuccess();
    }

    /// <summary>A rule is kept for as long as what was issued until it was made can live. A node that cannot hear of it, and
    /// gave the session new life meanwhile, would have it back once the rule is forgotten.</summary>
    [Fact]
    public async Task A_refresh_where_the_blacklist_does_not_know_gives_no_longer_life()
    {
        var log = new CutOffLog();
        await using var server = new ServerUnderTest { Replace = log.PutInto };
        await server.StartWithAsync(
            ("BLACKLIST_FRESHNESS_MS", "1500"), ("ACCESS_TOKEN_EXPIRE_MINUTES", "1440"), ("REFRESH_TOKEN_EXPIRE_DAYS", "1"));
        var first = await server.RegisterAsync();
        await PassSecondAsync();
        var second = await RefreshAsync(first);
        Assert.True(Expiry(second.Refresh) > Expiry(first.Refresh));
        log.CutOff();
        await server.UntilAsync(() => !server.Services.GetRequiredService<Blacklist>().GetStatus().Fresh);
        await PassSecondAsync();

        var third = await RefreshAsync(second);
        var retried = await RefreshAsync(second);
        await PassSecondAsync();
        var fourth = await RefreshAsync(third);

        Assert.All(
            [third.Refresh, third.Access, retried.Refresh, retried.Access, fourth.Refresh, fourth.Access],
            token => Assert.Equal(Expiry(second.Refresh), Expiry(token)));

        async Task<Tokens> RefreshAsync(Tokens tokens)
        {
            var reply = await server.PostAsync("/api/auth/refresh", new { refresh_token = tokens.Refresh });
            var next = Tokens.Of(reply.Json);
            Assert.InRange(
                reply.Json.GetProperty("expires_in").GetInt64(), Remaining(next.Access) - 1, Remaining(next.Access) + 10);
            Assert.InRange(
                reply.Json.GetProperty("refresh_expires_in").GetInt64(), Remaining(next.Refresh) - 1, Remaining(next.Refresh) + 10);
            return next;
        }

        static long Expiry(string token) => MintedTokens.Read(token).GetProperty("exp").GetInt64();
        static long Remaining(string token) => Expiry(token) - DateTimeOffset.UtcNow.ToUnixTimeSeconds();
        static Task PassSecondAsync() => Task.Delay(1_100, TestContext.Current.CancellationToken);
    }

    [Fact]
    public async Task A_registration_that_is_refused_leaves_neither_an_account_nor_an_event()
    {
        await using var server = await ServerUnderTest.StartAsync();
        var admin = await server.LogInAsAdminAsync();
        var key = MintedTokens.ReadHeader(admin.Access).GetProperty("kid").GetString();
        (await server.PostAsync("/api/auth/admin/security-incident",
            new { scope = new { key_id = key }, reason = "security_incident", note = "a stolen key" }, admin.Access)).IsSuccess();

        (await server.PostAsync("/api/auth/register", new { email = "new@example.com", password = ServerUnderTest.Password }))
            .IsRefusal(503, "issuing_stopped");

        Assert.DoesNotContain(server.LogEntries, line => line.Contains("user_registered", StringComparison.Ordinal));
        (await server.PostAsync("/api/auth/login", new { email = "new@example.com", password = ServerUnderTest.Password }))
            .IsRefusal(401, "invalid_credentials");
    }

    /// <summary>It was stamped past them, and they no longer say so.</summary>
    [Fact]
    public async Task A_token_goes_on_when_the_cutoffs_that_it_stepped_over_are_lifted()
    {
        await using var server = await ServerUnderTest.StartAsync();
        var (first, admin) = (await server.RegisterAsync(), await server.LogInAsAdminAsync());
        var body = new { target = new { type = "subject", value = first.UserId }, reason = "revoked" };
        var rules = new List<string?>();
        for (var i = 0; i < 6; i++)
        {
            var made = await server.PostAsync("/api/auth/admin/revocations", body, admin.Access);
            rules.Add(made.Json.GetProperty("receipt").GetProperty("id").GetString());
        }
        var next = await server.LogInAsync(first.Email);
        Assert.Equal(200, await server.ProfileStatusAsync(next.Access));
        foreach (var rule in rules)
        {
            (await server.SendAsync(HttpMethod.Delete, $"/api/auth/admin/revocations/{rule}", new { reason = "restored" }, admin.Access))
                .IsSuccess();
        }

        (await server.GetAsync("/api/users/profile", next.Access)).IsSuccess();
    }

    [Theory]
    [InlineData("true")]
    [InlineData("false")]
    public async Task What_ends_a_users_tokens_is_kept_for_ever_only_where_tokens_need_not_say_when_they_were_issued(string carried)
    {
        await using var server = await ServerUnderTest.StartAsync(("TOKENS_CARRY_IAT", carried));
        var (tokens, admin) = (await server.RegisterAsync(), await server.LogInAsAdminAsync());
        var undated = MintedTokens.Claims(tokens.UserId);
        undated.Remove("iat");
        var shown = await server.GetAsync("/api/users/profile", MintedTokens.Sign(undated));
        var body = new { target = new { type = "subject", value = tokens.UserId }, reason = "revoked" };

        (await server.PostAsync("/api/auth/admin/revocations", body, admin.Access)).IsSuccess(201);

        var log = server.Services.GetRequiredService<IRevocationLog>();
        var entries = (await log.ReadAsync(default, 100, TestContext.Current.CancellationToken)).Entries.ToArray();
        var rule = entries.Single(entry => entry.Id.Kind == RuleKind.Subject);
        if (carried == "true")
        {
            shown.IsRefusal(401, "token_invalid");
            var ends = rule.ExpiresAt - DateTimeOffset.UtcNow;
            Assert.InRange(ends, TimeSpan.FromDays(8), TimeSpan.FromDays(8) + TimeSpan.FromMinutes(1));
        }
        else
        {
            shown.IsSuccess();
            Assert.Equal(DateTimeOffset.MaxValue, rule.ExpiresAt);
        }
    }

    [Fact]
    public async Task A_revocation_that_nothing_could_keep_is_a_503_and_the_token_goes_on()
    {
        var log = new CutOffLog();
        await using var server = new ServerUnderTest { Replace = log.PutInto };
        await server.StartWithAsync();
        var (tokens, admin) = (await server.RegisterAsync(), await server.LogInAsAdminAsync());
        log.CutOff();

        (await server.PostAsync("/api/auth/logout", null, tokens.Access)).IsRefusal(503, "store_unavailable");
        (await server.PostAsync("/api/auth/logout-all", null, tokens.Access))
            .IsRefusal(503, "store_unavailable");
        (await server.PostAsync("/api/auth/revoke", null, tokens.Access)).IsRefusal(503, "store_unavailable");
        (await server.PostAsync(
            "/api/auth/admin/revoke-user-tokens", new { user_id = tokens.UserId, reason = "revoked" },
                admin.Access))
            .IsRefusal(503, "store_unavailable");
        Assert.Equal(200, await server.ProfileStatusAsync(tokens.Access));
    }

    [Fact]
    public async Task Nothing_is_issued_with_a_signing_key_that_is_revoked()
    {
        await using var server = await ServerUnderTest.StartAsync();
        var (tokens, admin) = (await server.RegisterAsync(), await server.LogInAsAdminAsync());
        var kid = MintedTokens.ReadHeader(tokens.Access).GetProperty("kid").GetString();
        var body = new { target = new { type = "key", value = kid }, reason = "security_incident" };

        (await server.PostAsync("/api/auth/admin/revocations", body, admin.Access)).IsSuccess(201);

        Assert.Equal(401, await server.ProfileStatusAsync(tokens.Access));
        (await server.PostAsync(
            "/api/auth/login", new { email = tokens.Email, password = ServerUnderTest.Password }))
            .IsRefusal(503, "issuing_stopped");
    }

    /// <summary>By a clock minutes behind, a good refresh token is not valid yet; by one minutes ahead, a client that tries
    /// again looks like a thief. Either would log a user out.</summary>
    [Theory]
    [InlineData(-10)]
    [InlineData(10)]
    public async Task A_node_that_knows_its_clock_is_wrong_refreshes_nothing_and_ends_nothing(int minutes)
    {
        await using var redis = await RedisServer.StartAsync();
        await using var server = await ServerUnderTest.StartAsync(("REDIS_URL", redis.Url));
        var tokens = await server.RegisterAsync();
        (await RefreshAsync()).IsSuccess();

        server.Clock.Advance(TimeSpan.FromMinutes(minutes));
        await UntilItKnowsAsync(minutes * 60);
        var refused = await RefreshAsync();
        refused.IsRefusal(503, "issuing_stopped");
        Assert.Equal("2", refused.Headers["Retry-After"]); // within the grace period, elsewhere

        server.Clock.Advance(TimeSpan.FromMinutes(-minutes));
        await UntilItKnowsAsync(0);
        (await RefreshAsync()).IsSuccess();

        Task<Reply> RefreshAsync() => server.PostAsync("/api/auth/refresh", new { refresh_token = tokens.Refresh });

        Task UntilItKnowsAsync(int ahead) => server.UntilAsync(() =>
            server.Services.GetRequiredService<Blacklist>().GetStatus() is { Fresh: true } status
            && status.ClockAhead is { } known && Math.Abs(known.TotalSeconds - ahead) < 1);
    }

    [Fact]
    public async Task A_token_of_an_account_that_is_not_here_has_no_profile()
    {
        await using var server = await ServerUnderTest.StartAsync();

        (await server.GetAsync("/api/users/profile", MintedTokens.Sign(MintedTokens.Claims("nobody"))))
            .IsRefusal(404, "not_found");
    }

    [Fact]
    public async Task Only_allowed_origins_get_cors_headers()
    {
        await using var server =
            await ServerUnderTest.StartAsync(("CORS_ORIGINS", "https://app.example.com"));

        Assert.Equal("https://app.example.com", await OriginAsync(server, "https://app.example.com"));
        Assert.Null(await OriginAsync(server, "https://evil.example.com"));
    }

    [Theory]
    [InlineData("127.0.0.1", 401)]
    [InlineData("10.9.9.9", 429)]
    public async Task Forwarded_addresses_count_from_named_proxies_only(string proxy, int sixthAnswer)
    {
        await using var server = await ServerUnderTest.StartAsync(("FORWARDED_PROXIES", proxy));
        var last = 0;
        for (var i = 0; i < 6; i++)
        {
            using var request = new HttpRequestMessage(HttpMethod.Post, "/api/auth/login");
            request.Headers.Add("X-Forwarded-For", $"192.0.2.{i}");
            request.Content =
                JsonContent.Create(new { email = "victim@example.com", password = "wrong wrong" });
            using var response = await server.Http.SendAsync(request);
            last = (int)response.StatusCode;
        }

        Assert.Equal(sixthAnswer, last);
    }

    [Fact]
    public async Task An_unexpected_fault_is_a_500_that_tells_the_caller_nothing_and_the_log_everything()
    {
        using var log = new LogLines();
        using var factory = LoggerFactory.Create(logging => logging.AddProvider(log));
        var context = new DefaultHttpContext();
        using var body = new MemoryStream();
        context.Response.Body = body;

        var handler = new FaultHandler(factory.CreateLogger<FaultHandler>());
        var isHandled = await handler.TryHandleAsync(
            context, new NotSupportedException("inner workings"), CancellationToken.None);

        Assert.True(isHandled);
        Assert.Equal(500, context.Response.StatusCode);
        var text = System.Text.Encoding.UTF8.GetString(body.ToArray());
        Assert.Contains("internal_error", text, StringComparison.Ordinal);
        Assert.DoesNotContain("inner workings", text, StringComparison.Ordinal);
        Assert.Contains(log.Lines, line => line.Contains("inner workings", StringComparison.Ordinal));
    }

    private static async Task<string?> OriginAsync(ServerUnderTest server, string origin)
    {
        using var request = new HttpRequestMessage(HttpMethod.Options, "/api/auth/login");
        request.Headers.Add("Origin", origin);
        request.Headers.Add("Access-Control-Request-Method", "POST");
        using var response = await server.Http.SendAsync(request);
        return response.Headers.TryGetValues("Access-Control-Allow-Origin", out var values) ? values.Single()
            : null;
    }
}
