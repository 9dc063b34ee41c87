// What ends every token of an account because the account itself changes: a new password, its deletion, its
// being disabled. What it guarantees: the row is changed first, inside the transaction, and the tokens are
// revoked before it commits. A log-in with the old password holds the same row (see LogIn), so
// it comes either before, and the cutoff hits its session, or after, and finds the change. When the process
// dies in between, people are logged out and the account is as it was; never the other way round.
using Microsoft.EntityFrameworkCore;
using Rescind.Server.Answers;
using Rescind.Server.Audit;
using Rescind.Server.Database;
using Rescind.Server.Revoking;
using Rescind.Server.Sessions;
using Rescind.Server.Settings;
using Rescind.Server.Tokens;

namespace Rescind.Server.Accounts;

/// <summary>How a change ended.</summary>
/// <param name="IsGone">Somebody else changed the account meanwhile; nothing was done.</param>
/// <param name="Refusal">Why nothing was done.</param>
/// <param name="Receipt">How far the revocation got.</param>
/// <param name="Opening">The session that was opened after it.</param>
/// <param name="Account">The account as it is now; null: it is gone.</param>
internal readonly record struct Changed(
    bool IsGone = false, Refusal? Refusal = null, Receipt? Receipt = null, Opening Opening = default,
    Account? Account = null);

internal sealed class CredentialChange(
    AccountStore store, Revoker revoker, SessionBook sessions, ServerSettings settings, TimeProvider clock)
{
    private static readonly Refusal LastAdministrator = new(
        409, "conflict", "This is the last administrator; make another one first.");

    /// <summary>A new password, and a session that begins with it.</summary>
    public Task<Changed> SetPasswordAsync(Account account, string newHash, HttpContext context) => RunAsync(
        account, "password_change", AuditEvents.PasswordChanged, context, opens: true,
        db => SetHashAsync(
            db, account, db.Accounts.Where(row => row.PasswordHash == account.PasswordHash), newHash));

    /// <summary>A new password by a mailed token, which is used up. Whoever has it need not know the password
    /// of before, which may be hashed anew at this moment.</summary>
    public Task<Changed> ResetAsync(Account account, string newHash, string usedUp, HttpContext context)
    {
        var now = clock.GetUtcNow().UtcDateTime;
        return RunAsync(
            account, "password_change", AuditEvents.PasswordChanged, context, opens: false,
            async db => await db.PasswordResets.Where(row => row.Hash == usedUp && row.ExpiresAt > now)
                .ExecuteDeleteAsync() == 1 && await SetHashAsync(db, account, db.Accounts, newHash));
    }

    /// <summary>The account goes, with its sessions; one that was imported stays away.</summary>
    public Task<Changed> DeleteAsync(Account account, HttpContext context) => RunAsync(
        account, "account_deleted", AuditEvents.AccountDeleted, context, opens: false,
        db => DeleteAsync(db, account));

    /// <summary>An administrator changes what the account may do; what is null stays as it is by then.
    /// </summary>
    public Task<Changed> SetRightsAsync(
        Account account, bool? isAdmin, bool? isDisabled, HttpContext context) => RunAsync(
            account, "admin_action", AuditEvents.AccountChanged, context, opens: false,
            db => SetRightsAsync(db, account.Id, isAdmin, isDisabled), NoteOf(isAdmin, isDisabled));

    private static string NoteOf(bool? isAdmin, bool? isDisabled)
    {
        var rights = new[] { ("is_admin", isAdmin), ("is_disabled", isDisabled) };
        return string.Join(", ", rights.Where(one => one.Item2 is not null)
            .Select(one => $"{one.Item1} {(one.Item2 == true ? "true" : "false")}"));
    }

    private async Task<bool> DeleteAsync(AccountsDb db, Account account)
    {
        if (account.TokenVersion is not null)
        {
            var now = clock.GetUtcNow().UtcDateTime;
            db.Marks.Add(new Mark { Name = Mark.OfDeleted(account.Id), Value = now.ToString("O") });
            await db.SaveChangesAsync();
        }
        return await db.Accounts.Where(row => row.Id == account.Id).ExecuteDeleteAsync() == 1;
    }

    private async Task<bool> SetRightsAsync(AccountsDb db, string id, bool? isAdmin, bool? isDisabled)
    {
        var (found, now) = (db.Accounts.Where(row => row.Id == id), clock.GetUtcNow().UtcDateTime);
        var changed = 0;
        if (isAdmin is { } admin)
        {
            changed += await found.ExecuteUpdateAsync(row => row.SetProperty(it => it.IsAdmin, admin));
        }
        if (isDisabled is { } disabled)
        {
            changed += await found.ExecuteUpdateAsync(row => row.SetProperty(
                it => it.DisabledAt, it => disabled ? it.DisabledAt ?? now : null));
        }
        return changed > 0;
    }

    private static async Task<bool> SetHashAsync(
        AccountsDb db, Account account, IQueryable<Account> among, string newHash)
    {
        await db.PasswordResets.Where(row => row.AccountId == account.Id).ExecuteDeleteAsync();
        return await among.Where(row => row.Id == account.Id)
            .ExecuteUpdateAsync(row => row.SetProperty(it => it.PasswordHash, newHash)) == 1;
    }

    private async Task<Changed> RunAsync(
        Account account, string reason, string eventType, HttpContext context, bool opens,
        Func<AccountsDb, Task<bool>> change, string? note = null)
    {
        AuditNotes.Of(context).UserId = account.Id;
        var happened = new AuditEvent(eventType) { Reason = reason, Note = note };
        Changed changed = default;
        try
        {
            // Not cancelled with the request: what has begun is carried through or undone.
            changed = await store.WriteAsync(
                async db => await ChangeAsync(db, account, reason, context, opens, change) is { } done
                    && done is { IsGone: false, Refusal: null }
                        ? done
                        : throw new UndoneException(done),
                CancellationToken.None);
        }
        catch (UndoneException undone)
        {
            return undone.Changed;
        }
        catch (OutcomeUnknownException)
        {
            AuditNotes.AddUnconfirmed(context, happened);
            throw;
        }
        AuditNotes.Add(context, happened);
        return changed;
    }

    private async Task<Changed> ChangeAsync(
        AccountsDb db, Account account, string reason, HttpContext context, bool opens,
        Func<AccountsDb, Task<bool>> change)
    {
        if (await HoldAsync(db, account.Id) is not { } before || !await change(db))
        {
            return new Changed(IsGone: true);
        }

        // What it may do by now: a password takes a while to compare, and a session that is opened with it
        // must not give what was taken away meanwhile.
        var current = await db.Accounts.AsNoTracking().SingleOrDefaultAsync(row => row.Id == account.Id);
        if (opens && current is not { DisabledAt: null })
        {
            return new Changed(IsGone: true);
        }
        if (before is { IsAdmin: true, DisabledAt: null }
            && !await db.Accounts.AnyAsync(row => row.IsAdmin && row.DisabledAt == null))
        {
            return new Changed(Refusal: LastAdministrator);
        }
        var actor = context.User.Identity?.IsAuthenticated == true ? Caller.Of(context).Subject : account.Id;
        var rule = Revocation.OfSubject(settings.Issuer, account.Id) with
        {
            Reason = reason, Actor = Revoker.ActorOf(actor),
        };
        var revoked = await revoker.RevokeAsync(rule);
        if (revoked.Refusal is not null)
        {
            return new Changed(Refusal: revoked.Refusal);
        }
        await sessions.EndHitAsync(db, AuditNotes.Of(context).Made(rule));
        var opening = opens
            ? await sessions.OpenAsync(db, current!, Device.Of(context))
            : default;
        return new Changed(
            Refusal: opening.Refusal, Receipt: revoked.Receipt, Opening: opening, Account: current);
    }

    /// <summary>Holds the row, or, when it is an administrator's, those of all administrators, so that two of
    /// them cannot remove each other at once. Which of the two is seen by the transaction itself: what was
    /// read before it may be of another time.</summary>
    /// <returns>The account, which nobody else changes until the end; null: it is gone.</returns>
    private static async Task<Account?> HoldAsync(AccountsDb db, string id)
    {
        var found = db.Accounts.AsNoTracking().Where(row => row.Id == id);
        var seen = await found.SingleOrDefaultAsync();
        while (seen is not null)
        {
            var isAdmin = seen.IsAdmin;
            await (isAdmin ? db.Accounts.Where(row => row.IsAdmin) : found.Where(row => !row.IsAdmin))
                .ExecuteUpdateAsync(row => row.SetProperty(it => it.IsAdmin, isAdmin));
            seen = await found.SingleOrDefaultAsync();
            if (seen?.IsAdmin == isAdmin)
            {
                return seen;
            }
        }
        return null;
    }

    /// <summary>Undoes the transaction, with what is to be answered.</summary>
    private sealed class UndoneException(Changed changed) : Exception
    {
        public Changed Changed => changed;
    }
}
