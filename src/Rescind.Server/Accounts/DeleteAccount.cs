using Microsoft.EntityFrameworkCore;
using Rescind.Server.Answers;
using Rescind.Server.Database;
using Rescind.Server.Tokens;

namespace Rescind.Server.Accounts;

/// <summary>The body of <see cref="DeleteAccount"/>.</summary>
internal sealed class DeleteAccountBody
{
    public bool? Confirmation { get; init; }
}

/// <summary>The answer of <see cref="DeleteAccount"/>.</summary>
internal sealed record DeleteAccountAnswer : RevokingAnswer;

/// <summary><c>DELETE /api/auth/delete-account</c>: the caller's tokens are dead, the account is
/// gone.</summary>
internal sealed class DeleteAccount(AccountStore store, CredentialChange change)
{
    public async Task<IResult> AnswerAsync(DeleteAccountBody body, HttpContext context)
    {
        if (body.Confirmation != true)
        {
            return Refusals.Invalidated("confirmation", "confirmation must be true.");
        }
        var (id, cancel) = (Caller.Of(context).Subject, context.RequestAborted);
        var account = await store.ReadAsync(
            db => db.Accounts.SingleOrDefaultAsync(row => row.Id == id, cancel), cancel);
        if (account is null)
        {
            return Refusals.NoAccount;
        }
        var changed = await change.DeleteAsync(account, context);
        if (changed.IsGone)
        {
            return Refusals.NoAccount;
        }
        if (changed.Receipt is not { } receipt)
        {
            return changed.Refusal!;
        }
        var answer = new DeleteAccountAnswer
        {
            Message = "Account deleted.", Receipt = ReceiptBody.Of(receipt),
        };
        return TypedResults.Json(answer, statusCode: answer.Status);
    }
}
