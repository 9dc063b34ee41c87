using Microsoft.AspNetCore.Http.Features;

namespace Rescind.Server.Answers;

/// <summary>The headers that every answer carries: nothing is guessed, framed or, under <c>/api</c>, kept in
/// a cache, because those answers carry tokens or tell about them.</summary>
internal static class ResponseHeaders
{
    /// <summary>For at most five seconds, as the listener does it.</summary>
    private const long MostReadPast = 16 * 1024 * 1024;

    /// <summary>They are set when the answer begins, because whoever answers a fault clears what was set
    /// before.</summary>
    public static Task Add(HttpContext context, RequestDelegate next)
    {
        context.Response.OnStarting(static state => Set((HttpContext)state), context);
        return next(context);
    }

    private static Task Set(HttpContext context)
    {
        var headers = context.Response.Headers;
        headers.TryAdd("X-Content-Type-Options", "nosniff");
        headers.TryAdd("X-Frame-Options", "DENY");
        headers.TryAdd("Referrer-Policy", "no-referrer");
        headers.TryAdd("Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'");
        if (context.Request.IsHttps)
        {
            headers.TryAdd("Strict-Transport-Security", "max-age=31536000; includeSubDomains");
        }
        if (context.Request.Path.StartsWithSegments("/api", StringComparison.OrdinalIgnoreCase))
        {
            headers.TryAdd("Cache-Control", "no-store");
        }
        ReadPast(context);
        return Task.CompletedTask;
    }

    /// <summary>The listener reads past a body that nobody read, as far as a body may go, and closes the
    /// connection of a longer one. A sender that has not read its answer yet would lose it, and a proxy that
    /// is not told would send the next request on it, perhaps somebody else's. So it reads past more, and
    /// where even that does not suffice the answer says that the connection ends.</summary>
    private static void ReadPast(HttpContext context)
    {
        if (context.Features.Get<IHttpMaxRequestBodySizeFeature>() is { IsReadOnly: false } body)
        {
            body.MaxRequestBodySize = MostReadPast;
        }
        if (HttpProtocol.IsHttp11(context.Request.Protocol) && context.Request.ContentLength > MostReadPast)
        {
            context.Response.Headers.Connection = "close";
        }
    }
}
