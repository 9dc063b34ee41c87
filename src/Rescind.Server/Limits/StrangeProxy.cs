using System.Net;
using Rescind.Server.Settings;

namespace Rescind.Server.Limits;

/// <summary>A forwarded header counts only from a proxy that <c>FORWARDED_PROXIES</c> names; from anyone else
/// it is ignored. The first of them is told to the operator: either somebody plays a proxy, or one was
/// forgotten, and then all callers share its address. What a caller wrote into the header cannot hide what
/// the proxy appended: the framework reads commas between quotes as text, so quotes are taken out.</summary>
internal sealed class StrangeProxy(ServerSettings settings, ILogger<StrangeProxy> logger)
{
    private static readonly string[] Lists = ["X-Forwarded-For", "X-Forwarded-Proto"];

    private int _told;

    public Task Look(HttpContext context, RequestDelegate next)
    {
        if (Volatile.Read(ref _told) == 0 && context.Request.Headers.ContainsKey("X-Forwarded-For")
            && !IsProxy(context.Connection.RemoteIpAddress) && Interlocked.Exchange(ref _told, 1) == 0)
        {
            Log.StrangeProxy(logger, context.Connection.RemoteIpAddress?.ToString() ?? "an unknown address");
        }
        foreach (var name in Lists)
        {
            var list = context.Request.Headers[name];
            if (list.ToString().Contains('"'))
            {
                context.Request.Headers[name] = list.ToString().Replace('"', ' ');
            }
        }
        return next(context);
    }

    private bool IsProxy(IPAddress? address)
    {
        address = address is { IsIPv4MappedToIPv6: true } ? address.MapToIPv4() : address;
        return address is not null && settings.Proxies.Any(proxy => proxy.Contains(address));
    }
}
