using Microsoft.Extensions.DependencyInjection;
using Rescind.Server.Accounts;
using Rescind.Server.Database;
using Rescind.Server.Maintenance;
using Rescind.Server.Settings;
using Rescind.Tests.Redis;

namespace Rescind.Tests.Server;

/// <summary>What two nodes write for the first time at the same moment, in the database that they share.</summary>
public sealed class SharedWritesTests
{
    [Fact]
    public async Task The_age_of_a_key_that_another_node_notes_meanwhile()
    {
        await using var postgres = new PostgresServer();
        await postgres.InitializeAsync();
        await using var server = await ServerUnderTest.StartAsync(("DATABASE_URL", await postgres.NewDatabaseAsync()));
        var admin = await server.LogInAsAdminAsync();
        var key = server.Services.GetRequiredService<ServerSettings>().Keys.Signing.Key.KeyId;
        var seen = DateTime.UtcNow.AddDays(-3);

        var reply = await server.Services.GetRequiredService<AccountStore>().WhileAnotherWritesAsync(
            postgres,
            other => AddAsync(other, "key:" + key, seen.ToString("O")),
            () => server.GetAsync("/api/auth/security/status", admin.Access));

        reply.IsSuccess();
        Assert.Contains("In use for 3 days.", reply.Text, StringComparison.Ordinal);
    }

    [Fact]
    public async Task An_occurrence_that_another_node_takes_meanwhile()
    {
        await using var postgres = new PostgresServer();
        await postgres.InitializeAsync();
        await using var server = await ServerUnderTest.StartAsync(("DATABASE_URL", await postgres.NewDatabaseAsync()));
        var occurrence = new DateTime(2026, 1, 1, 2, 0, 0, DateTimeKind.Utc);

        Assert.False(await server.Services.GetRequiredService<AccountStore>().WhileAnotherWritesAsync(
            postgres,
            other => AddAsync(other, "maintenance:first", "2026-01-01T02:00:00"),
            () => server.Services.GetRequiredService<Schedule>().TryTakeAsync("first", occurrence)));
    }

    private static Task AddAsync(AccountsDb db, string name, string value)
    {
        db.Marks.Add(new Mark { Name = name, Value = value });
        return Task.CompletedTask;
    }
}

internal static class SharedWrites
{
    /// <summary>Does something that must wait for another node's transaction, which is kept as soon as it
    /// does.</summary>
    public static async Task<T> WhileAnotherWritesAsync<T>(
        this AccountStore store, PostgresServer postgres, Func<AccountsDb, Task> write, Func<Task<T>> meanwhile)
    {
        var done = await store.WriteAsync(
            async db =>
            {
                await write(db);
                await db.SaveChangesAsync();
                var waiting = meanwhile();
                await Eventually.TrueAsync(
                    async () => await postgres.ExecuteAsync(
                        "postgres", "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock'") is 1L,
                    "this node waits for the other");
                return waiting;
            },
            CancellationToken.None);
        return await done;
    }
}
