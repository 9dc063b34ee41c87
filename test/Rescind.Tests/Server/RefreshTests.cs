using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.DependencyInjection;
using Rescind.Server.Database;

namespace Rescind.Tests.Server;

/// <summary>Rotation of refresh tokens: races, retries, replay, and revocations that come in between.</summary>
public abstract class RefreshTests(ServerUnderTest server)
{
    [Theory]
    [InlineData("/api/auth/refresh-token")]
    [InlineData("/api/auth/refresh")]
    public async Task A_refresh_gives_a_new_pair_of_the_same_session(string path)
    {
        var tokens = await server.RegisterAsync();

        var reply = await server.PostAsync(path, new { refresh_token = tokens.Refresh });

        reply.IsSuccess();
        var next = Tokens.Of(reply.Json);
        Assert.Equal(tokens.Session, next.Session);
        Assert.Equal(
            MintedTokens.Read(tokens.Access).GetProperty("auth_time").GetInt64(),
            MintedTokens.Read(next.Access).GetProperty("auth_time").GetInt64());
        Assert.Equal(200, await server.ProfileStatusAsync(next.Access));
        (await server.PostAsync(path, new { refresh_token = next.Refresh })).IsSuccess();
    }

    /// <summary>A log-in right after a revocation is stamped after its cutoff, seconds ahead of the clock. Another node may
    /// refresh it before it hears of the revocation.</summary>
    [Theory]
    [InlineData(5, true)]
    [InlineData(600, false)]
    public async Task What_a_log_in_that_stepped_over_a_cutoff_is_refreshed_to_steps_over_it_too(int ahead, bool steps)
    {
        var tokens = await server.RegisterAsync();
        var loggedIn = DateTimeOffset.FromUnixTimeSeconds(server.Clock.GetUtcNow().ToUnixTimeSeconds() + ahead);
        await server.Services.GetRequiredService<AccountStore>().WriteAsync(
            db => db.Sessions.Where(row => row.Id == tokens.Session)
                .ExecuteUpdateAsync(row => row.SetProperty(it => it.AuthenticatedAt, loggedIn.UtcDateTime)), CancellationToken.None);

        var next = MintedTokens.Read((await RefreshAsync(tokens.Refresh)).Access);

        Assert.Equal(loggedIn.ToUnixTimeSeconds(), next.GetProperty("auth_time").GetInt64());
        Assert.Equal(steps, next.GetProperty("iat").GetInt64() == loggedIn.ToUnixTimeSeconds());
        Assert.InRange(next.GetProperty("nbf").GetInt64(), 0, server.Clock.GetUtcNow().ToUnixTimeSeconds());
    }

    [Fact]
    public async Task A_retry_within_the_grace_period_gets_the_same_successor_and_does_not_lengthen_it()
    {
        var tokens = await server.RegisterAsync();
        var next = await RefreshAsync(tokens.Refresh);
        await server.PassAsync(TimeSpan.FromSeconds(20));

        var again = await RefreshAsync(tokens.Refresh);

        Assert.Equal(IdOf(next.Refresh), IdOf(again.Refresh));
        Assert.Equal((200, 200),
            (await server.ProfileStatusAsync(next.Access), await server.ProfileStatusAsync(again.Access)));
        await server.PassAsync(TimeSpan.FromSeconds(11));
        (await PostAsync(tokens.Refresh)).IsRefusal(401, "token_revoked");
    }

    [Fact]
    public async Task A_retry_after_the_grace_period_is_replay_and_ends_that_session_alone()
    {
        var tokens = await server.RegisterAsync();
        var other = await server.LogInAsync(tokens.Email);
        var next = await RefreshAsync(tokens.Refresh);
        await server.PassAsync(TimeSpan.FromSeconds(31));

        (await PostAsync(tokens.Refresh)).IsRefusal(401, "token_revoked");

        (await server.GetAsync("/api/users/profile", next.Access)).IsRefusal(401, "token_revoked");
        (await PostAsync(next.Refresh)).IsRefusal(401, "token_revoked");
        Assert.Equal(200, await server.ProfileStatusAsync(other.Access));
        await RefreshAsync(other.Refresh);
    }

    [Fact]
    public async Task Who_retries_with_a_token_older_than_the_previous_is_not_logged_out_either()
    {
        var tokens = await server.RegisterAsync();
        var second = await RefreshAsync(tokens.Refresh);
        var third = await RefreshAsync(second.Refresh);

        var late = await RefreshAsync(tokens.Refresh);

        Assert.Equal(IdOf(third.Refresh), IdOf(late.Refresh));
        await server.PassAsync(TimeSpan.FromMinutes(10));
        await RefreshAsync(late.Refresh);
    }

    [Fact]
    public async Task Of_fifty_callers_that_race_with_one_token_all_end_with_tokens_that_work()
    {
        var tokens = await server.RegisterAsync();

        var pairs = await Task.WhenAll(Enumerable.Range(0, 50).Select(_ => RefreshAsync(tokens.Refresh)));

        Assert.Single(pairs.Select(pair => IdOf(pair.Refresh)).Distinct());
        Assert.All(await Task.WhenAll(pairs.Select(pair => server.ProfileStatusAsync(pair.Access))),
            status => Assert.Equal(200, status));
        await server.PassAsync(TimeSpan.FromMinutes(1));
        await RefreshAsync(pairs[7].Refresh);
    }

    [Fact]
    public async Task A_grace_retry_after_logout_stays_out()
    {
        var tokens = await server.RegisterAsync();
        var next = await RefreshAsync(tokens.Refresh);
        (await server.PostAsync("/api/auth/logout", null, next.Access)).IsSuccess();

        (await PostAsync(tokens.Refresh)).IsRefusal(401, "token_revoked");
    }

    [Fact]
    public async Task Logout_ends_the_pair_that_a_refresh_gave()
    {
        var tokens = await server.RegisterAsync();
        var reply = await server.PostAsync("/api/auth/refresh", new { refresh_token = tokens.Refresh });
        var next = Tokens.Of(reply.Json);

        (await server.PostAsync("/api/auth/logout", null, tokens.Access)).IsSuccess();

        Assert.Equal(401, await server.ProfileStatusAsync(next.Access));
        (await server.PostAsync("/api/auth/refresh", new { refresh_token = next.Refresh }))
            .IsRefusal(401, "token_revoked");
    }

    [Fact]
    public async Task A_logout_that_races_with_refreshes_leaves_nothing_alive()
    {
        for (var round = 0; round < 10; round++)
        {
            var tokens = await server.RegisterAsync();
            var refresh = server.PostAsync("/api/auth/refresh", new { refresh_token = tokens.Refresh });
            var logout = server.PostAsync("/api/auth/logout", null, tokens.Access);
            (await logout).IsSuccess();

            var reply = await refresh;
            if (reply.Status == 200)
            {
                Assert.Equal(401, await server.ProfileStatusAsync(Tokens.Of(reply.Json).Access));
            }
            else
            {
                reply.IsRefusal(401, "token_revoked");
            }
        }
    }

    [Fact]
    public async Task A_refresh_that_races_with_logout_all_leaves_nothing_alive()
    {
        for (var round = 0; round < 10; round++)
        {
            var tokens = await server.RegisterAsync();
            var refresh = server.PostAsync("/api/auth/refresh", new { refresh_token = tokens.Refresh });
            (await server.PostAsync("/api/auth/logout-all", null, tokens.Access)).IsSuccess();

            var reply = await refresh;
            if (reply.Status == 200)
            {
                var next = Tokens.Of(reply.Json);
                Assert.Equal(401, await server.ProfileStatusAsync(next.Access));
                Assert.Equal(401, (await server.PostAsync(
                    "/api/auth/refresh", new { refresh_token = next.Refresh })).Status);
            }
            else
            {
                reply.IsRefusal(401, "token_revoked");
            }
        }
    }

    [Fact]
    public async Task An_access_token_cannot_refresh_and_a_refresh_token_cannot_read()
    {
        var tokens = await server.RegisterAsync();

        (await server.PostAsync("/api/auth/refresh", new { refresh_token = tokens.Access }))
            .IsRefusal(401, "token_invalid");
        (await server.GetAsync("/api/users/profile", tokens.Refresh)).IsRefusal(401, "token_invalid");
        (await server.PostAsync("/api/auth/logout-all", null, tokens.Refresh))
            .IsRefusal(401, "token_invalid");
    }

    [Fact]
    public async Task A_refresh_token_of_a_session_that_is_not_ours_does_not_work()
    {
        var tokens = await server.RegisterAsync();
        var claims = MintedTokens.Claims(tokens.UserId).With("token_type", "refresh_token")
            .With("jti", "any").With("exp", server.Clock.GetUtcNow().AddMinutes(5).ToUnixTimeSeconds());

        (await server.PostAsync("/api/auth/refresh", new { refresh_token = MintedTokens.Sign(claims) }))
            .IsRefusal(401, "token_invalid");
        var foreign = MintedTokens.Sign(claims.With("sid", "nowhere"));
        (await server.PostAsync("/api/auth/refresh", new { refresh_token = foreign }))
            .IsRefusal(401, "token_invalid");
        var guessed = MintedTokens.Sign(claims.With("sid", tokens.Session).With("sub", "somebody else"));
        (await server.PostAsync("/api/auth/refresh", new { refresh_token = guessed }))
            .IsRefusal(401, "token_invalid");
    }

    [Fact]
    public async Task A_session_that_a_mistaken_rule_ended_goes_on_when_the_rule_is_lifted()
    {
        var (user, admin) = (await server.RegisterAsync(), await server.LogInAsAdminAsync());
        var (byUser, bySession) = (
            await RevokeAsync("revoke-user-tokens", new { user_id = user.UserId, reason = "admin_action" }),
            await RevokeAsync("revocations", new
            {
                reason = "admin_action", target = new { type = "session", value = user.Session },
            }));
        (await PostAsync(user.Refresh)).IsRefusal(401, "token_revoked");

        await LiftAsync(byUser);
        (await PostAsync(user.Refresh)).IsRefusal(401, "token_revoked");
        await LiftAsync(bySession);
        var next = await RefreshAsync(user.Refresh);

        Assert.Equal(user.Session, next.Session);
        Assert.Equal(200, await server.ProfileStatusAsync(next.Access));
        var list = await server.GetAsync("/api/auth/sessions", next.Access);
        Assert.Equal(user.Session, Assert.Single(list.Json.GetProperty("sessions").EnumerateArray())
            .GetProperty("session_id").GetString());
        (await server.PostAsync("/api/auth/logout", null, next.Access)).IsSuccess();
        (await PostAsync(next.Refresh)).IsRefusal(401, "token_revoked");

        async Task<string?> RevokeAsync(string path, object body)
        {
            var reply = await server.PostAsync("/api/auth/admin/" + path, body, admin.Access);
            reply.IsSuccess(path == "revocations" ? 201 : 200);
            return reply.Json.GetProperty("receipt").GetProperty("id").GetString();
        }

        async Task LiftAsync(string? id) => (await server.SendAsync(
            HttpMethod.Delete, "/api/auth/admin/revocations/" + id, new { reason = "restored" }, admin.Access)).IsSuccess();
    }

    private Task<Reply> PostAsync(string refresh) =>
        server.PostAsync("/api/auth/refresh", new { refresh_token = refresh });

    private async Task<Tokens> RefreshAsync(string refresh)
    {
        var reply = await PostAsync(refresh);
        reply.IsSuccess();
        return Tokens.Of(reply.Json);
    }

    private static string? IdOf(string token) => MintedTokens.Read(token).GetProperty("jti").GetString();
}

public sealed class RefreshTestsOnSqlite(ServerUnderTest server) : RefreshTests(server), IClassFixture<ServerUnderTest>;

public sealed class RefreshTestsOnPostgres(ServerOnPostgres server)
    : RefreshTests(server), IClassFixture<ServerOnPostgres>;
