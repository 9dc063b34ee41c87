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
            var made = await AddAsync(email, password, cancel);
            (made ? (Action<ILogger>)Log.AdministratorMade : Log.AdministratorExists)(logger);
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
            await AddAsync(LocalEmail, drawn, cancel);
            Log.LocalAdministratorMade(logger);
        }
    }

    private async Task<bool> AddAsync(string email, string password, CancellationToken cancel)
    {
        var account = Register.New(email, clock);
        account.IsAdmin = true;
        account.PasswordHash = await passwords.HashAsync(account, password, cancel)
            ?? throw new InvalidOperationException("Nothing else hashes before the server has started.");
        try
        {
            return await store.WriteAsync(db => AddAsync(db, account, cancel), cancel);
        }
        catch (DbUpdateException fault) when (!FaultHandler.IsDatabaseAway(fault))
        {
            // Another node that starts at the same moment has made it.
            return true;
        }
    }

    private static async Task<bool> AddAsync(AccountsDb db, Account account, CancellationToken cancel)
    {
        var isTaken = await db.Accounts.AnyAsync(
            row => row.NormalizedEmail == account.NormalizedEmail, cancel);
        if (!isTaken)
        {
            db.Accounts.Add(account);
            db.Marks.Add(new Mark { Name = Mark.FirstAdministrator, Value = account.Id });
            await db.SaveChangesAsync(cancel);
        }
        return !isTaken;
    }
}
