using System.Diagnostics;
using System.Text.Json;

namespace Rescind.EndToEnd;

/// <summary>The deployment guide's session, typed as a newcomer types it, and the revocations operators rely on.
/// </summary>
public sealed class GuideTests
{
    [Fact]
    public async Task Login_profile_logout_profile_with_curl()
    {
        await using var server = await ServerProcess.StartedAsync();
        var root = $"http://127.0.0.1:{server.Port}";
        const string Json = "content-type: application/json";
        var credentials = JsonSerializer.Serialize(
            new { email = ServerProcess.AdminEmail, password = ServerProcess.AdminPassword });

        var login = await CurlAsync("-X", "POST", $"{root}/api/auth/login", "-H", Json, "-d", credentials);
        var token = JsonDocument.Parse(login).RootElement.GetProperty("access_token").GetString();
        var bearer = $"Authorization: Bearer {token}";
        Assert.StartsWith("HTTP/1.1 200", await CurlAsync("-i", $"{root}/api/users/profile", "-H", bearer), StringComparison.Ordinal);
        Assert.StartsWith("HTTP/1.1 200", await CurlAsync("-i", "-X", "POST", $"{root}/api/auth/logout", "-H", bearer), StringComparison.Ordinal);

        var refused = await CurlAsync("-i", $"{root}/api/users/profile", "-H", bearer);
        Assert.StartsWith("HTTP/1.1 401", refused, StringComparison.Ordinal);
        Assert.Contains(
            "WWW-Authenticate: Bearer error=\"invalid_token\", error_description=\"The token has been revoked\"",
            refused, StringComparison.Ordinal);
        Assert.Contains("Token blacklist service initialized successfully", server.Output, StringComparison.Ordinal);
        Assert.Contains("Blacklist service health check passed", server.Output, StringComparison.Ordinal);
        Assert.DoesNotContain(token!, server.Output, StringComparison.Ordinal);
        Assert.DoesNotContain(ServerProcess.AdminPassword, server.Output, StringComparison.Ordinal);
        Assert.DoesNotContain(ServerProcess.Secret, server.Output, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_logout_ends_its_session_and_no_other()
    {
        await using var server = await ServerProcess.StartedAsync();
        var app = new MobileApp(server.Client);
        var phone = await app.LogInAsync(ServerProcess.AdminEmail, ServerProcess.AdminPassword);
        var laptop = await app.LogInAsync(ServerProcess.AdminEmail, ServerProcess.AdminPassword);

        Assert.Equal(200, await app.LogOutAsync(phone.Access));
        Assert.Equal((401, 401), (await app.ProfileAsync(phone.Access), await app.RefreshAsync(phone.Refresh)));
        Assert.Equal((200, 200), (await app.ProfileAsync(laptop.Access), await app.RefreshAsync(laptop.Refresh)));
    }

    [Fact]
    public async Task Revoking_a_user_ends_tokens_the_server_never_saw_and_explain_says_who_did_it()
    {
        await using var server = await ServerProcess.StartedAsync();
        var app = new MobileApp(server.Client);
        var admin = await app.LogInAsync(ServerProcess.AdminEmail, ServerProcess.AdminPassword);
        var user = await app.RegisterAsync();
        string[] tokens = [user.Access, MobileApp.Minted(user.UserId, "not-a-uuid"), MobileApp.Minted(user.UserId, null)];
        Assert.All(tokens, token => Assert.Equal(200, app.ValidateAsync(token).GetAwaiter().GetResult()));

        var (status, answer) = await app.SendAsync(
            HttpMethod.Post, "/api/auth/admin/revoke-user-tokens", admin.Access,
            new { user_id = user.UserId, reason = "suspicious_activity" });
        Assert.Equal((200, "everywhere"), (status, answer.GetProperty("receipt").GetProperty("state").GetString()));
        Assert.All(tokens, token => Assert.Equal(401, app.ValidateAsync(token).GetAwaiter().GetResult()));
        Assert.Equal(401, await app.RefreshAsync(user.Refresh));

        var (_, why) = await app.SendAsync(
            HttpMethod.Post, "/api/auth/admin/explain", admin.Access, new { token = tokens[1] });
        var rule = why.GetProperty("rules")[0];
        Assert.Equal("subject", rule.GetProperty("target").GetProperty("type").GetString());
        Assert.Equal("suspicious_activity", rule.GetProperty("reason").GetString());
        Assert.Equal(admin.UserId, rule.GetProperty("actor").GetString());
        Assert.InRange(rule.GetProperty("made_at").GetDateTimeOffset(), DateTimeOffset.UtcNow.AddMinutes(-1), DateTimeOffset.UtcNow.AddSeconds(1));
    }

    [Fact]
    public async Task A_log_in_within_the_second_of_a_revocation_gives_a_token_that_works()
    {
        await using var server = await ServerProcess.StartedAsync();
        var app = new MobileApp(server.Client);
        for (var round = 0; round < 5; round++)
        {
            var before = await app.LogInAsync(ServerProcess.AdminEmail, ServerProcess.AdminPassword);
            var (status, _) = await app.SendAsync(
                HttpMethod.Post, "/api/auth/admin/revoke-user-tokens", before.Access,
                new { user_id = before.UserId, reason = "admin_action" });
            Assert.Equal(200, status);
            var after = await app.LogInAsync(ServerProcess.AdminEmail, ServerProcess.AdminPassword);
            Assert.Equal((401, 200), (await app.ProfileAsync(before.Access), await app.ProfileAsync(after.Access)));
            Assert.Equal(200, await app.RefreshAsync(after.Refresh));
        }
    }

    private static async Task<string> CurlAsync(params string[] arguments)
    {
        using var curl = Process.Start(new ProcessStartInfo("curl", ["-s", .. arguments])
        {
            RedirectStandardOutput = true, UseShellExecute = false,
        })!;
        var output = await curl.StandardOutput.ReadToEndAsync();
        await curl.WaitForExitAsync();
        Assert.Equal(0, curl.ExitCode);
        return output;
    }
}
