using System.Text;
using Microsoft.IdentityModel.JsonWebTokens;
using Microsoft.IdentityModel.Tokens;
using Rescind.Tests.Server;

namespace Rescind.EndToEnd;

/// <summary>The older service is replaced, and nobody is logged out; and back.</summary>
public sealed class MovingOverTests
{
    private const string Issuer = "mita-api";
    private const string OldPassword = "a password of long ago";

    [Fact]
    public async Task Users_come_over_with_their_passwords_and_their_tokens_go_on()
    {
        await using var postgres = new PostgresServer();
        await postgres.InitializeAsync();
        var url = await OldDatabaseAsync(postgres);
        await using var server = await ServerProcess.StartedAsync(
            ("JWT_ISSUER", Issuer), ("JWT_AUDIENCE", Issuer), ("DATABASE_URL", url));
        var app = new MobileApp(server.Client);
        (string, string)[] admin =
        [
            ("RESCIND_URL", server.Client.BaseAddress!.ToString()), ("RESCIND_EMAIL", ServerProcess.AdminEmail),
            ("RESCIND_PASSWORD", ServerProcess.AdminPassword), ("IMPORT_URL", url),
        ];

        var (code, output) = await CommandLine.RunAsync(admin, "import", "users");
        Assert.True(code == 1, output);
        Assert.Contains("2 imported, 0 were there already, 1 rejected", output, StringComparison.Ordinal);
        Assert.Contains("rejected user-3: password_hash: it is not a bcrypt hash", output, StringComparison.Ordinal);
        (_, output) = await CommandLine.RunAsync(admin, "import", "users");
        Assert.Contains("0 imported, 2 were there already, 1 rejected", output, StringComparison.Ordinal);

        var (now, before) = (OldToken("user-1", 3, "access_token"), OldToken("user-1", 2, "access_token"));
        Assert.Equal((200, 401), (await app.ProfileAsync(now), await app.ProfileAsync(before)));
        Assert.Equal((200, 401), (await app.LogOutAsync(now), await app.ProfileAsync(now)));
        Assert.Equal(401, await app.RefreshAsync(OldToken("user-1", 2, "refresh_token")));

        var session = await app.LogInAsync("one@mita.example", OldPassword);
        Assert.Equal(("user-1", 200), (session.UserId, await app.ProfileAsync(session.Access)));
        await WouldBeAcceptedByTheOlderServiceAsync(session.Access, "user-1", 3);
        var boss = await app.LogInAsync("two@mita.example", OldPassword);
        Assert.Equal(200, (await app.SendAsync(HttpMethod.Get, "/api/auth/admin/users", boss.Access)).Status);
    }

    [Fact]
    public async Task A_refresh_token_of_the_older_service_is_adopted_once_and_can_be_ended()
    {
        await using var postgres = new PostgresServer();
        await postgres.InitializeAsync();
        var url = await OldDatabaseAsync(postgres);
        await using var server = await ServerProcess.StartedAsync(
            ("JWT_ISSUER", Issuer), ("JWT_AUDIENCE", Issuer), ("DATABASE_URL", url), ("REFRESH_GRACE_SECONDS", "5"));
        var app = new MobileApp(server.Client);
        (string, string)[] admin =
        [
            ("RESCIND_URL", server.Client.BaseAddress!.ToString()), ("RESCIND_EMAIL", ServerProcess.AdminEmail),
            ("RESCIND_PASSWORD", ServerProcess.AdminPassword), ("IMPORT_URL", url),
        ];
        await CommandLine.RunAsync(admin, "import", "users");

        var old = OldToken("user-1", 3, "refresh_token");
        var pairs = await Task.WhenAll(Enumerable.Range(0, 8).Select(_ => app.SendAsync(
            HttpMethod.Post, "/api/auth/refresh", null, new { refresh_token = old })));
        Assert.All(pairs, pair => Assert.Equal(200, pair.Status));
        Assert.Single(pairs.Select(pair => pair.Body.GetProperty("session_id").GetString()).Distinct());
        var access = pairs[0].Body.GetProperty("access_token").GetString()!;
        Assert.Equal(200, await app.ProfileAsync(access));
        await Task.Delay(TimeSpan.FromSeconds(5.5));
        Assert.Equal((401, 401), (await app.RefreshAsync(old), await app.ProfileAsync(access)));

        var other = OldToken("user-1", 3, "refresh_token");
        var (status, _) = await app.SendAsync(HttpMethod.Post, "/api/auth/logout", null, new { refresh_token = other });
        Assert.Equal((200, 401), (status, await app.RefreshAsync(other)));
        var third = OldToken("user-1", 3, "refresh_token");
        var (_, body) = await app.SendAsync(HttpMethod.Post, "/api/auth/refresh", null, new { refresh_token = third });
        Assert.Equal(200, await app.LogOutAsync(body.GetProperty("access_token").GetString()!));
        Assert.Equal(401, await app.RefreshAsync(third));
    }

    [Fact]
    public async Task The_command_line_says_how_the_server_is_and_ends_with_a_code()
    {
        await using var server = await ServerProcess.StartedAsync();
        (string, string)[] admin =
        [
            ("RESCIND_URL", server.Client.BaseAddress!.ToString()), ("RESCIND_EMAIL", ServerProcess.AdminEmail),
            ("RESCIND_PASSWORD", ServerProcess.AdminPassword),
        ];

        var status = await CommandLine.RunAsync(admin, "status");
        Assert.True(status.Code == 1, status.Output);
        Assert.Contains("LOOK mail", status.Output, StringComparison.Ordinal);
        Assert.Contains("ok   signing_key", status.Output, StringComparison.Ordinal);
        var verify = await CommandLine.RunAsync(admin, "audit", "verify");
        Assert.True(verify.Code == 0, verify.Output);
        Assert.Contains("intact", verify.Output, StringComparison.Ordinal);

        var wrong = await CommandLine.RunAsync([.. admin[..2], ("RESCIND_PASSWORD", "a wrong one")], "status");
        Assert.Equal((1, true), (wrong.Code, wrong.Output.Contains("401", StringComparison.Ordinal)));
        Assert.DoesNotContain("   at ", wrong.Output, StringComparison.Ordinal);
        var nobody = await CommandLine.RunAsync([("RESCIND_URL", "http://127.0.0.1:1")], "status", "--email", "a@b.example");
        Assert.Equal(1, nobody.Code);
        Assert.Equal(2, (await CommandLine.RunAsync(admin, "no-such-command")).Code);
    }

    private static async Task<string> OldDatabaseAsync(PostgresServer postgres)
    {
        var url = await postgres.NewDatabaseAsync();
        var hash = BCrypt.Net.BCrypt.HashPassword(OldPassword, workFactor: 10).Replace("$2a$", "$2b$", StringComparison.Ordinal);
        await postgres.ExecuteAsync(url[(url.LastIndexOf('/') + 1)..], $"""
            CREATE TABLE users (id text PRIMARY KEY, email text, hashed_password text, is_admin boolean, token_version integer);
            INSERT INTO users VALUES ('user-1', 'one@mita.example', '{hash}', false, 3),
                ('user-2', 'two@mita.example', '{hash}', true, NULL), ('user-3', 'three@mita.example', 'md5', false, 1);
            """);
        return url;
    }

    /// <summary>As the older service made them: no sid, no kid.</summary>
    private static string OldToken(string user, int version, string type)
    {
        var now = DateTimeOffset.UtcNow;
        var claims = new Dictionary<string, object>
        {
            ["iss"] = Issuer, ["aud"] = Issuer, ["sub"] = user, ["jti"] = Guid.NewGuid().ToString(),
            ["iat"] = now.ToUnixTimeSeconds(), ["exp"] = now.AddMinutes(20).ToUnixTimeSeconds(),
            ["token_type"] = type, ["token_version_id"] = version,
        };
        return new JsonWebTokenHandler { SetDefaultTimesOnTokenCreation = false }.CreateToken(
            System.Text.Json.JsonSerializer.Serialize(claims),
            new SigningCredentials(Key, SecurityAlgorithms.HmacSha256));
    }

    /// <summary>The rules of the older service, for the way back.</summary>
    private static async Task WouldBeAcceptedByTheOlderServiceAsync(string token, string user, long version)
    {
        var result = await new JsonWebTokenHandler().ValidateTokenAsync(token, new TokenValidationParameters
        {
            IssuerSigningKey = Key, ValidIssuer = Issuer, ValidAudience = Issuer, ValidAlgorithms = ["HS256"],
        });
        Assert.True(result.IsValid, result.Exception?.Message);
        var jwt = (JsonWebToken)result.SecurityToken;
        Assert.Equal(
            (user, "access_token", version),
            (jwt.Subject, jwt.GetPayloadValue<string>("token_type"), jwt.GetPayloadValue<long>("token_version_id")));
        Assert.True(Guid.TryParse(jwt.Id, out _));
    }

    private static SymmetricSecurityKey Key => new(Encoding.UTF8.GetBytes(ServerProcess.Secret));
}
