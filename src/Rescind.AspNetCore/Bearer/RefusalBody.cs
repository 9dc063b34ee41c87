using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;

namespace Rescind.AspNetCore;

/// <summary>
/// Writes the body of a refusal when everybody else is done and nobody has written one: outermost, so that
/// the application's own error pages win, and after all schemes have challenged. It decides nothing; a
/// refusal stands without it.
/// </summary>
internal sealed class RefusalBody : IStartupFilter
{
    public Action<IApplicationBuilder> Configure(Action<IApplicationBuilder> next) => app =>
    {
        app.Use(static following => context =>
        {
            var done = following(context);
            return done.IsCompletedSuccessfully ? WriteIfMissing(context) : WriteAfter(done, context);
        });
        next(app);
    };

    private static async Task WriteAfter(Task done, HttpContext context)
    {
        await done;
        await WriteIfMissing(context);
    }

    private static Task WriteIfMissing(HttpContext context)
    {
        var response = context.Response;
        if (response.StatusCode is not (401 or 503) || response.HasStarted
            || response.ContentType is not null || response.ContentLength is not null
            || TokenRefusal.Answered(context) is not { } refusal)
        {
            return Task.CompletedTask;
        }
        if (ReferenceEquals(refusal, TokenRefusal.Unknown))
        {
            TokenRefusal.AnswerUnknown(response);
        }
        return response.StatusCode == refusal.Status
            ? Problem.Of(refusal).ExecuteAsync(context)
            : Task.CompletedTask;
    }
}
