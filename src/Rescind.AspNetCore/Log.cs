using Microsoft.Extensions.Logging;

namespace Rescind.AspNetCore;

/// <summary>Every log line of this package. Ids: 2000 guard, 2100 host and health, 2200 endpoints. No message
/// carries a token, a whole id or a name of a user.</summary>
internal static partial class Log
{
    [LoggerMessage(2000, LogLevel.Warning,
        "Bearer scheme {Scheme} validated a {Kind}, which is not a JsonWebToken; it was refused")]
    public static partial void TokenUnreadable(ILogger logger, string scheme, string kind);

    [LoggerMessage(2001, LogLevel.Warning,
        "The application's events of bearer scheme {Scheme} let a caller in without a token that the "
        + "blacklist could check; such callers count as unknown (said once)")]
    public static partial void CallerUnseen(ILogger logger, string scheme);

    [LoggerMessage(2002, LogLevel.Information,
        "Bearer scheme {Scheme} verifies every token anew, although RememberVerified is on: {Reason} "
        + "(said once)")]
    public static partial void NotRemembered(ILogger logger, string scheme, string reason);

    [LoggerMessage(2003, LogLevel.Warning,
        "Bearer scheme {Scheme} has a signing key without KeyId: what revokes that key compares the kid that "
        + "stands in a token, which whoever stole the key chooses. Set SecurityKey.KeyId")]
    public static partial void KeyWithoutId(ILogger logger, string scheme);

    [LoggerMessage(2100, LogLevel.Information,
        "Token blacklist service initialized successfully, {Schemes} guarded bearer scheme(s)")]
    public static partial void Started(ILogger logger, int schemes);

    [LoggerMessage(2101, LogLevel.Information, "Blacklist service health check passed")]
    public static partial void HealthPassed(ILogger logger);

    [LoggerMessage(2102, LogLevel.Warning, "Blacklist service health check: {Status}, {Reason}")]
    public static partial void HealthChanged(ILogger logger, string status, string reason);

    [LoggerMessage(2103, LogLevel.Warning,
        "Token blacklist starts although its shared log cannot be read, and keeps trying: {Fault}")]
    public static partial void StartedWithoutLog(ILogger logger, string fault);

    [LoggerMessage(2201, LogLevel.Warning, "A record could not be read for an answer: {Fault}")]
    public static partial void RecordNotRead(ILogger logger, string fault);

    [LoggerMessage(2200, LogLevel.Error, "{Call} was answered 503: {Fault}")]
    public static partial void StoreUnavailable(ILogger logger, string call, string fault);
}
