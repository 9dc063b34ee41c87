// Every "no" of the server: problem+json (RFC 9457) with a code that programs may rely on and a detail for
// people. What it guarantees: neither ever repeats a token, a password or a stack trace.
using Rescind.AspNetCore;

namespace Rescind.Server.Answers;

/// <summary>A refused request.</summary>
internal sealed record Refusal(int Status, string Code, string Detail) : IResult, IStatusCodeHttpResult
{
    /// <summary>What is wrong, by field of the body.</summary>
    public IReadOnlyDictionary<string, string[]>? Errors { get; init; }

    /// <summary>When it makes sense to ask again.</summary>
    public TimeSpan? RetryAfter { get; init; }

    /// <summary>The <c>WWW-Authenticate</c> of a 401.</summary>
    public string? Challenge { get; init; }

    int? IStatusCodeHttpResult.StatusCode => Status;

    public Task ExecuteAsync(HttpContext httpContext)
    {
        httpContext.Response.Headers.CacheControl = "no-store";
        if (Challenge is not null)
        {
            httpContext.Response.Headers.WWWAuthenticate = Challenge;
        }
        var problem = new Problem(Status, Code, Detail)
        {
            Errors = Errors,
            RetryAfter = RetryAfter is { } wait ? Math.Max(1, (int)Math.Ceiling(wait.TotalSeconds)) : null,
        };
        return problem.ExecuteAsync(httpContext);
    }
}
