// "Forgot password". What it guarantees: the answer is the same, in words and time, whether or not the
// account exists, because everything that depends on it happens later, in the post office; what is mailed
// works once, for half an hour, and stands in the database as a hash; an account has at most a few of them at
// a time.
using System.Buffers.Text;
using System.Security.Cryptography;
using System.Text;
using Microsoft.EntityFrameworkCore;
using MimeKit;
using Rescind.Server.Answers;
using Rescind.Server.Database;
using Rescind.Server.Mail;
using Rescind.Server.Settings;

namespace Rescind.Server.Accounts;

/// <summary>The body of forgot-password.</summary>
internal sealed class ForgotPasswordBody
{
    public string? Email { get; init; }
}

/// <summary>The body of verify-reset-token and reset-password.</summary>
internal sealed class ResetPasswordBody
{
    public string? Token { get; init; }

    public string? NewPassword { get; init; }
}

/// <summary>An answer that says no more than that it went well.</summary>
internal sealed record PlainAnswer : Answer;

internal sealed class PasswordResets(
    AccountStore store, CredentialChange change, Passwords passwords, PostOffice post,
    ServerSettings settings, TimeProvider clock)
{
    private const int TokenBytes = 32;
    private const int MostAtOnce = 3;
    private static readonly TimeSpan Life = TimeSpan.FromMinutes(30);

    private static readonly Refusal NoMail = new(
        503, "mail_unavailable", "This server cannot send mail: SMTP_URL and MAIL_FROM are not set.");

    private static readonly Refusal Wrong = new(
        400, "validation_failed", "The reset token is wrong, was used, or is older than 30 minutes.")
    {
        Errors = new Dictionary<string, string[]>(StringComparer.Ordinal)
        {
            ["token"] = ["The reset token is wrong, was used, or is older than 30 minutes."],
        },
    };

    /// <summary><c>POST /api/auth/forgot-password</c></summary>
    public IResult Forgot(ForgotPasswordBody body)
    {
        if (settings.Mail is not { } mail)
        {
            return NoMail;
        }
        var email = body.Email?.Trim();
        if (Credentials.WrongWithEmail(email) is { } wrong)
        {
            return Refusals.Invalidated("email", wrong);
        }
        var token = Base64Url.EncodeToString(RandomNumberGenerator.GetBytes(TokenBytes));
        return post.TryOrder(
            () => WriteAsync(Credentials.Normalize(email!), token, mail), () => ForgetAsync(HashOf(token)))
            ? TypedResults.Json(new PlainAnswer { Message = "If the account exists, a mail is on its way." })
            : Refusals.Busy;
    }

    /// <summary><c>POST /api/auth/verify-reset-token</c></summary>
    public async Task<IResult> VerifyAsync(ResetPasswordBody body, HttpContext context)
    {
        var (hash, now) = (HashOf(body.Token), clock.GetUtcNow().UtcDateTime);
        var isGood = await store.ReadAsync(
            db => db.PasswordResets.AnyAsync(
                row => row.Hash == hash && row.ExpiresAt > now, context.RequestAborted),
            context.RequestAborted);
        return isGood ? TypedResults.Json(new PlainAnswer { Message = "The reset token is good." }) : Wrong;
    }

    /// <summary><c>POST /api/auth/reset-password</c>: every session ends, and nobody is logged in.</summary>
    public async Task<IResult> ResetAsync(ResetPasswordBody body, HttpContext context)
    {
        if (Credentials.WrongWithPassword(body.NewPassword) is { } wrong)
        {
            return Refusals.Invalidated("new_password", wrong);
        }
        var (hash, now, cancel) = (HashOf(body.Token), clock.GetUtcNow().UtcDateTime, context.RequestAborted);
        var account = await store.ReadAsync(
            async db => await db.PasswordResets.Where(row => row.Hash == hash && row.ExpiresAt > now)
                .Join(db.Accounts, row => row.AccountId, one => one.Id, (_, one) => one)
                .SingleOrDefaultAsync(cancel),
            cancel);
        if (account is null)
        {
            return Wrong;
        }
        if (await passwords.HashAsync(account, body.NewPassword!, cancel) is not { } newHash)
        {
            return Refusals.Busy;
        }
        var changed = await change.ResetAsync(account, newHash, hash, context);
        return changed.IsGone ? Wrong : changed.Refusal ?? (IResult)TypedResults.Json(new PlainAnswer
        {
            Message = "The password is changed, and every session has ended.",
        });
    }

    private static string HashOf(string? token) =>
        Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(token ?? "")));

    private async Task<MimeMessage?> WriteAsync(string normalizedEmail, string token, MailSettings mail)
    {
        var now = clock.GetUtcNow().UtcDateTime;
        var email = await store.WriteAsync(
            async db =>
            {
                var account = await db.Accounts.AsNoTracking().SingleOrDefaultAsync(
                    row => row.NormalizedEmail == normalizedEmail && row.DisabledAt == null);
                if (account is null)
                {
                    return null;
                }
                await db.PasswordResets.Where(row => row.AccountId == account.Id && row.ExpiresAt <= now)
                    .ExecuteDeleteAsync();
                if (await db.PasswordResets.CountAsync(row => row.AccountId == account.Id) >= MostAtOnce)
                {
                    return null;
                }
                db.PasswordResets.Add(new PasswordReset
                {
                    Hash = HashOf(token), AccountId = account.Id, ExpiresAt = now + Life,
                });
                await db.SaveChangesAsync();
                return account.Email;
            },
            CancellationToken.None);
        return email is null ? null : Message(email, token, mail);
    }

    /// <summary>What could not be mailed is not one of the few that an account may have.</summary>
    private Task<int> ForgetAsync(string hash) => store.WriteAsync(
        db => db.PasswordResets.Where(row => row.Hash == hash).ExecuteDeleteAsync(), CancellationToken.None);

    private static MimeMessage Message(string email, string token, MailSettings mail)
    {
        var message = new MimeMessage { Subject = "Your new password" };
        message.From.Add(mail.From);
        message.To.Add(new MailboxAddress(null, email));
        message.Body = new TextPart("plain")
        {
            Text = $"""
                Somebody asked for a new password for your account. To set one, enter this code
                within 30 minutes. It works once.

                {token}

                If it was not you, do nothing: your password stays as it is.
                """,
        };
        return message;
    }
}
