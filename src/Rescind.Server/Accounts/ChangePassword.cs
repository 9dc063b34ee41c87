using Microsoft.EntityFrameworkCore;
using Rescind.Server.Answers;
using Rescind.Server.Database;
using Rescind.Server.Tokens;

namespace Rescind.Server.Accounts;

/// <summary>The body of <see cref="ChangePassword"/>.</summary>
internal sealed class ChangePasswordBody
{
    public string? CurrentPassword { get; init; }

    public string? NewPassword { get; init; }
}

/// <summary><c>POST /api/auth/change-password</c>: every earlier token of the user is dead, the new pair
/// works at once. A wrong current password counts like a failed log-in.</summary>
internal sealed class ChangePassword(
    AccountStore store, Passwords passwords, LoginGate gate, CredentialChange change)
{
    private static readonly Refusal WrongPassword = new(
        400, "invalid_credentials", "The current password is wrong.")
    {
        Errors = new Dictionary<string, string[]>(StringComparer.Ordinal)
        {
            ["current_password"] = ["The current password is wrong."],
        },
    };

    private static readonly Refusal Meanwhile = new(
        409, "conflict", "The account was changed meanwhile; log in again.");

    public async Task<IResult> AnswerAsync(ChangePasswordBody body, HttpContext context)
    {
        if (string.IsNullOrEmpty(body.CurrentPassword))
        {
            return Refusals.Invalidated("current_password", "current_password is missing.");
        }
        if (Credentials.WrongWithPassword(body.NewPassword) is { } wrong)
        {
            return Refusals.Invalidated("new_password", wrong);
        }
        var (id, cancel) = (Caller.Of(context).Subject, context.RequestAborted);
        var account = await store.ReadAsync(
            db => db.Accounts.SingleOrDefaultAsync(row => row.Id == id, cancel), cancel);
        if (account is null)
        {
            return Refusals.NoAccount;
        }
        if (await RefusalAsync(account, body.CurrentPassword, context) is { } refusal)
        {
            return refusal;
        }
        if (await passwords.HashAsync(account, body.NewPassword!, cancel) is not { } newHash)
        {
            return Refusals.Busy;
        }
        var changed = await change.SetPasswordAsync(account, newHash, context);
        return changed.IsGone
            ? Meanwhile
            : changed.Refusal ?? TokenAnswer.Of(changed.Opening, 200, "Password changed.");
    }

    private async Task<Refusal?> RefusalAsync(Account account, string password, HttpContext context)
    {
        var address = context.Connection.RemoteIpAddress;
        if (await gate.RefusalAsync(account.NormalizedEmail, address) is { } refusal)
        {
            return refusal;
        }
        var shortened = password[..Math.Min(password.Length, Credentials.LongestPassword)];
        var verdict = await passwords.VerifyAsync(account, shortened, context.RequestAborted);

        if (verdict == PasswordVerdict.Wrong)
        {
            gate.Tell(account, context, about: account.Id);
        }

        // Asked again, as at a log-in: of many guesses at once no answer may tell the right one.
        if (verdict != PasswordVerdict.Busy
            && await gate.RefusalAsync(account.NormalizedEmail, address) is { } locked)
        {
            return locked;
        }
        switch (verdict)
        {
            case PasswordVerdict.Busy:
                return Refusals.Busy;
            case PasswordVerdict.Wrong:
                await gate.FailedAsync(account.NormalizedEmail, account, context);
                return WrongPassword;
            default:
                return null;
        }
    }
}
