namespace Rescind.Server.Tokens;

/// <summary>Calls by which somebody logs in take no caller. Clients send the header of a former session
/// along; whether that token is expired, revoked or unknown must not decide anything, so it is dropped before
/// it is looked at. </summary>
internal sealed class StrayCaller
{
    public static readonly StrayCaller Mark = new();

    public static Task Ignore(HttpContext context, RequestDelegate next)
    {
        if (context.GetEndpoint()?.Metadata.GetMetadata<StrayCaller>() is not null)
        {
            context.Request.Headers.Remove("Authorization");
        }
        return next(context);
    }
}
