// Every line the server writes to its log. Ids 4000 to 4999 belong to the server; they stay what they are.
using Rescind.Server.Audit;

namespace Rescind.Server;

internal static partial class Log
{
    [LoggerMessage(4000, LogLevel.Warning, "{Warning}")]
    public static partial void Setting(ILogger logger, string warning);

    [LoggerMessage(4001, LogLevel.Information, "Node {Node} serves {Addresses}")]
    public static partial void Serving(ILogger logger, string node, string addresses);

    [LoggerMessage(4900, LogLevel.Warning,
        "More than {Most} revocations wait for the key mirror; the oldest is dropped")]
    public static partial void MirrorOverflows(ILogger logger, int most);

    [LoggerMessage(4901, LogLevel.Debug, "The key mirror waits for Redis: {Fault}")]
    public static partial void MirrorWaits(ILogger logger, string fault);

    [LoggerMessage(4902, LogLevel.Warning, "A key of the older service is not adopted: {Wrong}")]
    public static partial void MirrorRefuses(ILogger logger, string wrong);

    [LoggerMessage(4903, LogLevel.Information, "Adopted a revocation of the older service")]
    public static partial void MirrorAdopted(ILogger logger);

    [LoggerMessage(4904, LogLevel.Error,
        "A revocation or a token could not be mirrored for the older service and is passed over: {Fault}")]
    public static partial void MirrorPassesOver(ILogger logger, string fault);

    [LoggerMessage(4100, LogLevel.Warning,
        "First local administrator made; its password is in RESCIND_DATA/initial-admin")]
    public static partial void LocalAdministratorMade(ILogger logger);

    [LoggerMessage(4101, LogLevel.Information, "First administrator made from ADMIN_EMAIL")]
    public static partial void AdministratorMade(ILogger logger);

    [LoggerMessage(4102, LogLevel.Warning,
        "ADMIN_EMAIL names an account that exists already; it was left as it is")]
    public static partial void AdministratorExists(ILogger logger);

    [LoggerMessage(4103, LogLevel.Warning,
        "There is no administrator; set ADMIN_EMAIL and ADMIN_PASSWORD and start again")]
    public static partial void NoAdministrator(ILogger logger);

    [LoggerMessage(4200, LogLevel.Warning,
        "Log-ins for one account failed {Count} times from one address; locked there")]
    public static partial void LockedOut(ILogger logger, int count);

    [LoggerMessage(4201, LogLevel.Warning, "Password hashing is at its limit of {Waiting} waiting requests")]
    public static partial void HashingFull(ILogger logger, int waiting);

    [LoggerMessage(4202, LogLevel.Error, "A mail could not be sent: {Fault}")]
    public static partial void MailNotSent(ILogger logger, string fault);

    [LoggerMessage(4203, LogLevel.Debug, "Redis does not count, so this node counts for itself: {Fault}")]
    public static partial void CountsLocally(ILogger logger, string fault);

    [LoggerMessage(4204, LogLevel.Warning,
        "{Address} sends X-Forwarded-For and is not in FORWARDED_PROXIES; such headers are ignored")]
    public static partial void StrangeProxy(ILogger logger, string address);

    [LoggerMessage(4205, LogLevel.Warning,
        "How many accounts have a hash from elsewhere could not be learned: {Fault}")]
    public static partial void NotLearned(ILogger logger, string fault);

    [LoggerMessage(4300, LogLevel.Information, 
        "Revoked {Count}, the first a {Kind}: {Id} for reason {Reason}")]
    public static partial void Revoked(ILogger logger, int count, RuleKind kind, string id, string reason);

    [LoggerMessage(4301, LogLevel.Error, "A revocation could not be stored: {Fault}")]
    public static partial void NotStored(ILogger logger, string fault);

    [LoggerMessage(4302, LogLevel.Warning,
        "A revocation is stored, but the accounts database could not note the end of its sessions: {Fault}")]
    public static partial void NotNoted(ILogger logger, string fault);

    [LoggerMessage(4303, LogLevel.Warning, "Sessions could not be counted: {Fault}")]
    public static partial void NotCounted(ILogger logger, string fault);

    [LoggerMessage(4304, LogLevel.Debug,
        "The accounts database is away, so only this node's records are shown: {Fault}")]
    public static partial void OwnRecordsOnly(ILogger logger, string fault);

    [LoggerMessage(4400, LogLevel.Error, "The accounts database is away: {Kind}: {Fault}")]
    public static partial void DatabaseAway(ILogger logger, string kind, string fault);

    [LoggerMessage(4500, LogLevel.Information, "{Event}")]
    public static partial void Audit(ILogger logger, string @event);

    [LoggerMessage(4501, LogLevel.Critical, "An audit event could not be kept: {Event}: {Fault}")]
    public static partial void AuditLost(ILogger logger, AuditEvent @event, string fault);

    [LoggerMessage(4502, LogLevel.Information, "Audit head of {Chain}: {Number} {Hash}")]
    public static partial void AuditHead(ILogger logger, string chain, long number, string hash);

    [LoggerMessage(4503, LogLevel.Warning,
        "Audit events wait in this node's file, because the database is away: {Fault}")]
    public static partial void AuditWaits(ILogger logger, string fault);

    [LoggerMessage(4504, LogLevel.Information, "Audit events reach the database again")]
    public static partial void AuditShips(ILogger logger);

    [LoggerMessage(4505, LogLevel.Warning,
        "The audit file was rolled back: the database has other events of this chain; a new chain begins")]
    public static partial void AuditFileRolledBack(ILogger logger);

    [LoggerMessage(4600, LogLevel.Information,
        "Maintenance: {Revocations} expired revocations and {Events} old audit events dropped")]
    public static partial void Maintained(ILogger logger, long revocations, long events);

    [LoggerMessage(4601, LogLevel.Error, "The {Name} maintenance failed: {Fault}")]
    public static partial void NotMaintained(ILogger logger, string name, string fault);

    [LoggerMessage(4602, LogLevel.Warning, "A threshold is passed: {Sentence}")]
    public static partial void ThresholdPassed(ILogger logger, string sentence);

    [LoggerMessage(4603, LogLevel.Error, "An alert ({Type}) could not be delivered: {Fault}")]
    public static partial void AlertFailed(ILogger logger, string type, string fault);

    [LoggerMessage(4604, LogLevel.Critical, "{Work} failed unexpectedly and begins again")]
    public static partial void WorkFailed(ILogger logger, string work, Exception fault);

    [LoggerMessage(4605, LogLevel.Critical,
        "Old audit events of {Chain} are not deleted, because the chain is broken at {Number}: {Problem}")]
    public static partial void AuditNotPruned(ILogger logger, string chain, long number, string problem);

    [LoggerMessage(4606, LogLevel.Warning,
        "{Count} old audit events of {Chain} are deleted unread: their key is not known here")]
    public static partial void AuditPrunedUnread(ILogger logger, int count, string chain);

    [LoggerMessage(4607, LogLevel.Warning,
        "The {Name} maintenance of what nodes share is left to others: {Doubt}")]
    public static partial void LeftToOthers(ILogger logger, string name, string doubt);

    [LoggerMessage(4402, LogLevel.Error,
        "PostgreSQL cannot be reached; log-ins answer 503 until it is back, checks and revocations go on")]
    public static partial void NotPrepared(ILogger logger);

    [LoggerMessage(4403, LogLevel.Error, "The accounts database cannot be used: {Fault}")]
    public static partial void StillNotPrepared(ILogger logger, string fault);

    [LoggerMessage(4401, LogLevel.Error, "A request failed")]
    public static partial void Unhandled(ILogger logger, Exception fault);
}
