// The first administrator. What it guarantees: made at most once in the life of a database, also when the
// account is deleted or demoted later; an account that exists is never promoted, because whoever registered
// that address first would become administrator.
using System.Security.Cryptography;
using Microsoft.EntityFrameworkCore;
using Rescind.Server.Answers;
using Rescind.Server.Database;
using Rescind.Server.Settings;

namespace Rescind.Server.Accounts;

internal sealed class FirstAdministrator(
    AccountStore store, Passwords passwords, ServerSettings settings, TimeProvider clock,
    ILogger<FirstAdministrator> logger)
{
    private const string LocalEmail = "admin@localhost";
    private const string PasswordFile = "initial-admin";

    public async Task MakeAsync(CancellationToken cancel)
    {
        var (wasMade, isEmpty) = await store.ReadAsync(
            async db => (await db.Marks.AnyAsync(mark => mark.Name == Mark.FirstAdministrator, cancel),
                !await db.Accounts.AnyAsync(cancel)),
            cancel);
        if (wasMade)
        {
            return;
        }
        if (settings is { AdminEmail: { } email, AdminPassword: { } password })
        {
            if (await AddAsync(email, password, cancel) is { } made)
            {
                (made ? (Action<ILogger>)Log.AdministratorMade : Log.AdministratorExists)(logger);
            }
        }
        else if (!isEmpty || !settings.IsDevelopment)
        {
            if (!await store.ReadAsync(db => db.Accounts.AnyAsync(row => row.IsAdmin, cancel), cancel))
            {
                Log.NoAdministrator(logger);
            }
        }
        else
        {
            // The file first: a password that nobody can read would lock everybody out.
            var drawn = RandomNumberGenerator.GetHexString(24, lowercase: true);
            settings.Data.WriteSecret(PasswordFile, drawn);
            if (await AddAsync(LocalEmail, drawn, cancel) == true)
            {
                Log.LocalAdministratorMade(logger);
            }
            else
            {
                // Another node that started at the same moment has made it, and has its password.
                File.Delete(settings.Data.PathOf(PasswordFile));
            }
        }
    }

    /// <returns>Whether it was made; false when the address is taken, null when another node that starts at
    /// the same moment has made one.</returns>
    private async Task<bool?> AddAsync(string email, string password, CancellationToken cancel)
    {
        var account = Register.New(email, clock);
        account.IsAdmin = true;
        account.PasswordHash = await passwords.HashAsync(account, password, cancel)
            ?? throw new InvalidOperationException("Nothing else hashes before the server has started.");
        return await store.WriteSharedAsync(db => AddAsync(db, account, cancel));
    }

    private static async Task<bool?> AddAsync(AccountsDb db, Account account, CancellationToken cancel)
    {
        if (await db.Marks.AnyAsync(mark => mark.Name == Mark.FirstAdministrator, cancel))
        {
            return null;
        }
        if (await db.Accounts.AnyAsync(row => row.NormalizedEmail == account.NormalizedEmail, cancel))
        {
            return false;
        }
        db.Accounts.Add(account);
        db.Marks.Add(new Mark { Name = Mark.FirstAdministrator, Value = account.Id });
        await db.SaveChangesAsync(cancel);
        return true;
    }
}
