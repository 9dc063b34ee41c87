using Rescind.Server.Answers;

namespace Rescind.Server.Audit;

/// <summary>Makes durable what a request noted, before its answer goes out. When that cannot be done, an
/// administrator is told so: what was done stands, and its event is in the log. Others get their answer; they
/// can do nothing about it.</summary>
internal sealed class AuditFilter(AuditTrail trail)
{
    private static readonly Refusal NotKept = new(
        503, "store_unavailable",
        "It was done, but its audit event could not be kept; the server's log has it.");

    public async ValueTask<object?> Run(
        EndpointFilterInvocationContext context, EndpointFilterDelegate next)
    {
        var http = context.HttpContext;
        object? answer;
        try
        {
            answer = await next(context);
        }
        catch (Exception)
        {
            // What the call did before it failed stands, revocations above all.
            foreach (var one in AuditNotes.Of(http).Take(http))
            {
                await trail.NoteAsync(one);
            }
            throw;
        }
        var events = AuditNotes.Of(http).Take(http);
        if (events.Count == 0)
        {
            return answer;
        }
        try
        {
            await trail.RecordAsync(events);
            return answer;
        }
        catch (IOException)
        {
            // Counted and written to the log by RecordAsync.
            return events.Any(one => one.ActorType == AuditEvents.Admin) ? NotKept : answer;
        }
    }

    /// <summary>For the library's endpoints: a call that ended as a fault of the store revoked nothing; a
    /// cleanup by hand is an event.</summary>
    public static async ValueTask<object?> Complete(
        EndpointFilterInvocationContext context, EndpointFilterDelegate next)
    {
        var (http, answer) = (context.HttpContext, await next(context));
        var status = (answer as IStatusCodeHttpResult)?.StatusCode ?? StatusCodes.Status200OK;
        if (status >= StatusCodes.Status500InternalServerError)
        {
            AuditNotes.Of(http).Forget(0);
        }
        else if (http.Request.Path.Value!.EndsWith("/cleanup", StringComparison.OrdinalIgnoreCase))
        {
            AuditNotes.Add(http, new AuditEvent(AuditEvents.BlacklistCleanup));
        }
        return answer;
    }
}
