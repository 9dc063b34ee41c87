using Microsoft.Data.Sqlite;
using Rescind.Tests.Redis;

namespace Rescind.Tests.Server;

/// <summary>The accounts database is away: what needs it says so, and revoking goes on.</summary>
public sealed class OutageTests
{
    [Fact]
    public async Task Revoking_never_needs_the_accounts_database()
    {
        await using var server = await ServerUnderTest.StartAsync();
        var (first, second, third) =
            (await server.RegisterAsync(), await server.RegisterAsync(), await server.RegisterAsync());
        var admin = await server.LogInAsAdminAsync();
        TakeAway(server);

        (await server.PostAsync("/api/auth/logout", null, first.Access)).IsSuccess();
        var all = await server.PostAsync("/api/auth/logout-all", null, second.Access);
        all.IsSuccess();
        Assert.Equal("Null", all.Json.GetProperty("sessions_revoked").ValueKind.ToString());
        var user = await server.PostAsync(
            "/api/auth/admin/revoke-user-tokens", new { user_id = third.UserId, reason = "revoked" },
                admin.Access);
        user.IsSuccess();
        Assert.Equal("Null", user.Json.GetProperty("known_user").ValueKind.ToString());

        foreach (var tokens in new[] { first, second, third })
        {
            (await server.GetAsync("/api/auth/token/validate", tokens.Access))
                .IsRefusal(401, "token_revoked");
        }
        (await server.GetAsync("/api/auth/token/validate", admin.Access)).IsSuccess();
        Assert.Contains(server.LogEntries, line => line.Contains("[4302]", StringComparison.Ordinal));
    }

    /// <summary>Whether such a token counts only the database can tell; that it is to end needs nobody's word.</summary>
    [Fact]
    public async Task A_token_of_the_older_service_is_logged_out_while_nobody_knows_whether_it_counts()
    {
        await using var server = await ServerUnderTest.StartAsync(("BLACKLIST_WHEN_UNKNOWN", "refuse"));
        var (user, _) = await AdoptionTests.ImportAsync(server, version: 1);
        var access = AdoptionTests.OldToken(user, 1, days: 1, "access_token");
        var refresh = AdoptionTests.OldToken(user, 1, days: 1);
        var bring = TakeAway(server);
        (await server.GetAsync("/api/auth/token/validate", access)).IsRefusal(503, "revocation_unknown");

        (await server.PostAsync("/api/auth/logout", new { refresh_token = refresh }, access)).IsSuccess();

        bring();
        await Eventually.TrueAsync(
            async () => (await server.PostAsync("/api/auth/refresh", new { refresh_token = refresh })).Status != 503,
            "the database is asked again");
        (await server.PostAsync("/api/auth/refresh", new { refresh_token = refresh })).IsRefusal(401, "token_revoked");
        (await server.GetAsync("/api/auth/token/validate", access)).IsRefusal(401, "token_revoked");
    }

    [Fact]
    public async Task What_needs_the_accounts_database_answers_503_and_the_node_stays_ready()
    {
        await using var server = await ServerUnderTest.StartAsync();
        var tokens = await server.RegisterAsync();
        TakeAway(server);

        foreach (var reply in new[]
        {
            await server.GetAsync("/api/users/profile", tokens.Access),
            await server.PostAsync("/api/auth/login",
                new { email = tokens.Email, password = "whatever it is" }),
            await server.PostAsync("/api/auth/register",
                new { email = "new@example.com", password = "long enough" }),
            await server.PostAsync("/api/auth/refresh", new { refresh_token = tokens.Refresh }),
        })
        {
            reply.IsRefusal(503, "store_unavailable");
            Assert.True(int.Parse(reply.Headers["Retry-After"]) >= 1);
        }
        var ready = await server.GetAsync("/health/ready");
        Assert.Equal(200, ready.Status);
        Assert.Equal("degraded", ready.Json.GetProperty("checks").GetProperty("accounts").GetString());
    }

    [Fact]
    public async Task A_database_that_comes_back_is_used_again()
    {
        await using var server = await ServerUnderTest.StartAsync();
        var tokens = await server.RegisterAsync();
        var bring = TakeAway(server);
        (await server.GetAsync("/api/users/profile", tokens.Access)).IsRefusal(503, "store_unavailable");

        bring();

        Assert.Equal(200, await server.ProfileStatusAsync(tokens.Access));
        (await server.PostAsync("/api/auth/refresh", new { refresh_token = tokens.Refresh })).IsSuccess();
    }

    /// <summary>Moves the file away under the running server, and gives what brings it back.</summary>
    private static Action TakeAway(ServerUnderTest server)
    {
        var (file, away) = (Path.Combine(server.Data, "accounts.db"), Path.Combine(server.Data, "accounts.away"));
        using (var connection = new SqliteConnection(
            $"Data Source={file};Pooling=false"))
        {
            connection.Open();
            using var command = connection.CreateCommand();
            command.CommandText = "PRAGMA wal_checkpoint(TRUNCATE)";
            command.ExecuteNonQuery();
        }
        File.Move(file, away);

        // What is open, or is opened by work in the background until then, would go on with the moved file.
        SqliteConnection.ClearAllPools();
        return () => File.Move(away, file);
    }
}
