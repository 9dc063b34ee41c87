// Makes the accounts file, or brings it up to date. What it guarantees: a file of a newer version, of another
// program, or a damaged one stops the start with one line; a crash in the middle leaves the version before.
using Microsoft.Data.Sqlite;
using Microsoft.EntityFrameworkCore;
using Microsoft.EntityFrameworkCore.Infrastructure;
using Microsoft.EntityFrameworkCore.Migrations;
using Rescind.Server.Settings;

namespace Rescind.Server.Database;

internal static class SqliteSchema
{
    private const string FileName = SqliteDb.FileName;

    /// <summary>What files carried before there were migrations.</summary>
    private const long FirstVersion = 1;

    public static async Task PrepareAsync(AccountsDb db, DataFolder data, CancellationToken cancel)
    {
        try
        {
            data.MakeFile(FileName);
            await MakeAsync(db, cancel);
        }
        catch (SqliteException fault)
        {
            throw new StartRefusedException(
                $"RESCIND_DATA/{FileName} cannot be used (SQLite error {fault.SqliteErrorCode}: "
                + $"{Because(fault.SqliteErrorCode)}); repair or restore the file, or move it away to start "
                + "with no accounts.",
                fault);
        }
        catch (Exception fault) when (fault is IOException or UnauthorizedAccessException)
        {
            throw new StartRefusedException(
                $"RESCIND_DATA/{FileName} cannot be made ({fault.GetType().Name}); "
                + "name a folder that the user of this process may write to.", fault);
        }
    }

    private static async Task MakeAsync(AccountsDb db, CancellationToken cancel)
    {
        await db.Database.OpenConnectionAsync(cancel);
        await db.Database.ExecuteSqlRawAsync("PRAGMA journal_mode=WAL", cancel);
        var version = await NumberAsync(db, "SELECT user_version AS Value FROM pragma_user_version", cancel);
        var tables = await NumberAsync(db, "SELECT COUNT(*) AS Value FROM sqlite_master", cancel);
        if (version > FirstVersion || (version == 0 && tables > 0))
        {
            throw new StartRefusedException(
                $"RESCIND_DATA/{FileName} is a database of another program; name another RESCIND_DATA.");
        }
        if (tables > 0)
        {
            await AdoptAsync(db, cancel);
        }
        SchemaVersion.RefuseNewer(
            await db.Database.GetAppliedMigrationsAsync(cancel), db, $"RESCIND_DATA/{FileName}");
        await db.Database.MigrateAsync(cancel);
        await db.Database.ExecuteSqlRawAsync($"PRAGMA user_version={FirstVersion}", cancel);
        await db.Database.CloseConnectionAsync();
    }

    /// <summary>A file from before migrations counts as the first of them. A lock that a crash left behind is
    /// nobody's: one process has this file.</summary>
    private static async Task AdoptAsync(AccountsDb db, CancellationToken cancel)
    {
        await db.Database.ExecuteSqlRawAsync("DROP TABLE IF EXISTS \"__EFMigrationsLock\"", cancel);
        var history = db.GetService<IHistoryRepository>();
        if (await history.ExistsAsync(cancel))
        {
            return;
        }
        var first = new HistoryRow(db.Database.GetMigrations().First(), ProductInfo.GetVersion());
        await using var transaction = await db.Database.BeginTransactionAsync(cancel);
        await db.Database.ExecuteSqlRawAsync(history.GetCreateIfNotExistsScript(), cancel);
        await db.Database.ExecuteSqlRawAsync(history.GetInsertScript(first), cancel);
        await transaction.CommitAsync(cancel);
    }

    private static Task<long> NumberAsync(AccountsDb db, string sql, CancellationToken cancel) =>
        db.Database.SqlQueryRaw<long>(sql).SingleAsync(cancel);

    private static string Because(int code) => code switch
    {
        8 => "the file is read-only",
        10 => "the disk fails",
        11 => "the file is damaged",
        13 => "the disk is full",
        14 => "the file cannot be opened",
        26 => "the file is not a database",
        _ => "see sqlite.org/rescode.html",
    };
}
