using Microsoft.EntityFrameworkCore;
using Rescind.Server.Answers;
using Rescind.Server.Audit;
using Rescind.Server.Database;
using Rescind.Server.Sessions;

namespace Rescind.Server.Accounts;

/// <summary>The body of register and login.</summary>
internal sealed class CredentialsBody
{
    public string? Email { get; init; }

    public string? Password { get; init; }
}

/// <summary><c>POST /api/auth/register</c></summary>
internal sealed class Register(
    AccountStore store, Passwords passwords, SessionBook sessions, TimeProvider clock)
{
    private static readonly Refusal Taken =
        new(409, "conflict", "There is an account with this e-mail address already.");

    public async Task<IResult> AnswerAsync(CredentialsBody body, HttpContext context)
    {
        var (email, password) = (body.Email?.Trim(), body.Password);
        if (WrongWith(email, password) is { } refusal)
        {
            return refusal;
        }
        var normalized = Credentials.Normalize(email!);
        var cancel = context.RequestAborted;
        if (await store.ReadAsync(
            db => db.Accounts.AnyAsync(row => row.NormalizedEmail == normalized, cancel), cancel))
        {
            return Taken;
        }
        var account = New(email!, clock);
        if (await passwords.HashAsync(account, password!, cancel) is not { } hash)
        {
            return Refusals.Busy;
        }
        account.PasswordHash = hash;
        var registered = new AuditEvent(AuditEvents.UserRegistered)
        {
            UserId = account.Id, Actor = account.Id,
        };
        try
        {
            var opening = await store.WriteAsync(
                db =>
                {
                    db.Accounts.Add(account);
                    return sessions.OpenAsync(db, account, Device.Of(context));
                },
                cancel);
            if (opening.Refusal is null)
            {
                AuditNotes.Add(context, registered);
            }
            return TokenAnswer.Of(opening, StatusCodes.Status201Created, "Account created.");
        }
        catch (DbUpdateException fault) when (!FaultHandler.IsDatabaseAway(fault))
        {
            // Somebody registered the same address while the password was hashed.
            return Taken;
        }
        catch (OutcomeUnknownException)
        {
            AuditNotes.AddUnconfirmed(context, registered);
            throw;
        }
    }

    public static Account New(string email, TimeProvider clock) => new()
    {
        Id = Guid.NewGuid().ToString(),
        Email = email,
        NormalizedEmail = Credentials.Normalize(email),
        PasswordHash = "",
        CreatedAt = clock.GetUtcNow().UtcDateTime,
    };

    private static Refusal? WrongWith(string? email, string? password)
    {
        var errors = new Dictionary<string, string[]>(StringComparer.Ordinal);
        if (Credentials.WrongWithEmail(email) is { } wrongEmail)
        {
            errors["email"] = [wrongEmail];
        }
        if (Credentials.WrongWithPassword(password) is { } wrongPassword)
        {
            errors["password"] = [wrongPassword];
        }
        return errors.Count == 0 ? null : Refusals.Invalidated(errors);
    }
}
