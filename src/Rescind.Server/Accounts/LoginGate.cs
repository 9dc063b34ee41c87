// Who may try a password. Four bounds: five failures for one e-mail from one address lock it there for a
// quarter of an hour; an e-mail that is guessed at from everywhere only gets slower, so strangers cannot lock
// an owner out; an address has so many failures, and so many log-ins, a minute in all. All nodes count
// together where they share a Redis, and each for itself as well, which is what counts while Redis is away.
using System.Net;
using System.Security.Cryptography;
using System.Text;
using Microsoft.AspNetCore.Identity;
using Microsoft.Extensions.Options;
using Rescind.Redis;
using Rescind.Server.Answers;
using Rescind.Server.Audit;
using Rescind.Server.Limits;

namespace Rescind.Server.Accounts;

internal sealed class LoginGate(
    FailedLogins failures, RateLimits limits, AuditTrail audit, IOptions<LockoutOptions> options,
    ILogger<LoginGate> logger, RedisWindows? shared = null)
{
    /// <summary>Why this address may not try this e-mail now; null: it may.</summary>
    public async ValueTask<Refusal?> RefusalAsync(string email, IPAddress? address)
    {
        var wait = failures.LockedFor(email, address);
        var (count, life) = await ReadAsync(KeyOf(email, address));
        if (wait is null && count >= options.Value.MaxFailedAccessAttempts)
        {
            wait = life;
        }
        return wait is { } locked
            ? Refusals.TooManyFailures(locked)
            : await limits.TakeAsync(Limit.FailedLogins, CallerAddress.Of(address), permits: 0);
    }

    /// <summary>Why this address may not log in now, whoever it is; null: it may.</summary>
    /// <param name="address">The address.</param>
    /// <param name="isIn">Whether the password was right: then this counts as a log-in.</param>
    public ValueTask<Refusal?> TooManyAsync(IPAddress? address, bool isIn) =>
        limits.TakeAsync(Limit.Logins, CallerAddress.Of(address), permits: isIn ? 1 : 0);

    /// <summary>How much slower this e-mail has become.</summary>
    public TimeSpan DelayFor(string email) => failures.DelayFor(email);

    /// <summary>Tells the audit trail of a wrong password.</summary>
    /// <param name="account">Whose; null: nobody's.</param>
    /// <param name="context">The request.</param>
    /// <param name="about">Who repeats it at will: a user who is logged in. Default: the address, for each
    /// account that it tries, so that nobody's failures are booked on another.</param>
    public void Tell(Account? account, HttpContext context, string? about = null)
    {
        var failed = AuditNotes.Complete(
            context, new AuditEvent(AuditEvents.LoginFailed) { UserId = account?.Id });
        audit.Count(failed, about ?? $"{failed.Ip} {account?.Id}");
    }

    /// <summary>Counts a failure, and tells the audit trail when it locked this address out.</summary>
    public async ValueTask FailedAsync(string email, Account? account, HttpContext context)
    {
        var address = context.Connection.RemoteIpAddress;
        var isLocked = failures.Failed(email, address);
        await limits.TakeAsync(Limit.FailedLogins, CallerAddress.Of(address));
        var count = shared is null ? 0 : await TryAsync(
            redis => redis.CountAsync(KeyOf(email, address), options.Value.DefaultLockoutTimeSpan));
        if (isLocked || count == options.Value.MaxFailedAccessAttempts)
        {
            AuditNotes.Add(context, new AuditEvent(AuditEvents.AccountLocked) { UserId = account?.Id });
        }
    }

    /// <summary>A good log-in clears the failures from its own address.</summary>
    public async ValueTask SucceededAsync(string email, IPAddress? address)
    {
        failures.Succeeded(email, address);
        await TryAsync(async redis =>
        {
            await redis.ForgetAsync(KeyOf(email, address));
            return 0;
        });
    }

    private Task<(long Count, TimeSpan Life)> ReadAsync(string key) =>
        TryAsync(redis => redis.ReadAsync(key));

    /// <summary>Asks Redis; the default when there is none, or it does not answer.</summary>
    private async Task<T?> TryAsync<T>(Func<RedisWindows, Task<T>> call)
    {
        if (shared is null)
        {
            return default;
        }
        try
        {
            return await call(shared);
        }
        catch (IOException fault)
        {
            Log.CountsLocally(logger, fault.Message);
            return default;
        }
    }

    /// <summary>Hashed, because who can read Redis should not learn who has an account.</summary>
    private static string KeyOf(string email, IPAddress? address) => "lockout:" + Convert.ToHexStringLower(
        SHA256.HashData(Encoding.UTF8.GetBytes($"{email} {CallerAddress.Of(address)}")).AsSpan(0, 16));
}
