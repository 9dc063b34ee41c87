using System.Runtime.Versioning;
using System.Security.Cryptography;
using Microsoft.Data.Sqlite;
using Rescind.Server.Settings;

namespace Rescind.Tests.Server;

/// <summary>Start, restart, first administrator, health, and the files that are found.</summary>
[SupportedOSPlatform("linux")]
public sealed class StartTests
{
    [Fact]
    public async Task Development_makes_a_local_administrator_whose_password_is_in_a_file_of_its_own()
    {
        await using var server = await ServerUnderTest.StartAsync(
            ("ENVIRONMENT", "Development"), ("JWT_SECRET", null), ("ADMIN_EMAIL", null),
                ("ADMIN_PASSWORD", null));
        var file = Path.Combine(server.Data, "initial-admin");

        Assert.Equal(UnixFileMode.UserRead | UnixFileMode.UserWrite, File.GetUnixFileMode(file));
        var admin = await server.LogInAsync("admin@localhost", (await File.ReadAllTextAsync(file)).Trim());
        (await server.GetAsync("/api/auth/admin/blacklist-metrics", admin.Access)).IsSuccess();
        var password = await File.ReadAllTextAsync(file);

        await server.RestartAsync();

        Assert.Equal(password, await File.ReadAllTextAsync(file));
        Assert.Equal(200, await server.ProfileStatusAsync(admin.Access));
    }

    [Fact]
    public async Task Production_makes_no_administrator_unless_told_to_and_never_promotes_an_account()
    {
        await using var server =
            await ServerUnderTest.StartAsync(("ADMIN_EMAIL", null), ("ADMIN_PASSWORD", null));
        Assert.Contains(server.LogEntries, line => line.Contains("[4103]", StringComparison.Ordinal));
        Assert.False(File.Exists(Path.Combine(server.Data, "initial-admin")));
        await server.RegisterAsync(ServerUnderTest.AdminEmail);

        await server.RestartAsync(
            ("ADMIN_EMAIL", ServerUnderTest.AdminEmail), ("ADMIN_PASSWORD", "another password"));

        var account = await server.LogInAsync(ServerUnderTest.AdminEmail);
        (await server.GetAsync("/api/auth/admin/blacklist-metrics", account.Access))
            .IsRefusal(403, "forbidden");
        Assert.Contains(server.LogEntries, line => line.Contains("[4102]", StringComparison.Ordinal));
    }

    [Fact]
    public async Task Accounts_sessions_and_revocations_survive_a_restart()
    {
        await using var server = await ServerUnderTest.StartAsync();
        var (dead, alive) = (await server.RegisterAsync(), await server.RegisterAsync());
        (await server.PostAsync("/api/auth/logout", null, dead.Access)).IsSuccess();

        await server.RestartAsync();

        (await server.GetAsync("/api/users/profile", dead.Access)).IsRefusal(401, "token_revoked");
        Assert.Equal(200, await server.ProfileStatusAsync(alive.Access));
        (await server.PostAsync("/api/auth/refresh", new { refresh_token = alive.Refresh })).IsSuccess();
        await server.LogInAsync(dead.Email);
    }

    [Fact]
    public async Task The_log_tells_that_the_blacklist_is_ready_and_healthy()
    {
        await using var server = await ServerUnderTest.StartAsync();

        Assert.Contains(server.LogEntries, line => line.Contains(
            "Token blacklist service initialized successfully", StringComparison.Ordinal));
        Assert.Contains(server.LogEntries, line => line.Contains(
            "Blacklist service health check passed", StringComparison.Ordinal));
        Assert.Equal("healthy", (await server.GetAsync("/health/live")).Json.GetProperty("status")
            .GetString());
        await Redis.Eventually.TrueAsync(async () =>
        {
            var ready = await server.GetAsync("/health/ready");
            Assert.Equal(200, ready.Status);
            return ready.Json.GetProperty("status").GetString() == "healthy";
        }, "all is well");
    }

    [Fact]
    public async Task The_root_says_what_this_is_and_each_of_its_links_leads_somewhere()
    {
        await using var server = await ServerUnderTest.StartAsync(("ENVIRONMENT", "Development"));
        var reply = await server.GetAsync("/");

        Assert.Equal("Rescind", reply.Json.GetProperty("name").GetString());
        foreach (var link in reply.Json.GetProperty("links").EnumerateObject())
        {
            Assert.NotEqual(404, (await server.GetAsync(link.Value.GetString()!)).Status);
        }
        Assert.Equal("nosniff", reply.Headers["X-Content-Type-Options"]);
        Assert.False(reply.Headers.ContainsKey("Server"));
    }

    [Fact]
    public async Task The_api_description_names_every_call_and_is_closed_in_production()
    {
        await using (var open = await ServerUnderTest.StartAsync(("ENVIRONMENT", "Development")))
        {
            var paths = (await open.GetAsync("/openapi/v1.json")).Json.GetProperty("paths");
            foreach (var path in new[] { "/api/auth/login", "/api/auth/logout", "/api/users/profile" })
            {
                Assert.True(paths.TryGetProperty(path, out _), path);
            }
            var login = paths.GetProperty("/api/auth/login").GetProperty("post");
            Assert.Equal(
                "somebody@example.com", login.GetProperty("requestBody").GetProperty("content")
                    .GetProperty("application/json").GetProperty("example").GetProperty("email").GetString());
            Assert.Equal("One of: invalid_credentials.", login.GetProperty("responses").GetProperty("401")
                .GetProperty("description").GetString());
            var lift = paths.GetProperty("/api/auth/admin/revocations/{id}").GetProperty("delete");
            Assert.Equal("id", Assert.Single(lift.GetProperty("parameters").EnumerateArray()).GetProperty("name").GetString());
        }
        await using var closed = await ServerUnderTest.StartAsync();
        (await closed.GetAsync("/openapi/v1.json")).IsRefusal(404, "not_found");
        await using var guarded =
            await ServerUnderTest.StartAsync(("METRICS_TOKEN", "a token of the operator"));
        (await guarded.GetAsync("/openapi/v1.json")).IsRefusal(401, "token_missing");
        (await guarded.GetAsync("/openapi/v1.json", "a guess")).IsRefusal(401, "token_invalid");
        Assert.Equal(200, (await guarded.GetAsync("/openapi/v1.json", "a token of the operator")).Status);
    }

    [Theory]
    [InlineData("RS256")]
    [InlineData("ES256")]
    public async Task Asymmetric_keys_sign_too_and_their_public_half_is_no_secret(string algorithm)
    {
        var folder = Directory.CreateTempSubdirectory("rescind-key-").FullName;
        using var rsa = RSA.Create(2048);
        using var curve = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        var key = algorithm == "RS256" ? (AsymmetricAlgorithm)rsa : curve;
        var path = Path.Combine(folder, "key.pem");
        await File.WriteAllTextAsync(path, key.ExportPkcs8PrivateKeyPem());

        await using var server = await ServerUnderTest.StartAsync(
            ("ALGORITHM", algorithm), ("JWT_PRIVATE_KEY_FILE", path), ("JWT_SECRET", null));
        var tokens = await server.RegisterAsync();

        Assert.Equal(algorithm, MintedTokens.ReadHeader(tokens.Access).GetProperty("alg").GetString());
        Assert.Equal(200, await server.ProfileStatusAsync(tokens.Access));
        var confused = MintedTokens.Sign(
            MintedTokens.Claims(tokens.UserId), secret: key.ExportSubjectPublicKeyInfoPem());
        (await server.GetAsync("/api/users/profile", confused)).IsRefusal(401, "token_invalid");
        (await server.PostAsync("/api/auth/logout", null, tokens.Access)).IsSuccess();
        Assert.Equal(401, await server.ProfileStatusAsync(tokens.Access));
        Directory.Delete(folder, recursive: true);
    }

    [Theory]
    [InlineData("rubbish")]
    [InlineData("newer")]
    [InlineData("foreign")]
    public async Task An_accounts_file_that_cannot_be_used_stops_the_start_in_one_line(string what)
    {
        var folder = Directory.CreateTempSubdirectory("rescind-file-").FullName;
        var path = Path.Combine(folder, "accounts.db");
        if (what == "rubbish")
        {
            await File.WriteAllTextAsync(path,
                string.Concat(Enumerable.Repeat("this is no database. ", 500)));
        }
        else
        {
            await using var connection = new SqliteConnection($"Data Source={path};Pooling=false");
            await connection.OpenAsync();
            await using var command = connection.CreateCommand();
            command.CommandText = what == "newer" ? "PRAGMA user_version=99"
                : "CREATE TABLE other (id INTEGER)";
            await command.ExecuteNonQueryAsync();
        }

        var refused = await Assert.ThrowsAsync<StartRefusedException>(
            () => ServerUnderTest.StartAsync(("RESCIND_DATA", folder)));

        Assert.Contains("accounts.db", refused.Message, StringComparison.Ordinal);
        Assert.DoesNotContain('\n', refused.Message);
        SqliteConnection.ClearAllPools();
        Directory.Delete(folder, recursive: true);
    }
}
