namespace Rescind.Tests.Server;

/// <summary>Nothing secret gets into the log or an answer, whatever is sent and however it ends.</summary>
public sealed class SecrecyTests
{
    [Fact]
    public async Task The_log_shows_no_token_no_password_no_address_and_no_whole_id()
    {
        await using var server = await ServerUnderTest.StartAsync();
        const string Wrong = "a wrong password indeed";
        var tokens = await server.RegisterAsync("somebody@secret.example");
        for (var i = 0; i < 6; i++)
        {
            await server.PostAsync("/api/auth/login", new { email = tokens.Email, password = Wrong });
        }
        var admin = await server.LogInAsAdminAsync();
        var refreshed = Tokens.Of((await server.PostAsync(
            "/api/auth/refresh", new { refresh_token = tokens.Refresh })).Json);
        await server.PostAsync("/api/auth/refresh", new { refresh_token = tokens.Refresh });
        await server.PostAsync("/api/auth/refresh?token=" + tokens.Refresh, "not an object");
        await server.PostAsync("/api/auth/revoke", new { token = tokens.Access + "x" }, tokens.Access);
        await server.PostAsync("/api/auth/revoke", null, tokens.Access);
        await server.PostAsync("/api/auth/logout", null, refreshed.Access);
        await server.PostAsync(
            "/api/auth/admin/revoke-user-tokens", new { user_id = tokens.UserId, reason = "revoked" },
                admin.Access);
        await server.GetAsync("/api/users/profile", refreshed.Access);

        var log = string.Join('\n', server.LogEntries);

        Assert.NotEmpty(log);
        foreach (var secret in new[]
        {
            Wrong, ServerUnderTest.Password, ServerUnderTest.Secret, "@secret.example",
                ServerUnderTest.AdminEmail,
            tokens.Session, MintedTokens.Read(tokens.Access).GetProperty("jti").GetString()!,
            Signature(tokens.Access), Signature(tokens.Refresh), Signature(refreshed.Refresh), "eyJ",
        })
        {
            Assert.DoesNotContain(secret, log, StringComparison.OrdinalIgnoreCase);
        }
    }

    [Fact]
    public async Task An_answer_repeats_nothing_that_was_sent()
    {
        await using var server = await ServerUnderTest.StartAsync();
        var replies = new[]
        {
            await server.PostAsync("/api/auth/login",
                new { email = "x@example.com", password = "hush-hush" }),
            await server.PostAsync("/api/auth/register", new { email = "x", password = "hush-hush" }),
            await server.PostAsync("/api/auth/register",
                new { email = "x@y.example", password = new[] { "hush-hush" } }),
            await server.PostAsync("/api/auth/refresh", new { refresh_token = "hush-hush" }),
            await server.PostAsync("/api/auth/logout", new { refresh_token = "hush-hush" }, "hush-hush"),
            await server.GetAsync("/api/users/profile", "hush-hush"),
        };

        Assert.All(replies, reply => Assert.DoesNotContain("hush", reply.Text, StringComparison.Ordinal));
        Assert.All(replies, reply => Assert.InRange(reply.Status, 400, 499));
    }

    private static string Signature(string token) => token.Split('.')[2];
}
