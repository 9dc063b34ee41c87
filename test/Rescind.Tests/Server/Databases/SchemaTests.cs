using System.Diagnostics;
using Microsoft.Data.Sqlite;
using Microsoft.Extensions.DependencyInjection;
using Rescind.Server.Database;
using Rescind.Server.Settings;
using Rescind.Tests.Redis;

namespace Rescind.Tests.Server;

/// <summary>Both databases are made, found, brought up to date, or refused with a reason.</summary>
public sealed class SchemaTests(PostgresServer postgres)
{
    /// <summary>What version 0.1 wrote, before there were migrations.</summary>
    private const string FirstVersion =
        """
        CREATE TABLE "accounts" ("Id" TEXT NOT NULL CONSTRAINT "PK_accounts" PRIMARY KEY, "Email" TEXT NOT NULL,
            "NormalizedEmail" TEXT NOT NULL, "PasswordHash" TEXT NOT NULL, "IsAdmin" INTEGER NOT NULL,
            "CreatedAt" TEXT NOT NULL);
        CREATE TABLE "marks" ("Name" TEXT NOT NULL CONSTRAINT "PK_marks" PRIMARY KEY, "Value" TEXT NOT NULL);
        CREATE TABLE "sessions" ("Id" TEXT NOT NULL CONSTRAINT "PK_sessions" PRIMARY KEY, "AccountId" TEXT NOT NULL,
            "CreatedAt" TEXT NOT NULL, "LastUsedAt" TEXT NOT NULL, "AuthenticatedAt" TEXT NOT NULL,
            "ExpiresAt" TEXT NOT NULL, "RefreshId" TEXT NOT NULL, "EndedAt" TEXT NULL, "Address" TEXT NULL,
            "UserAgent" TEXT NULL, CONSTRAINT "FK_sessions_accounts_AccountId" FOREIGN KEY ("AccountId")
            REFERENCES "accounts" ("Id") ON DELETE CASCADE);
        CREATE UNIQUE INDEX "IX_accounts_NormalizedEmail" ON "accounts" ("NormalizedEmail");
        CREATE INDEX "IX_sessions_AccountId_EndedAt" ON "sessions" ("AccountId", "EndedAt");
        PRAGMA user_version = 1;
        """;

    [Fact]
    public async Task A_file_from_before_migrations_is_brought_up_to_date_and_keeps_its_accounts()
    {
        await using var server = await ServerUnderTest.StartAsync();
        var user = await server.RegisterAsync();
        await server.StopAsync();
        SqliteConnection.ClearAllPools();
        var (file, old) = (Path.Combine(server.Data, "accounts.db"), Path.Combine(server.Data, "old.db"));
        Execute(old, FirstVersion + $"""
            ATTACH '{file}' AS now;
            INSERT INTO main.accounts SELECT Id, Email, NormalizedEmail, PasswordHash, IsAdmin, CreatedAt
                FROM now.accounts;
            INSERT INTO main.marks SELECT * FROM now.marks;
            """);
        File.Delete(file);
        File.Move(old, file);

        await server.RestartAsync();

        await server.LogInAsync(user.Email);
        await server.RestartAsync();
        await server.LogInAsync(user.Email);
    }

    /// <summary>A node that stands still while it brings the tables up to date holds the lock for as long.</summary>
    [Fact]
    public async Task A_lock_that_another_node_holds_does_not_stop_the_start()
    {
        var database = await postgres.NewDatabaseAsync();
        await using var other = new Npgsql.NpgsqlConnection(
            $"Host=127.0.0.1;Port={postgres.Port};Database={database[(database.LastIndexOf('/') + 1)..]};"
            + $"Username=postgres;Password=\"{PostgresServer.Password}\";Pooling=false");
        await other.OpenAsync();
        await using (var hold = other.CreateCommand())
        {
            hold.CommandText = "SELECT pg_advisory_lock(x'72657363696e64'::bigint)";
            await hold.ExecuteNonQueryAsync();
        }
        var began = Stopwatch.GetTimestamp();

        await using var server = await ServerUnderTest.StartAsync(("DATABASE_URL", database));

        Assert.InRange(Stopwatch.GetElapsedTime(began), TimeSpan.Zero, TimeSpan.FromSeconds(30));
        Assert.Equal(200, (await server.GetAsync("/health/live")).Status);
        (await server.PostAsync("/api/auth/login", new { email = "a@example.com", password = "b" }))
            .IsRefusal(503, "store_unavailable");
        await other.CloseAsync();
        await Eventually.TrueAsync(
            async () => (await server.PostAsync(
                "/api/auth/login", new { email = ServerUnderTest.AdminEmail, password = ServerUnderTest.Password }))
                .Status == 200,
            "the tables are made");
    }

    [Fact]
    public async Task A_lock_that_a_crash_left_does_not_stop_the_start()
    {
        await using var server = await ServerUnderTest.StartAsync();
        await server.StopAsync();
        Execute(Path.Combine(server.Data, "accounts.db"), """
            CREATE TABLE IF NOT EXISTS "__EFMigrationsLock" ("Id" INTEGER PRIMARY KEY, "Timestamp" TEXT NOT NULL);
            INSERT OR REPLACE INTO "__EFMigrationsLock" VALUES (1, '2026-01-01');
            """);

        await server.RestartAsync();

        await server.RegisterAsync();
    }

    [Fact]
    public async Task Nodes_that_start_at_once_make_the_tables_and_the_administrator_once()
    {
        var url = await postgres.NewDatabaseAsync();
        var nodes = await Task.WhenAll(Enumerable.Range(0, 4).Select(
            _ => ServerUnderTest.StartAsync(("DATABASE_URL", url.Replace("postgresql:", "postgresql+asyncpg:")))));

        foreach (var node in nodes)
        {
            await node.UntilAsync(() => node.Services.GetRequiredService<Preparation>().IsDone);
            await node.LogInAsAdminAsync();
            await node.DisposeAsync();
        }
        var name = url[(url.LastIndexOf('/') + 1)..];
        Assert.Equal(1L, await postgres.ExecuteAsync(name, "SELECT COUNT(*) FROM rescind.accounts"));
        Assert.Equal(0L, await postgres.ExecuteAsync(
            name, "SELECT COUNT(*) FROM information_schema.tables WHERE table_schema = 'public'"));
    }

    [Fact]
    public async Task A_database_of_a_newer_version_is_refused()
    {
        var url = await postgres.NewDatabaseAsync();
        await using (await ServerUnderTest.StartAsync(("DATABASE_URL", url)))
        {
        }
        await postgres.ExecuteAsync(url[(url.LastIndexOf('/') + 1)..],
            "INSERT INTO rescind.migrations VALUES ('29990101000000_Later', '99.0')");

        var fault = await Assert.ThrowsAsync<StartRefusedException>(
            () => ServerUnderTest.StartAsync(("DATABASE_URL", url)));

        Assert.Contains("newer version", fault.Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("postgres:wrong@127.0.0.1:{0}/postgres", "correct the user and the password")]
    [InlineData("{1}@127.0.0.1:{0}/nowhere", "create the database")]
    public async Task What_an_operator_can_put_right_stops_the_start(string address, string remedy)
    {
        var known = $"postgres:{Uri.EscapeDataString(PostgresServer.Password)}";
        var url = "postgresql://" + string.Format(address, postgres.Port, known);

        var fault = await Assert.ThrowsAsync<StartRefusedException>(
            () => ServerUnderTest.StartAsync(("DATABASE_URL", url)));

        Assert.StartsWith("DATABASE_URL: ", fault.Message, StringComparison.Ordinal);
        Assert.Contains(remedy, fault.Message, StringComparison.Ordinal);
        Assert.DoesNotContain(known, fault.Message, StringComparison.Ordinal);
    }

    private static void Execute(string file, string sql)
    {
        using var connection = new SqliteConnection($"Data Source={file};Pooling=false");
        connection.Open();
        using var command = connection.CreateCommand();
        command.CommandText = sql;
        command.ExecuteNonQuery();
    }
}
