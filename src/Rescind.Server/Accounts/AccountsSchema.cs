// Makes the accounts database, or finds that it is one of ours. What it guarantees: the tables appear in one
// transaction together with the version number, so a crash leaves either none or all; a file of another
// version, of another program, or a damaged one stops the start with one line. Migrations come with the
// second version.
using Microsoft.Data.Sqlite;
using Microsoft.EntityFrameworkCore;
using Rescind.Server.Settings;

namespace Rescind.Server.Accounts;

internal static class AccountsSchema
{
    public const string FileName = "accounts.db";
    private const long Version = 1;

    public static async Task PrepareAsync(AccountsDb db, string path, CancellationToken cancel)
    {
        try
        {
            await MakeAsync(db, path, cancel);
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

    private static async Task MakeAsync(AccountsDb db, string path, CancellationToken cancel)
    {
        if (!File.Exists(path))
        {
            // The server opens the file without "create", so that a file that vanished is an outage and not
            // an empty database; this is the one place that makes it.
            await MakeFileAsync(path);
        }
        await db.Database.OpenConnectionAsync(cancel);
        await db.Database.ExecuteSqlRawAsync("PRAGMA journal_mode=WAL", cancel);
        await using var transaction = await db.Database.BeginTransactionAsync(cancel);
        var version = await NumberAsync(db, "SELECT user_version AS Value FROM pragma_user_version", cancel);
        var tables = await NumberAsync(db, "SELECT COUNT(*) AS Value FROM sqlite_master", cancel);
        if (version > Version || (version == 0 && tables > 0))
        {
            throw new StartRefusedException(version > Version
                ? $"RESCIND_DATA/{FileName} was written by a newer version of the server; start that one."
                : $"RESCIND_DATA/{FileName} is a database of another program; name another RESCIND_DATA.");
        }
        if (version == 0)
        {
            await db.Database.ExecuteSqlRawAsync(db.Database.GenerateCreateScript(), cancel);
            await db.Database.ExecuteSqlRawAsync($"PRAGMA user_version={Version}", cancel);
        }
        await transaction.CommitAsync(cancel);
        await db.Database.CloseConnectionAsync();
    }

    private static async Task MakeFileAsync(string path)
    {
        var options = new FileStreamOptions { Mode = FileMode.CreateNew, Access = FileAccess.Write };
        if (!OperatingSystem.IsWindows())
        {
            options.UnixCreateMode = UnixFileMode.UserRead | UnixFileMode.UserWrite;
        }
        await new FileStream(path, options).DisposeAsync();
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
