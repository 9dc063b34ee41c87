// How often a caller may do what. Counted in Redis where the nodes share one, else by .NET's own sliding
// windows in this process, which also take over while Redis is away. What it guarantees: counting adds at
// most 50 ms to a call, and no fault of it ever refuses one.
using System.Threading.RateLimiting;
using Rescind.Redis;
using Rescind.Server.Answers;
using Rescind.Server.Settings;
using Rescind.Server.Tokens;

namespace Rescind.Server.Limits;

/// <summary>What is limited, and how often a minute one caller may do it.</summary>
internal sealed record Limit(string Name, int Permits)
{
    public static readonly Limit Logout = new("logout", 10);
    public static readonly Limit Revoke = new("revoke", 5);
    public static readonly Limit Administer = new("administer", 20);
    public static readonly Limit Read = new("read", 120);
    public static readonly Limit Register = new("register", 5);
    public static readonly Limit ChangePassword = new("change_password", 20);
    public static readonly Limit ForgotPassword = new("forgot_password", 5);
    public static readonly Limit ResetPassword = new("reset_password", 5);

    /// <summary>For one session.</summary>
    public static readonly Limit Refresh = new("refresh", 30);

    /// <summary>For one address.</summary>
    public static readonly Limit FailedLogins = new("failed_logins", 100);

    /// <summary>For one address: each opens a session, which costs rows and, past the hundredth of an
    /// account, revocations.</summary>
    public static readonly Limit Logins = new("logins", 120);
}

internal sealed class RateLimits(
    ServerSettings settings, ILogger<RateLimits> logger, RedisWindows? shared = null) : IDisposable
{
    private const int Segments = 6;
    private static readonly TimeSpan Window = TimeSpan.FromMinutes(1);

    private readonly PartitionedRateLimiter<(Limit Limit, string Caller)> _local =
        PartitionedRateLimiter.Create<(Limit Limit, string Caller), string>(asked =>
            RateLimitPartition.GetSlidingWindowLimiter(
                $"{asked.Limit.Name}:{asked.Caller}",
                _ => new SlidingWindowRateLimiterOptions
                {
                    PermitLimit = asked.Limit.Permits, Window = Window, SegmentsPerWindow = Segments,
                }));

    /// <summary>Takes permits.</summary>
    /// <param name="limit">For what.</param>
    /// <param name="caller">Who.</param>
    /// <param name="permits">How many; 0: it is only looked whether one is there.</param>
    /// <returns>Null when they are granted; else the refusal.</returns>
    public async ValueTask<Refusal?> TakeAsync(Limit limit, string caller, int permits = 1)
    {
        if (!settings.LimitsRates)
        {
            return null;
        }
        if (shared is not null)
        {
            try
            {
                var wait = await shared.TakeAsync($"{limit.Name}:{caller}", limit.Permits, Window, permits);
                return wait == TimeSpan.Zero ? null : Refusals.TooMany(wait);
            }
            catch (IOException fault)
            {
                Log.CountsLocally(logger, fault.Message);
            }
        }
        using var lease = _local.AttemptAcquire((limit, caller), permits);
        return lease.IsAcquired
            ? null
            : Refusals.TooMany(lease.TryGetMetadata(MetadataName.RetryAfter, out var later) ? later : Window);
    }

    /// <summary>The caller of a request: the user, else the address.</summary>
    public static string CallerOf(HttpContext context) => context.User.Identity?.IsAuthenticated == true
        ? "user:" + Caller.Of(context).Subject
        : "address:" + CallerAddress.Of(context.Connection.RemoteIpAddress);

    public void Dispose() => _local.Dispose();
}

/// <summary>Puts a limit before an endpoint.</summary>
internal static class RateLimitExtensions
{
    public static TBuilder Limit<TBuilder>(this TBuilder builder, Limit limit)
        where TBuilder : IEndpointConventionBuilder =>
        builder.AddEndpointFilter((context, next) => RunAsync(context, next, limit));

    /// <summary>Reading and changing have limits of their own.</summary>
    public static TBuilder LimitAdministration<TBuilder>(this TBuilder builder)
        where TBuilder : IEndpointConventionBuilder =>
        builder.AddEndpointFilter((context, next) => RunAsync(
            context, next, HttpMethods.IsGet(context.HttpContext.Request.Method)
                ? Limits.Limit.Read
                : Limits.Limit.Administer));

    private static async ValueTask<object?> RunAsync(
        EndpointFilterInvocationContext context, EndpointFilterDelegate next, Limit limit)
    {
        var http = context.HttpContext;
        var limits = http.RequestServices.GetRequiredService<RateLimits>();
        return await limits.TakeAsync(limit, RateLimits.CallerOf(http)) ?? await next(context);
    }
}
