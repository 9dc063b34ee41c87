using Microsoft.Extensions.Logging;

namespace Rescind.Redis;

/// <summary>Every log line of the Redis store. Ids: 5000 connection, 5100 fleet and recovery, 5200 push, 5300
/// compaction. No message carries a password, a token or a whole id.</summary>
internal static partial class Log
{
    [LoggerMessage(5000, LogLevel.Information, "Redis connection pool created: {Servers}")]
    public static partial void Connected(ILogger logger, string servers);

    [LoggerMessage(5001, LogLevel.Warning, "Redis is lost, and is tried again and again: {Fault}")]
    public static partial void Lost(ILogger logger, string fault);

    [LoggerMessage(5002, LogLevel.Information, "Redis answers again")]
    public static partial void Restored(ILogger logger);

    [LoggerMessage(5003, LogLevel.Warning, "Redis is not safe for revocations: {Finding}")]
    public static partial void Unsafe(ILogger logger, string finding);

    [LoggerMessage(5004, LogLevel.Information, "About Redis: {Finding}")]
    public static partial void Advice(ILogger logger, string finding);

    [LoggerMessage(5100, LogLevel.Warning,
        "The log in Redis recovers (epoch {Epoch}): nobody is fresh until every node has reported")]
    public static partial void RecoveryOpened(ILogger logger, string epoch);

    [LoggerMessage(5101, LogLevel.Information, "The recovery of the log in Redis is over (epoch {Epoch})")]
    public static partial void RecoveryClosed(ILogger logger, string epoch);

    [LoggerMessage(5102, LogLevel.Warning,
        "Redis confirms no write on half of its {Servers} servers: this node is not fresh until it does. "
        + "Bring them back. If some are gone for good, lower REDIS_SERVERS (RedisOptions.Servers) wherever "
        + "it is set, and then say once: HDEL {FleetKey} servers")]
    public static partial void NotReplicated(ILogger logger, int servers, string fleetKey);

    [LoggerMessage(5103, LogLevel.Warning,
        "Redis hides its run_id: a restart that loses entries is only noticed by nodes that had read them")]
    public static partial void RunHidden(ILogger logger);

    [LoggerMessage(5105, LogLevel.Warning, "What a lost log lacks could not be given back yet: {Fault}")]
    public static partial void NotGivenBack(ILogger logger, string fault);

    [LoggerMessage(5104, LogLevel.Debug, "This process could not be taken off the fleet's list: {Fault}")]
    public static partial void NotLeft(ILogger logger, string fault);

    [LoggerMessage(5200, LogLevel.Warning,
        "Redis refuses pub/sub, so revocations spread with heartbeats instead of at once: {Fault}")]
    public static partial void PushRefused(ILogger logger, string fault);

    [LoggerMessage(5201, LogLevel.Warning, "An announced entry could not be applied: {Fault}")]
    public static partial void PushNotApplied(ILogger logger, string fault);

    [LoggerMessage(5202, LogLevel.Error, "{Warning}")]
    public static partial void Forged(ILogger logger, string warning);

    [LoggerMessage(5203, LogLevel.Error, "{Warning}")]
    public static partial void Missing(ILogger logger, string warning);

    [LoggerMessage(5300, LogLevel.Information,
        "The log in Redis is being compacted already; nothing was done here")]
    public static partial void CompactionElsewhere(ILogger logger);

    [LoggerMessage(5301, LogLevel.Information, "Redis does not tell the size of the log: {Fault}")]
    public static partial void SizeHidden(ILogger logger, string fault);
}
