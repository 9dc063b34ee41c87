using Microsoft.EntityFrameworkCore;
using Rescind.AspNetCore;
using Rescind.Server.Accounts;
using Rescind.Server.Answers;
using Rescind.Server.Database;

namespace Rescind.Server.Administration;

/// <summary>An account as administrators see it.</summary>
internal sealed record AccountBody(string Id, string Email, bool IsAdmin, bool Disabled, DateTime CreatedAt)
{
    public static AccountBody Of(Account account) => new(
        account.Id, account.Email, account.IsAdmin, account.DisabledAt is not null, account.CreatedAt);
}

/// <summary>A page of users.</summary>
internal sealed record UsersAnswer : Answers.Answer
{
    public required IReadOnlyList<AccountBody> Items { get; init; }

    public required string? NextCursor { get; init; }
}

/// <summary>The body of a change to a user.</summary>
internal sealed class ChangeUserBody
{
    public bool? IsAdmin { get; init; }

    public bool? Disabled { get; init; }
}

/// <summary>The answer of a change to a user.</summary>
internal sealed record ChangeUserAnswer : RevokingAnswer
{
    public required AccountBody User { get; init; }
}

/// <summary><c>GET /api/auth/admin/users</c> and <c>PATCH …/users/{id}</c>.</summary>
internal sealed class Users(AccountStore store, CredentialChange change)
{
    private const int LongestPage = 1_000;
    private const int UsualPage = 100;

    private static readonly Refusal Unknown = new(404, "not_found", "There is no user of this id.");

    /// <summary>Users whose id is, or whose e-mail address contains, what is asked for; in the order of
    /// addresses.</summary>
    public async Task<IResult> FindAsync(HttpContext context)
    {
        var fields = new Fields(context.Request.Query);
        var (query, cursor) = (fields.Text("query"), fields.Text("cursor"));
        var limit = fields.Number("limit", 1, LongestPage, UsualPage);
        if (fields.Fault is { } fault)
        {
            return fault;
        }
        var (part, cancel) = (Credentials.Normalize(query ?? ""), context.RequestAborted);
        var found = await store.ReadAsync(
            db => db.Accounts
                .Where(row => query == null || row.Id == query || row.NormalizedEmail.Contains(part))
                .Where(row => cursor == null || string.Compare(row.NormalizedEmail, cursor) > 0)
                .OrderBy(row => row.NormalizedEmail).Take(limit + 1).ToListAsync(cancel),
            cancel);
        var page = found.Take(limit).ToList();
        return TypedResults.Json(new UsersAnswer
        {
            Message = $"{page.Count} user(s).",
            Items = [.. page.Select(AccountBody.Of)],
            NextCursor = found.Count > limit ? page[^1].NormalizedEmail : null,
        });
    }

    /// <summary>Changes what a user may do. Its tokens end, because they say what it could do
    /// before.</summary>
    public async Task<IResult> ChangeAsync(string id, ChangeUserBody body, HttpContext context)
    {
        if (body is { IsAdmin: null, Disabled: null })
        {
            return Refusals.Invalidated("is_admin", "is_admin or disabled must be given.");
        }
        var cancel = context.RequestAborted;
        var account = await store.ReadAsync(
            db => db.Accounts.SingleOrDefaultAsync(row => row.Id == id, cancel), cancel);
        if (account is null)
        {
            return Unknown;
        }
        var changed = await change.SetRightsAsync(account, body.IsAdmin, body.Disabled, context);
        if (changed.IsGone)
        {
            return Unknown;
        }
        if (changed.Receipt is not { } receipt)
        {
            return changed.Refusal!;
        }
        var answer = new ChangeUserAnswer
        {
            Message = "Changed, and every token of the user is revoked.",
            User = AccountBody.Of(changed.Account ?? account),
            Receipt = ReceiptBody.Of(receipt),
        };
        return TypedResults.Json(answer, statusCode: answer.Status);
    }
}
