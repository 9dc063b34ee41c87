using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.DependencyInjection;
using Rescind.Server.Database;
using Rescind.Server.Maintenance;

namespace Rescind.Tests.Server;

/// <summary>Refresh tokens of the service that this one replaces: each becomes one session, once.</summary>
public abstract class AdoptionTests
{
    [Fact]
    public async Task A_token_that_was_adopted_is_known_as_long_as_it_lives()
    {
        await using var server = await NewServerAsync(("LONGEST_TOKEN_LIFETIME_DAYS", "30"));
        var user = await ImportAsync(server, version: 3);
        var old = OldToken(user.Id, 3, days: 29);
        (await RefreshAsync(server, old)).IsSuccess();

        // The session's own refresh token is over, and its row is in the way of nobody.
        await server.PassAsync(TimeSpan.FromDays(8));
        await server.Services.GetRequiredService<Schedule>().ForgetExpiredAsync();
        var next = await server.LogInAsync(user.Email);
        Assert.Equal(2, await CountAsync(server, user.Id));
        Assert.Single((await server.GetAsync("/api/auth/sessions", next.Access)).Json
            .GetProperty("sessions").EnumerateArray());

        (await RefreshAsync(server, old)).IsRefusal(401, "token_revoked");

        await server.PassAsync(TimeSpan.FromDays(23));
        await server.Services.GetRequiredService<Schedule>().ForgetExpiredAsync();
        Assert.Equal(0, await CountAsync(server, user.Id));
    }

    /// <summary>Whoever has the key of the older service must not open sessions for everybody.</summary>
    [Fact]
    public async Task Only_users_who_came_from_there_have_such_tokens()
    {
        await using var server = await NewServerAsync();
        var (registered, imported) = (await server.RegisterAsync(), await ImportAsync(server, version: null));

        (await RefreshAsync(server, OldToken(registered.UserId, 1, days: 1))).IsRefusal(401, "token_invalid");
        (await RefreshAsync(server, OldToken(imported.Id, 0, days: 1))).IsSuccess();
    }

    protected abstract Task<ServerUnderTest> NewServerAsync(params (string Name, string? Value)[] settings);

    internal static async Task<(string Id, string Email)> ImportAsync(ServerUnderTest server, int? version)
    {
        var user = (Id: "user-" + Guid.NewGuid(), Email: server.NewEmail());
        var reply = await server.PostAsync("/api/auth/admin/import-users", new
        {
            users = new[]
            {
                new
                {
                    id = user.Id, email = user.Email, token_version = version,
                    password_hash = BCrypt.Net.BCrypt.HashPassword(ServerUnderTest.Password, workFactor: 4),
                },
            },
        }, (await server.LogInAsAdminAsync()).Access);
        reply.IsSuccess();
        Assert.Equal(1, reply.Json.GetProperty("imported").GetInt32());
        return user;
    }

    /// <summary>As the older service made them: no sid, no kid.</summary>
    internal static string OldToken(string user, int version, int days, string type = "refresh_token") =>
        MintedTokens.Sign(MintedTokens.Claims(user).With("jti", Guid.NewGuid().ToString())
            .With("token_type", type).With("token_version_id", version)
            .With("exp", DateTimeOffset.UtcNow.AddDays(days).ToUnixTimeSeconds()));

    private static Task<Reply> RefreshAsync(ServerUnderTest server, string token) =>
        server.PostAsync("/api/auth/refresh", new { refresh_token = token });

    private static Task<int> CountAsync(ServerUnderTest server, string user) =>
        server.Services.GetRequiredService<AccountStore>().ReadAsync(
            db => db.Sessions.CountAsync(row => row.AccountId == user), CancellationToken.None);
}

public sealed class AdoptionTestsOnSqlite : AdoptionTests
{
    protected override Task<ServerUnderTest> NewServerAsync(params (string Name, string? Value)[] settings) =>
        ServerUnderTest.StartAsync(settings);
}

public sealed class AdoptionTestsOnPostgres(PostgresServer postgres) : AdoptionTests
{
    protected override async Task<ServerUnderTest> NewServerAsync(params (string Name, string? Value)[] settings) =>
        await ServerUnderTest.StartAsync([("DATABASE_URL", await postgres.NewDatabaseAsync()), .. settings]);
}
