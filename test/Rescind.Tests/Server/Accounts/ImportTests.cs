using System.Runtime.CompilerServices;
using Microsoft.AspNetCore.Http;
using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.DependencyInjection;
using Rescind.Server.Accounts;
using Rescind.Server.Audit;
using Rescind.Server.Database;
using Rescind.Server.Settings;

namespace Rescind.Tests.Server;

/// <summary>Users of the service that this one replaces come over, once.</summary>
public abstract class ImportTests
{
    private static readonly string Hash = BCrypt.Net.BCrypt.HashPassword(ServerUnderTest.Password, workFactor: 4);

    /// <summary>The older service still has the user, with the password and the rights of then.</summary>
    [Fact]
    public async Task An_account_that_its_owner_deleted_does_not_come_back()
    {
        await using var server = await NewServerAsync();
        var admin = await server.LogInAsAdminAsync();
        object[] users =
        [
            new { id = "leaver", email = "leaver@example.com", password_hash = Hash, is_admin = true },
            new { id = "stayer", email = "stayer@example.com", password_hash = Hash },
        ];
        Assert.Equal((2, 0, 0), await ImportAsync(server, admin, users));
        var leaver = await server.LogInAsync("leaver@example.com");
        (await server.SendAsync(
            HttpMethod.Delete, "/api/auth/delete-account", new { confirmation = true }, leaver.Access)).IsSuccess();

        Assert.Equal((0, 2, 0), await ImportAsync(server, admin, users));
        (await server.PostAsync("/api/auth/login", new { email = "leaver@example.com", password = ServerUnderTest.Password }))
            .IsRefusal(401, "invalid_credentials");

        var again = await server.RegisterAsync("leaver@example.com");
        Assert.Equal((0, 2, 0), await ImportAsync(server, admin, users));
        Assert.NotEqual("leaver", again.UserId);
        Assert.Equal(200, await server.ProfileStatusAsync(again.Access));
    }

    protected abstract Task<ServerUnderTest> NewServerAsync();

    private static async Task<(int Imported, int Known, int Rejected)> ImportAsync(
        ServerUnderTest server, Tokens admin, object[] users)
    {
        var reply = await server.PostAsync("/api/auth/admin/import-users", new { users }, admin.Access);
        reply.IsSuccess();
        return (reply.Json.GetProperty("imported").GetInt32(), reply.Json.GetProperty("known").GetInt32(),
            reply.Json.GetProperty("rejected").GetArrayLength());
    }
}

public sealed class ImportTestsOnSqlite : ImportTests
{
    /// <summary>They are committed by then, and an administrator may be among them.</summary>
    [Fact]
    public async Task A_database_that_goes_after_the_import_takes_no_events_with_it()
    {
        await using var server = new ServerUnderTest
        {
            Replace = services => services.AddSingleton<IDbContextFactory<AccountsDb>, FailingFactory>(),
        };
        await server.StartWithAsync();
        var context = new DefaultHttpContext { RequestServices = server.Services };
        var body = new ImportUsersBody
        {
            Users = [new ImportedUser
            {
                Id = "boss", Email = "boss@example.com", IsAdmin = true,
                PasswordHash = BCrypt.Net.BCrypt.HashPassword("a password", workFactor: 4),
            }],
        };

        FailingFactory.Left.Value = new StrongBox<int>(1);
        await server.Services.GetRequiredService<ImportUsers>().AnswerAsync(body, context);

        Assert.Equal(
            ["an administrator", "1 imported, 0 known, 0 rejected"],
            AuditNotes.Of(context).Take(context).Select(one => one.Note));
        Assert.Contains(server.LogEntries, line => line.Contains("[4205]", StringComparison.Ordinal));
    }

    protected override Task<ServerUnderTest> NewServerAsync() => ServerUnderTest.StartAsync();

    /// <summary>Lets whoever set a number have so many contexts; then the database is away.</summary>
    private sealed class FailingFactory(ServerSettings settings) : IDbContextFactory<AccountsDb>
    {
        public static readonly AsyncLocal<StrongBox<int>?> Left = new();

        private readonly AccountsDbFactory _real = new(settings);

        public AccountsDb CreateDbContext() => Left.Value is { } left && left.Value-- <= 0
            ? throw new TimeoutException("The database is away.")
            : _real.CreateDbContext();
    }
}

public sealed class ImportTestsOnPostgres(PostgresServer postgres) : ImportTests
{
    protected override async Task<ServerUnderTest> NewServerAsync() =>
        await ServerUnderTest.StartAsync(("DATABASE_URL", await postgres.NewDatabaseAsync()));
}
