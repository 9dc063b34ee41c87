// What happens to an exception that a call did not expect. What it guarantees: a bad request stays a 4xx, a
// database that is away is a 503, and everything else is a 500 that tells the caller nothing and the log
// everything.
using System.Data.Common;
using Microsoft.AspNetCore.Diagnostics;
using Microsoft.Data.Sqlite;
using Microsoft.EntityFrameworkCore;
using Npgsql;
using Rescind.Server.Audit;
using Rescind.Server.Database;

namespace Rescind.Server.Answers;

internal sealed class FaultHandler(ILogger<FaultHandler> logger) : IExceptionHandler
{
    private const int ConstraintFailed = 19;
    private const string ConstraintFailures = "23";

    public async ValueTask<bool> TryHandleAsync(
        HttpContext httpContext, Exception exception, CancellationToken cancellationToken)
    {
        if (httpContext.RequestAborted.IsCancellationRequested)
        {
            // Nobody is waiting for an answer.
            httpContext.Response.StatusCode = StatusCodes.Status499ClientClosedRequest;
            return true;
        }
        await RefusalOf(exception, httpContext).ExecuteAsync(httpContext);
        return true;
    }

    /// <summary>Whether a fault says that the accounts database cannot be reached or used.</summary>
    public static bool IsDatabaseAway(Exception exception) => exception switch
    {
        SqliteException fault => fault.SqliteErrorCode != ConstraintFailed,
        PostgresException fault => !fault.SqlState.StartsWith(ConstraintFailures, StringComparison.Ordinal),
        DbUpdateException { InnerException: { } inner } => IsDatabaseAway(inner),

        // What Npgsql's provider wraps faults in that another try may mend.
        InvalidOperationException
        {
            InnerException: (DbException or DbUpdateException or TimeoutException) and { } inner,
        } => IsDatabaseAway(inner),
        DbException or TimeoutException => true,
        _ => false,
    };

    private Refusal RefusalOf(Exception exception, HttpContext context)
    {
        if (exception is BadHttpRequestException bad)
        {
            var refusal = Refusals.OfStatus(bad.StatusCode);
            return bad.StatusCode == StatusCodes.Status400BadRequest
                ? refusal with { Code = "validation_failed", Detail = bad.Message }
                : refusal;
        }
        if (IsDatabaseAway(exception))
        {
            Log.DatabaseAway(logger, exception.GetType().Name, exception.GetBaseException().Message);
            return exception is OutcomeUnknownException || AuditNotes.Of(context).HasAny
                ? Refusals.Interrupted
                : Refusals.StoreUnavailable;
        }
        Log.Unhandled(logger, exception);
        return Refusals.OfStatus(StatusCodes.Status500InternalServerError);
    }
}
