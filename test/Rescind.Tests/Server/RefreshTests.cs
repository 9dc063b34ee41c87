namespace Rescind.Tests.Server;

/// <summary>Rotation of refresh tokens, the plain version.</summary>
public sealed class RefreshTests(ServerUnderTest server) : IClassFixture<ServerUnderTest>
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

    [Fact]
    public async Task The_old_refresh_token_is_dead()
    {
        var tokens = await server.RegisterAsync();
        var next = await server.PostAsync("/api/auth/refresh", new { refresh_token = tokens.Refresh });

        (await server.PostAsync("/api/auth/refresh", new { refresh_token = tokens.Refresh }))
            .IsRefusal(401, "token_revoked");
        Assert.Equal(200, await server.ProfileStatusAsync(Tokens.Of(next.Json).Access));
    }

    [Fact]
    public async Task Of_fifty_callers_that_race_with_one_token_exactly_one_gets_a_pair()
    {
        var tokens = await server.RegisterAsync();
        var body = new { refresh_token = tokens.Refresh };

        var replies = await Task.WhenAll(
            Enumerable.Range(0, 50).Select(_ => server.PostAsync("/api/auth/refresh", body)));

        var winner = Assert.Single(replies, reply => reply.Status == 200);
        Assert.All(replies.Where(reply => reply != winner), reply => reply.IsRefusal(401, "token_revoked"));
        var next = new { refresh_token = Tokens.Of(winner.Json).Refresh };
        (await server.PostAsync("/api/auth/refresh", next)).IsSuccess();
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
            .With("jti", "any");

        (await server.PostAsync("/api/auth/refresh", new { refresh_token = MintedTokens.Sign(claims) }))
            .IsRefusal(401, "token_invalid");
        var foreign = MintedTokens.Sign(claims.With("sid", "nowhere"));
        (await server.PostAsync("/api/auth/refresh", new { refresh_token = foreign }))
            .IsRefusal(401, "token_invalid");
        var guessed = MintedTokens.Sign(claims.With("sid", tokens.Session).With("sub", "somebody else"));
        (await server.PostAsync("/api/auth/refresh", new { refresh_token = guessed }))
            .IsRefusal(401, "token_invalid");
    }
}
