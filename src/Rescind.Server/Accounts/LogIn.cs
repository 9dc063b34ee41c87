using Microsoft.EntityFrameworkCore;
using Rescind.Server.Answers;
using Rescind.Server.Audit;
using Rescind.Server.Database;
using Rescind.Server.Sessions;

namespace Rescind.Server.Accounts;

/// <summary><c>POST /api/auth/login</c>. Whether an account exists changes neither the words nor the time of
/// the answer.</summary>
internal sealed class LogIn(
    AccountStore store, Passwords passwords, Strangers strangers, LoginGate gate, SessionBook sessions,
    TimeProvider clock)
{
    public async Task<IResult> AnswerAsync(CredentialsBody body, HttpContext context)
    {
        var (email, password) = (body.Email?.Trim(), body.Password);
        if (string.IsNullOrEmpty(email) || string.IsNullOrEmpty(password))
        {
            return Missing(email, password);
        }
        var key = Credentials.Normalize(email[..Math.Min(email.Length, Credentials.LongestEmail)]);
        var (address, cancel) = (context.Connection.RemoteIpAddress, context.RequestAborted);
        if ((await gate.RefusalAsync(key, address) ?? await gate.TooManyAsync(address, isIn: false))
            is { } refusal)
        {
            return refusal;
        }
        await Task.Delay(gate.DelayFor(key), clock, cancel);

        // Once more, when the account was changed while its password was compared: another device of a user
        // from elsewhere, for instance, had the hash made anew.
        return await TryAsync(email, password, key, context)
            ?? await TryAsync(email, password, key, context)
            ?? Refusals.WrongCredentials;
    }

    /// <returns>Null when the account is no longer the one whose password was compared.</returns>
    private async Task<IResult?> TryAsync(string email, string password, string key, HttpContext context)
    {
        var (address, cancel) = (context.Connection.RemoteIpAddress, context.RequestAborted);
        var account = await FindAsync(email, password, cancel);
        await strangers.MeetAsync(account?.PasswordHash ?? "");
        password = password[..Math.Min(password.Length, Credentials.LongestPassword)];
        var verdict = await passwords.VerifyAsync(account ?? strangers.For(key), password, cancel);
        if (verdict == PasswordVerdict.Wrong)
        {
            gate.Tell(account, context);
        }

        // Asked again: the failures of guesses that were compared at the same time count against this one
        // too, and of many guesses at once the answer must not tell the right one.
        if (verdict != PasswordVerdict.Busy && await gate.RefusalAsync(key, address) is { } refusal)
        {
            return refusal;
        }
        if (verdict is PasswordVerdict.Right or PasswordVerdict.RightButOld
            && await gate.TooManyAsync(address, isIn: true) is { } tooMany)
        {
            return tooMany;
        }
        switch (verdict)
        {
            case PasswordVerdict.Busy:
                return Refusals.Busy;
            case PasswordVerdict.Wrong:
                await gate.FailedAsync(key, account, context);
                return Refusals.WrongCredentials;
            case PasswordVerdict.RightButOld:
                return await OpenAsync(
                    account!, key, context, await passwords.HashAsync(account!, password, cancel));
            case PasswordVerdict.Right:
                return await OpenAsync(account!, key, context, newHash: null);
            default:
                throw new InvalidOperationException("A verdict on a password that is not known.");
        }
    }

    private async Task<IResult?> OpenAsync(
        Account account, string key, HttpContext context, string? newHash)
    {
        if (account.DisabledAt is not null)
        {
            return Refusals.Disabled;
        }
        AuditNotes.Of(context).UserId = account.Id; // a session that must make room is of that user
        var opened = await store.WriteAsync(
            db => OpenAsync(db, account, newHash, Device.Of(context)), context.RequestAborted);
        if (opened is not { } opening)
        {
            return null;
        }
        if (opening.Refusal is null)
        {
            await gate.SucceededAsync(key, context.Connection.RemoteIpAddress);
            AuditNotes.Add(context, new AuditEvent(AuditEvents.LoginSucceeded)
            {
                UserId = account.Id, Actor = account.Id,
            });
        }
        return TokenAnswer.Of(opening, StatusCodes.Status200OK, "Logged in.");
    }

    /// <summary>Holds the row until the session is there, and finds out whether the password that was
    /// verified is still the account's; see <see cref="CredentialChange"/>. What the account may do is read
    /// then: an administrator may have lost that while the password was compared.</summary>
    private async Task<Opening?> OpenAsync(AccountsDb db, Account account, string? newHash, Device device)
    {
        var held = await db.Accounts
            .Where(row => row.Id == account.Id && row.PasswordHash == account.PasswordHash
                && row.DisabledAt == account.DisabledAt)
            .ExecuteUpdateAsync(row => row.SetProperty(
                it => it.PasswordHash, newHash ?? account.PasswordHash));
        return held == 1
            ? await sessions.OpenAsync(
                db, await db.Accounts.AsNoTracking().SingleAsync(row => row.Id == account.Id), device)
            : null;
    }

    private async Task<Account?> FindAsync(string email, string password, CancellationToken cancel)
    {
        var isPossible = email.Length <= Credentials.LongestEmail && !email.Any(char.IsControl)
            && password.Length <= Credentials.LongestPassword;
        var normalized = isPossible ? Credentials.Normalize(email) : "";
        return await store.ReadAsync(
            db => db.Accounts.SingleOrDefaultAsync(row => row.NormalizedEmail == normalized, cancel), cancel);
    }

    private static Refusal Missing(string? email, string? password)
    {
        var errors = new Dictionary<string, string[]>(StringComparer.Ordinal);
        if (string.IsNullOrEmpty(email))
        {
            errors["email"] = ["email is missing."];
        }
        if (string.IsNullOrEmpty(password))
        {
            errors["password"] = ["password is missing."];
        }
        return Refusals.Invalidated(errors);
    }
}
