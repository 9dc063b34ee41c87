// Brings the tables in PostgreSQL up to date. What it guarantees: one node does it at a time (an advisory
// lock; the library's own lock is on a table that the first of them still has to make); what an operator can
// put right stops the start with one line; a database that is away does not, because checks and revocations
// need none.
using System.Diagnostics;
using Microsoft.EntityFrameworkCore;
using Npgsql;
using Rescind.Server.Answers;
using Rescind.Server.Settings;

namespace Rescind.Server.Database;

internal static class PostgresSchema
{
    /// <summary>"rescind" in ASCII: the number of our lock among those of other programs.</summary>
    private const long LockNumber = 0x72657363696e64;

    /// <summary>For how long another node that brings the tables up to date is waited for.</summary>
    private static readonly TimeSpan LongestWait = TimeSpan.FromSeconds(5);

    /// <returns>Whether the database was there, and no other node is at it.</returns>
    public static async Task<bool> TryPrepareAsync(AccountsDb db, CancellationToken cancel)
    {
        try
        {
            return await PrepareAsync(db, cancel);
        }
        catch (PostgresException fault) when (RemedyOf(fault.SqlState) is { } remedy)
        {
            throw new StartRefusedException("DATABASE_URL", fault.MessageText, remedy);
        }
        catch (Exception fault) when (FaultHandler.IsDatabaseAway(fault))
        {
            return false;
        }
    }

    private static async Task<bool> PrepareAsync(AccountsDb db, CancellationToken cancel)
    {
        // The lock belongs to the connection, which the migration then uses too.
        await db.Database.OpenConnectionAsync(cancel);
        var began = Stopwatch.GetTimestamp();
        while (!await db.Database.SqlQuery<bool>(
            $"SELECT pg_try_advisory_lock({LockNumber}) AS \"Value\"").SingleAsync(cancel))
        {
            if (Stopwatch.GetElapsedTime(began) > LongestWait)
            {
                return false;
            }
            await Task.Delay(TimeSpan.FromMilliseconds(200), cancel);
        }
        try
        {
            SchemaVersion.RefuseNewer(
                await db.Database.GetAppliedMigrationsAsync(cancel), db, "The database at DATABASE_URL");
            db.Database.SetCommandTimeout(TimeSpan.FromMinutes(10));
            await db.Database.MigrateAsync(cancel);
            return true;
        }
        finally
        {
            await db.Database.ExecuteSqlAsync($"SELECT pg_advisory_unlock({LockNumber})", cancel);
            await db.Database.CloseConnectionAsync();
        }
    }

    private static string? RemedyOf(string state) => state switch
    {
        "28P01" or "28000" => "correct the user and the password",
        "3D000" => "create the database",
        "42501" => "let the user create a schema in the database, or create the schema 'rescind' for it",
        _ => null,
    };
}

/// <summary>Compares what was applied to a database with what this program knows.</summary>
internal static class SchemaVersion
{
    public static void RefuseNewer(IEnumerable<string> applied, AccountsDb db, string what)
    {
        if (applied.Except(db.Database.GetMigrations(), StringComparer.Ordinal).Any())
        {
            throw new StartRefusedException(
                $"{what} was written by a newer version of the server; start that one.");
        }
    }
}
