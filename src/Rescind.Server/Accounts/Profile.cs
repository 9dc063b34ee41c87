using Microsoft.EntityFrameworkCore;
using Rescind.Server.Answers;
using Rescind.Server.Database;
using Rescind.Server.Tokens;

namespace Rescind.Server.Accounts;

/// <summary>The answer of <see cref="Profile"/>.</summary>
internal sealed record ProfileAnswer : Answer
{
    public required string Id { get; init; }

    public required string Email { get; init; }

    public required bool IsAdmin { get; init; }

    public required DateTime CreatedAt { get; init; }
}

/// <summary><c>GET /api/users/profile</c></summary>
internal sealed class Profile(AccountStore store)
{
    public async Task<IResult> AnswerAsync(HttpContext context)
    {
        var (id, cancel) = (Caller.Of(context).Subject, context.RequestAborted);
        var account = await store.ReadAsync(
            db => db.Accounts.SingleOrDefaultAsync(row => row.Id == id, cancel), cancel);
        return account is null
            ? Refusals.NoAccount
            : TypedResults.Json(new ProfileAnswer
            {
                Message = "This is you.",
                Id = account.Id,
                Email = account.Email,
                IsAdmin = account.IsAdmin,
                CreatedAt = account.CreatedAt,
            });
    }
}
