using System.Net.Http.Headers;
using Rescind.Tests.Redis;

namespace Rescind.Tests.Server;

/// <summary>How often a caller may do what; alone, and together with other nodes.</summary>
public sealed class RateLimitTests
{
    private static readonly (string, string?) On = ("RATE_LIMIT_ENABLED", null);

    [Fact]
    public async Task Each_call_of_the_contract_has_its_limit()
    {
        await using var server = await ServerUnderTest.StartAsync(On);
        var admin = await server.LogInAsAdminAsync();
        var user = await server.RegisterAsync();

        Assert.Equal(4, await GrantedAsync(6, () => server.PostAsync("/api/auth/register", new { })));
        Assert.Equal(5, await GrantedAsync(7, () => server.PostAsync("/api/auth/revoke", new { token = "none" }, user.Access)));
        Assert.Equal(10, await GrantedAsync(12, () => server.PostAsync(
            "/api/auth/logout", null, MintedTokens.Sign(MintedTokens.Claims("one user").With("jti", Guid.NewGuid().ToString())))));
        Assert.Equal(20, await GrantedAsync(22, () => server.PostAsync("/api/auth/admin/revocations", new { }, admin.Access)));
        Assert.Equal(120, await GrantedAsync(122, () => server.GetAsync("/api/auth/admin/blacklist-metrics", admin.Access)));
        Assert.Equal(5, await GrantedAsync(7, () => server.PostAsync("/api/auth/revoke", new { token = "none" }, admin.Access)));
    }

    [Fact]
    public async Task Ending_sessions_and_changing_passwords_have_limits_for_each_user()
    {
        await using var server = await ServerUnderTest.StartAsync(On);
        var (one, two) = (await server.RegisterAsync(), await server.RegisterAsync());

        Assert.Equal(10, await GrantedAsync(12, () => EndAsync(one)));
        Assert.Equal(20, await GrantedAsync(22, () => ChangeAsync(one)));
        Assert.Equal((404, 400), ((await EndAsync(two)).Status, (await ChangeAsync(two)).Status));

        Task<Reply> EndAsync(Tokens user) =>
            server.SendAsync(HttpMethod.Delete, "/api/auth/sessions/none", null, user.Access);

        Task<Reply> ChangeAsync(Tokens user) => server.PostAsync("/api/auth/change-password", new { }, user.Access);
    }

    [Fact]
    public async Task An_address_may_log_in_a_hundred_and_twenty_times_a_minute()
    {
        await using var server = await ServerUnderTest.StartAsync(On, ("FORWARDED_PROXIES", "127.0.0.1"));
        var user = new { email = ServerUnderTest.AdminEmail, password = ServerUnderTest.Password };

        Assert.Equal(120, await GrantedAsync(122, () => FromAsync("198.51.100.1", user)));

        // Over it no password is looked at.
        (await FromAsync("198.51.100.1", user with { password = "a guess" })).IsRefusal(429, "rate_limited");
        Assert.Equal(120, await GrantedAsync(122, number => FromAsync($"2001:db8:1:2::{number}", user)));
        (await FromAsync("198.51.100.2", user)).IsSuccess();

        Task<Reply> FromAsync(string address, object body)
        {
            var request = new HttpRequestMessage(HttpMethod.Post, "/api/auth/login");
            request.Headers.Add("X-Forwarded-For", address);
            request.Content = System.Net.Http.Json.JsonContent.Create(body);
            return SendAsync(server, request);
        }
    }

    [Fact]
    public async Task A_session_has_thirty_refreshes_a_minute()
    {
        await using var server = await ServerUnderTest.StartAsync(On);
        var (first, second) = (await server.RegisterAsync(), await server.RegisterAsync());
        var refresh = first.Refresh;
        for (var i = 0; i < 30; i++)
        {
            var reply = await server.PostAsync("/api/auth/refresh", new { refresh_token = refresh });
            reply.IsSuccess();
            refresh = Tokens.Of(reply.Json).Refresh;
        }

        var refused = await server.PostAsync("/api/auth/refresh", new { refresh_token = refresh });

        refused.IsRefusal(429, "rate_limited");
        Assert.InRange(int.Parse(refused.Headers["Retry-After"]), 1, 60);
        (await server.PostAsync("/api/auth/refresh", new { refresh_token = second.Refresh })).IsSuccess();
    }

    [Fact]
    public async Task An_address_may_fail_a_hundred_times_a_minute_over_all_accounts()
    {
        await using var server = await ServerUnderTest.StartAsync(On);
        for (var i = 0; i < 100; i++)
        {
            (await server.PostAsync("/api/auth/login", new { email = $"{i}@example.com", password = "a guess" }))
                .IsRefusal(401, "invalid_credentials");
        }

        (await server.PostAsync("/api/auth/login", new { email = "one@example.com", password = "a guess" }))
            .IsRefusal(429, "rate_limited");
    }

    [Fact]
    public async Task Nodes_on_one_Redis_count_together_and_each_alone_while_it_is_away()
    {
        await using var redis = await RedisServer.StartAsync();
        await using var one = await ServerUnderTest.StartAsync(On, ("REDIS_URL", redis.Url), ("RESCIND_NODE", "one"));
        await using var two = await ServerUnderTest.StartAsync(On, ("REDIS_URL", redis.Url), ("RESCIND_NODE", "two"));
        await WarmUpAsync(one, two);

        // Who waits for Redis for 50 ms counts alone for a second: then another user has another try.
        var granted = 0;
        for (var tries = 0; tries < 5 && granted != 5; tries++)
        {
            await Task.Delay(TimeSpan.FromSeconds(tries == 0 ? 0 : 1.1), TestContext.Current.CancellationToken);
            granted = 0;
            for (var i = 0; i < 8; i++)
            {
                granted += (await RevokeAsync(i % 2 == 0 ? one : two, $"user {tries}")).Status == 400 ? 1 : 0;
            }
        }
        Assert.Equal(5, granted);

        await redis.KillAsync();
        Assert.Equal(5, await GrantedAsync(7, () => RevokeAsync(one, "another")));
        Assert.Equal(5, await GrantedAsync(7, () => RevokeAsync(two, "another")));

        static Task<Reply> RevokeAsync(ServerUnderTest node, string user) => node.PostAsync(
            "/api/auth/revoke", new { token = "none" }, MintedTokens.Sign(MintedTokens.Claims(user)));
    }

    [Fact]
    public async Task Failures_on_one_node_lock_out_on_the_other()
    {
        await using var redis = await RedisServer.StartAsync();
        await using var one = await ServerUnderTest.StartAsync(("REDIS_URL", redis.Url), ("RESCIND_NODE", "one"));
        await using var two = await ServerUnderTest.StartAsync(("REDIS_URL", redis.Url), ("RESCIND_NODE", "two"));
        await WarmUpAsync(one, two);

        // Who waits for Redis for 50 ms counts alone for a second: then another account has another try.
        var tries = 0;
        await Eventually.TrueAsync(async () =>
        {
            await Task.Delay(TimeSpan.FromSeconds(tries == 0 ? 0 : 1.1), TestContext.Current.CancellationToken);
            var email = $"root{tries++}@example.com";
            await one.RegisterAsync(email);
            await two.RegisterAsync(email);
            for (var i = 0; i < 6; i++)
            {
                await (i % 2 == 0 ? one : two).PostAsync("/api/auth/login", new { email, password = "a wrong one" });
            }
            var replies = new[] { await LogInAsync(one, email), await LogInAsync(two, email) };
            Assert.All(replies, reply => Assert.Contains(reply.Status, new[] { 200, 429 }));
            return replies.All(reply => reply.Status == 429);
        }, "both refuse");
        Assert.DoesNotContain("ROOT", (await redis.CommandAsync("KEYS", "*")).ToString(), StringComparison.OrdinalIgnoreCase);

        static Task<Reply> LogInAsync(ServerUnderTest node, string email) =>
            node.PostAsync("/api/auth/login", new { email, password = ServerUnderTest.Password });
    }

    [Fact]
    public async Task A_forwarded_address_counts_only_from_a_known_proxy()
    {
        await using (var open = await ServerUnderTest.StartAsync(On))
        {
            Assert.Equal(5, await GrantedAsync(8, number => ForwardedAsync(open, $"198.51.100.{number}")));
            Assert.Single(open.LogEntries, line => line.Contains("[4204]", StringComparison.Ordinal));
        }
        await using var behind = await ServerUnderTest.StartAsync(On, ("FORWARDED_PROXIES", "127.0.0.1"));
        Assert.Equal(8, await GrantedAsync(8, number => ForwardedAsync(behind, $"198.51.100.{number}")));
        Assert.Equal(5, await GrantedAsync(8, number => ForwardedAsync(behind, $"2001:db8:1:2::{number}")));
        Assert.DoesNotContain(behind.LogEntries, line => line.Contains("[4204]", StringComparison.Ordinal));
    }

    private static async Task WarmUpAsync(params ServerUnderTest[] nodes)
    {
        foreach (var node in nodes)
        {
            var windows = (Rescind.Redis.RedisWindows)node.Services.GetService(typeof(Rescind.Redis.RedisWindows))!;
            await Eventually.TrueAsync(async () =>
            {
                try
                {
                    return await windows.CountAsync("warm", TimeSpan.FromMinutes(1)) > 0;
                }
                catch (IOException)
                {
                    // The first call connects, which takes longer than a count may.
                    return false;
                }
            }, "the node counts in Redis");
        }
    }

    private static Task<Reply> ForwardedAsync(ServerUnderTest server, string address)
    {
        var request = new HttpRequestMessage(HttpMethod.Post, "/api/auth/register");
        request.Headers.Add("X-Forwarded-For", address);
        request.Content = new StringContent("{}", MediaTypeHeaderValue.Parse("application/json"));
        return SendAsync(server, request);
    }

    private static async Task<Reply> SendAsync(ServerUnderTest server, HttpRequestMessage request)
    {
        using (request)
        {
            return await Reply.OfAsync(await server.Http.SendAsync(request));
        }
    }

    private static Task<int> GrantedAsync(int calls, Func<Task<Reply>> call) => GrantedAsync(calls, _ => call());

    private static async Task<int> GrantedAsync(int calls, Func<int, Task<Reply>> call)
    {
        var granted = 0;
        for (var i = 1; i <= calls; i++)
        {
            var reply = await call(i);
            if (reply.Status != 429)
            {
                granted++;
                continue;
            }
            reply.IsRefusal(429, "rate_limited");
            Assert.InRange(int.Parse(reply.Headers["Retry-After"]), 1, 60);
        }
        return granted;
    }
}
