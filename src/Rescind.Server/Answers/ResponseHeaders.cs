using Microsoft.AspNetCore.Http.Features;

namespace Rescind.Server.Answers;

/// <summary>The headers that every answer carries: nothing is guessed, framed or, under <c>/api</c>, kept in
/// a cache, because those answers carry tokens or tell about them.</summary>
internal static class ResponseHeaders
{
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
        if (MayEndConnection(context))
        {
            headers.Connection = "close";
        }
        return Task.CompletedTask;
    }

    /// <summary>Of a body that nobody read the listener reads on as far as a body may go, and closes the
    /// connection of a longer one. That has to be said: a proxy would send the next request on it, perhaps
    /// somebody else's, which would get no answer.</summary>
    private static bool MayEndConnection(HttpContext context) =>
        HttpProtocol.IsHttp11(context.Request.Protocol)
        && context.Features.Get<IHttpMaxRequestBodySizeFeature>() is { IsReadOnly: false } body
        && (context.Request.ContentLength > body.MaxRequestBodySize
            || context.Request.Headers.TransferEncoding.Count != 0);
}
