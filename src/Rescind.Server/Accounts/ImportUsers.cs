using Microsoft.EntityFrameworkCore;
using Rescind.Server.Answers;
using Rescind.Server.Audit;
using Rescind.Server.Database;

namespace Rescind.Server.Accounts;

/// <summary>A user of the service that this one replaces.</summary>
internal sealed class ImportedUser
{
    public string? Id { get; init; }

    public string? Email { get; init; }

    /// <summary>bcrypt.</summary>
    public string? PasswordHash { get; init; }

    public bool? IsAdmin { get; init; }

    /// <summary>Tokens of lower versions are refused. Default: 0, which refuses none.</summary>
    public int? TokenVersion { get; init; }
}

/// <summary>The body of <see cref="ImportUsers"/>.</summary>
internal sealed class ImportUsersBody
{
    public IReadOnlyList<ImportedUser?>? Users { get; init; }
}

/// <summary>A user that was not taken over.</summary>
internal sealed record RejectedUser(int Index, string Reason);

/// <summary>The answer of <see cref="ImportUsers"/>.</summary>
internal sealed record ImportUsersAnswer : Answer
{
    public required int Imported { get; init; }

    /// <summary>Users whose id is there already, or was and is deleted; they are left as they are.</summary>
    public required int Known { get; init; }

    public required IReadOnlyList<RejectedUser> Rejected { get; init; }
}

/// <summary><c>POST /api/auth/admin/import-users</c>: takes over users with their password hashes. The good
/// ones are taken when some are bad; sending the same again changes nothing.</summary>
internal sealed class ImportUsers(AccountStore store, Strangers strangers, TimeProvider clock)
{
    private const int Most = 1_000;
    private const int LongestId = 64;

    public async Task<IResult> AnswerAsync(ImportUsersBody body, HttpContext context)
    {
        if (body.Users is not { Count: > 0 and <= Most } users)
        {
            return Refusals.Invalidated("users", $"users must have 1 to {Most} users.");
        }

        // Somebody may import or register the same user at this moment.
        var (taken, known, rejected) = (new List<ImportedUser>(), 0, new List<RejectedUser>());
        try
        {
            await store.WriteSharedAsync(
                async db => (taken, known, rejected) = await TakeAsync(db, users));
        }
        catch (OutcomeUnknownException)
        {
            taken.ForEach(user => AuditNotes.AddUnconfirmed(context, EventOf(user)));
            throw;
        }
        taken.ForEach(user => AuditNotes.Add(context, EventOf(user)));
        var imported = taken.Count;
        AuditNotes.Add(context, new AuditEvent(AuditEvents.UsersImported)
        {
            Note = $"{imported} imported, {known} known, {rejected.Count} rejected",
        });
        await strangers.TryLearnAsync();
        return TypedResults.Json(new ImportUsersAnswer
        {
            Message = $"{imported} imported, {known} known, {rejected.Count} rejected.",
            Imported = imported,
            Known = known,
            Rejected = rejected,
        });
    }

    private static AuditEvent EventOf(ImportedUser user) => new(AuditEvents.UsersImported)
    {
        UserId = user.Id, Note = user.IsAdmin == true ? "an administrator" : "a user",
    };

    private async Task<(List<ImportedUser> Taken, int Known, List<RejectedUser> Rejected)> TakeAsync(
        AccountsDb db, IReadOnlyList<ImportedUser?> users)
    {
        var (taken, known, rejected) = (new List<ImportedUser>(), 0, new List<RejectedUser>());
        foreach (var (index, user) in users.Index())
        {
            if (WrongWith(user) is { } reason)
            {
                rejected.Add(new RejectedUser(index, reason));
            }
            else if (await IsKnownAsync(db, user!.Id!))
            {
                known++;
            }
            else if (await IsTakenAsync(db, user.Email!))
            {
                rejected.Add(new RejectedUser(index, "email belongs to another user"));
            }
            else
            {
                db.Accounts.Add(AccountOf(user));
                await db.SaveChangesAsync();
                taken.Add(user);
            }
        }
        return (taken, known, rejected);
    }

    private static string? WrongWith(ImportedUser? user)
    {
        if (user?.Id is not { Length: > 0 and <= LongestId } || user.Id.Any(char.IsControl))
        {
            return $"id must have 1 to {LongestId} characters, none of them control characters";
        }
        if (Credentials.WrongWithEmail(user.Email?.Trim()) is not null)
        {
            return "email is not an address";
        }
        return PasswordFormats.FaultOf(user.PasswordHash ?? "") is { } fault
            ? $"password_hash: {fault}"
            : null;
    }

    /// <summary>Whether the user is here, or was until its owner deleted the account. In this order: one that
    /// is being deleted is seen by either.</summary>
    private static async Task<bool> IsKnownAsync(AccountsDb db, string id)
    {
        var mark = Mark.OfDeleted(id);
        return await db.Accounts.AnyAsync(row => row.Id == id)
            || await db.Marks.AnyAsync(row => row.Name == mark);
    }

    private static Task<bool> IsTakenAsync(AccountsDb db, string email)
    {
        var normalized = Credentials.Normalize(email.Trim());
        return db.Accounts.AnyAsync(row => row.NormalizedEmail == normalized);
    }

    private Account AccountOf(ImportedUser user) => new()
    {
        Id = user.Id!,
        Email = user.Email!.Trim(),
        NormalizedEmail = Credentials.Normalize(user.Email!.Trim()),
        PasswordHash = user.PasswordHash!,
        IsAdmin = user.IsAdmin == true,
        TokenVersion = user.TokenVersion ?? 0,
        CreatedAt = clock.GetUtcNow().UtcDateTime,
    };
}
