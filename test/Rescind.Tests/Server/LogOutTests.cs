namespace Rescind.Tests.Server;

/// <summary>What ends a session or a token, for its owner.</summary>
public abstract class LogOutTests(ServerUnderTest server)
{
    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task Logout_ends_both_tokens_of_its_session_and_leaves_the_other_session_alone(
        bool withRefresh)
    {
        var phone = await server.RegisterAsync();
        var laptop = await server.LogInAsync(phone.Email);

        var reply = await server.PostAsync(
            "/api/auth/logout", withRefresh ? new { refresh_token = phone.Refresh } : null, phone.Access);

        reply.IsSuccess();
        Assert.EndsWith("Z", reply.Json.GetProperty("logged_out_at").GetString(), StringComparison.Ordinal);
        IsReceipt(reply);
        var refused = await server.GetAsync("/api/users/profile", phone.Access);
        refused.IsRefusal(401, "token_revoked");
        Assert.Contains("error=\"invalid_token\"", refused.Headers["WWW-Authenticate"],
            StringComparison.Ordinal);
        Assert.Contains("The token has been revoked", refused.Headers["WWW-Authenticate"],
            StringComparison.Ordinal);
        (await server.PostAsync("/api/auth/refresh-token", new { refresh_token = phone.Refresh }))
            .IsRefusal(401, "token_revoked");
        Assert.Equal(200, await server.ProfileStatusAsync(laptop.Access));
        (await server.PostAsync("/api/auth/refresh-token", new { refresh_token = laptop.Refresh }))
            .IsSuccess();
    }

    [Fact]
    public async Task A_session_can_be_logged_out_once()
    {
        var tokens = await server.RegisterAsync();
        (await server.PostAsync("/api/auth/logout", null, tokens.Access)).IsSuccess();

        (await server.PostAsync("/api/auth/logout", null, tokens.Access)).IsRefusal(401, "token_revoked");
        (await server.PostAsync("/api/auth/logout", new { refresh_token = tokens.Refresh }))
            .IsRefusal(401, "token_revoked");
    }

    [Fact]
    public async Task A_refresh_token_alone_ends_its_session()
    {
        var tokens = await server.RegisterAsync();

        (await server.PostAsync("/api/auth/logout", new { refresh_token = tokens.Refresh })).IsSuccess();

        Assert.Equal(401, await server.ProfileStatusAsync(tokens.Access));
    }

    [Fact]
    public async Task An_expired_access_token_still_ends_its_session()
    {
        var tokens = await server.RegisterAsync();
        var now = DateTimeOffset.UtcNow.ToUnixTimeSeconds();
        var expired = MintedTokens.Sign(MintedTokens.Claims(tokens.UserId)
            .With("sid", tokens.Session).With("iat", now - 3600).With("nbf", now - 3600)
                .With("exp", now - 600));
        (await server.GetAsync("/api/users/profile", expired)).IsRefusal(401, "token_expired");

        (await server.PostAsync("/api/auth/logout", null, expired)).IsSuccess();

        Assert.Equal(401, await server.ProfileStatusAsync(tokens.Access));
    }

    [Fact]
    public async Task Logout_needs_a_genuine_token()
    {
        (await server.PostAsync("/api/auth/logout")).IsRefusal(401, "token_missing");
        (await server.PostAsync("/api/auth/logout", null, "rubbish")).IsRefusal(401, "token_invalid");
        (await server.PostAsync("/api/auth/logout", new { refresh_token = "rubbish" }))
            .IsRefusal(401, "token_invalid");
        var forged = MintedTokens.Sign(MintedTokens.Claims("somebody"), secret: new string('x', 40));
        (await server.PostAsync("/api/auth/logout", null, forged)).IsRefusal(401, "token_invalid");
    }

    [Fact]
    public async Task Logout_of_a_token_without_a_session_ends_that_token()
    {
        var tokens = await server.RegisterAsync();
        var minted = MintedTokens.Sign(MintedTokens.Claims(tokens.UserId).With("jti", "not a uuid"));
        Assert.Equal(200, await server.ProfileStatusAsync(minted));

        (await server.PostAsync("/api/auth/logout", null, minted)).IsSuccess();

        Assert.Equal(401, await server.ProfileStatusAsync(minted));
        Assert.Equal(200, await server.ProfileStatusAsync(tokens.Access));
    }

    [Fact]
    public async Task Logout_all_ends_every_session_of_the_caller_and_nobody_elses()
    {
        var (first, stranger) = (await server.RegisterAsync(), await server.RegisterAsync());
        var second = first;

        var reply = await ServerUnderTest.CountedAsync("sessions_revoked", async () =>
        {
            first = await server.RegisterAsync();
            second = await server.LogInAsync(first.Email);
            return await server.PostAsync("/api/auth/logout-all", null, first.Access);
        });

        reply.IsSuccess();
        IsReceipt(reply);
        Assert.Equal(2, reply.Json.GetProperty("sessions_revoked").GetInt32());
        Assert.Equal(401, await server.ProfileStatusAsync(first.Access));
        Assert.Equal(401, await server.ProfileStatusAsync(second.Access));
        (await server.PostAsync("/api/auth/refresh", new { refresh_token = second.Refresh }))
            .IsRefusal(401, "token_revoked");
        Assert.Equal(200, await server.ProfileStatusAsync(stranger.Access));
        var next = await server.LogInAsync(first.Email);
        Assert.Equal(200, await server.ProfileStatusAsync(next.Access));
        (await server.PostAsync("/api/auth/refresh", new { refresh_token = next.Refresh })).IsSuccess();
    }

    [Fact]
    public async Task Revoke_without_a_token_ends_the_presented_one_alone()
    {
        var tokens = await server.RegisterAsync();

        var reply = await server.PostAsync("/api/auth/revoke", new { reason = "suspicious_activity" },
            tokens.Access);

        reply.IsSuccess();
        IsReceipt(reply);
        Assert.Equal(401, await server.ProfileStatusAsync(tokens.Access));
        var refreshed = await server.PostAsync("/api/auth/refresh", new { refresh_token = tokens.Refresh });
        Assert.Equal(200, await server.ProfileStatusAsync(Tokens.Of(refreshed.Json).Access));
    }

    [Fact]
    public async Task Revoke_of_a_refresh_token_takes_its_session_with_it()
    {
        var tokens = await server.RegisterAsync();
        var other = await server.LogInAsync(tokens.Email);

        (await server.PostAsync("/api/auth/revoke", new { token = tokens.Refresh }, other.Access))
            .IsSuccess();

        Assert.Equal(401, await server.ProfileStatusAsync(tokens.Access));
        Assert.Equal(200, await server.ProfileStatusAsync(other.Access));
        (await server.PostAsync("/api/auth/revoke", new { token = tokens.Refresh }, other.Access))
            .IsSuccess();
    }

    [Fact]
    public async Task Only_an_administrator_may_revoke_somebody_elses_token()
    {
        var (mine, theirs) = (await server.RegisterAsync(), await server.RegisterAsync());
        var admin = await server.LogInAsAdminAsync();

        (await server.PostAsync("/api/auth/revoke", new { token = theirs.Access }, mine.Access))
            .IsRefusal(403, "forbidden");
        Assert.Equal(200, await server.ProfileStatusAsync(theirs.Access));
        (await server.PostAsync("/api/auth/revoke", new { token = theirs.Access }, admin.Access)).IsSuccess();
        Assert.Equal(401, await server.ProfileStatusAsync(theirs.Access));
    }

    [Theory]
    [InlineData("rubbish")]
    [InlineData("a.b.c")]
    [InlineData("..")]
    public async Task Revoke_refuses_what_is_not_a_token_of_ours(string token)
    {
        var tokens = await server.RegisterAsync();

        (await server.PostAsync("/api/auth/revoke", new { token }, tokens.Access))
            .IsRefusal(400, "validation_failed");
    }

    private static void IsReceipt(Reply reply)
    {
        var receipt = reply.Json.GetProperty("receipt");
        Assert.True(RevocationId.TryParse(receipt.GetProperty("id").GetString(), out _));
        Assert.NotEmpty(receipt.GetProperty("position").GetString()!);
        Assert.Equal("everywhere", receipt.GetProperty("state").GetString());
        Assert.Equal(1, receipt.GetProperty("nodes_confirmed").GetInt32());
        Assert.Equal(1, receipt.GetProperty("nodes_expected").GetInt32());
        Assert.True(receipt.GetProperty("elapsed_ms").GetDouble() >= 0);
    }
}

public sealed class LogOutTestsOnSqlite(ServerUnderTest server) : LogOutTests(server), IClassFixture<ServerUnderTest>;

public sealed class LogOutTestsOnPostgres(ServerOnPostgres server)
    : LogOutTests(server), IClassFixture<ServerOnPostgres>;
