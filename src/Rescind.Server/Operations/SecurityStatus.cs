using Microsoft.EntityFrameworkCore;
using Rescind.AspNetCore;
using Rescind.Server.Accounts;
using Rescind.Server.Answers;
using Rescind.Server.Audit;
using Rescind.Server.Database;
using Rescind.Server.Maintenance;
using Rescind.Server.Settings;

namespace Rescind.Server.Operations;

/// <summary>A line of the go-live list.</summary>
/// <param name="Name">What was looked at.</param>
/// <param name="Ok">Whether it is as it should be in production.</param>
/// <param name="Detail">What was found.</param>
/// <param name="Remedy">What to do; null when it is well.</param>
internal sealed record SecurityCheck(string Name, bool Ok, string Detail, string? Remedy);

/// <summary>The answer of <see cref="SecurityStatus"/>.</summary>
internal sealed record SecurityStatusAnswer : Answers.Answer
{
    /// <summary><c>ok</c>, or <c>attention</c> when a check is not.</summary>
    public required string Status { get; init; }

    public required IReadOnlyList<SecurityCheck> Checks { get; init; }
}

/// <summary><c>GET /api/auth/security/status</c>: walks the go-live list of the deployment guide.</summary>
internal sealed class SecurityStatus(
    AccountStore store, Blacklist blacklist, AuditTrail audit, AuditSpool spool, Schedule schedule,
    ServerSettings settings, TimeProvider clock, RedisStore? redis = null)
{
    private static readonly TimeSpan OldKey = TimeSpan.FromDays(365);

    /// <summary>Maintenance runs once a day, and may miss one.</summary>
    private static readonly TimeSpan LateRetention = TimeSpan.FromDays(2);

    public async Task<IResult> AnswerAsync(HttpContext context)
    {
        List<SecurityCheck> checks =
        [
            .. OfKeys(), OfTls(context), await OfKeyAgeAsync(), .. await OfRedisAsync(context.RequestAborted),
            .. OfBlacklist(), .. await OfDatabaseAsync(), .. OfAudit(), .. OfOperations(),
        ];
        var isOk = checks.TrueForAll(check => check.Ok);
        return TypedResults.Json(new SecurityStatusAnswer
        {
            Message = isOk ? "Everything is as it should be." : "Some things need attention.",
            Status = isOk ? "ok" : "attention",
            Checks = checks,
        });
    }

    private static SecurityCheck Check(string name, bool ok, string detail, string remedy) =>
        new(name, ok, detail, ok ? null : remedy);

    private IEnumerable<SecurityCheck> OfKeys()
    {
        yield return Check(
            "environment", !settings.IsDevelopment,
            settings.IsDevelopment ? "The server runs in Development." : "The server runs in Production.",
            "Set ENVIRONMENT=Production.");
        yield return Check(
            "signing_key", !settings.Keys.IsOwnMade,
            $"{settings.Keys.Signing.Algorithm}, "
            + (settings.Keys.IsOwnMade ? "made by the server itself." : "set by you."),
            "Set JWT_SECRET to at least 32 random bytes, for example from: openssl rand -base64 48");
        yield return Check(
            "previous_key", settings.Keys.Accepted.Count == 1,
            settings.Keys.Accepted.Count == 1
                ? "One key is accepted."
                : "JWT_PREVIOUS_SECRET is still accepted.",
            "Go on with the rotation, or end it: remove JWT_PREVIOUS_SECRET once the tokens it signed have "
            + "expired (docs/deploy.md, Key rotation).");
    }

    /// <summary>As the request that asks came.</summary>
    private static SecurityCheck OfTls(HttpContext context) => Check(
        "tls", context.Request.IsHttps,
        context.Request.IsHttps ? "This request came over TLS." : "This request came without TLS.",
        "Put a proxy in front that ends TLS and sends X-Forwarded-Proto, and name it in FORWARDED_PROXIES.");

    /// <summary>The database remembers when it first saw the signing key.</summary>
    private async Task<SecurityCheck> OfKeyAgeAsync()
    {
        const string Name = "signing_key_age";
        try
        {
            var key = "key:" + settings.Keys.Signing.Key.KeyId;
            var now = clock.GetUtcNow().UtcDateTime;
            var seen = await store.WriteSharedAsync(
                async db =>
                {
                    var mark = await db.Marks.SingleOrDefaultAsync(one => one.Name == key);
                    if (mark is null)
                    {
                        mark = new Mark { Name = key, Value = now.ToString("O") };
                        db.Marks.Add(mark);
                        await db.SaveChangesAsync();
                    }
                    return DateTime.Parse(
                        mark.Value, null, System.Globalization.DateTimeStyles.RoundtripKind);
                });
            return Check(
                Name, now - seen < OldKey, $"In use for {(int)(now - seen).TotalDays} days.",
                "Make a new JWT_SECRET, which every node must accept before one signs with it "
                + "(docs/deploy.md, Key rotation).");
        }
        catch (Exception fault) when (FaultHandler.IsDatabaseAway(fault))
        {
            return Check(Name, false, "Not known: the accounts database is away.", "See 'database'.");
        }
    }

    private async Task<IReadOnlyList<SecurityCheck>> OfRedisAsync(CancellationToken cancel)
    {
        const string Name = "redis";
        if (redis is null)
        {
            return
            [
                Check(
                    Name, settings.Database is null, "Revocations are in a file of this node.",
                    "Set REDIS_URL: nodes that share their accounts must share their revocations."),
            ];
        }
        try
        {
            var findings = await redis.InspectAsync(cancel);
            return findings.Count == 0
                ? [Check(Name, true, "Redis is as it should be.", "")]
                : [.. findings.Select(one => Check(Name, !one.IsUnsafe, one.Sentence, one.Sentence))];
        }
        catch (IOException fault)
        {
            return
            [
                Check(
                    Name, false, $"Redis cannot be asked: {fault.Message}",
                    "Start Redis, or correct REDIS_URL."),
            ];
        }
    }

    private IEnumerable<SecurityCheck> OfBlacklist()
    {
        var status = blacklist.GetStatus();
        var warnings = Warnings.Of(status, blacklist.Options).ToList();
        yield return Check(
            "blacklist", warnings.Count == 0, warnings.Count == 0 ? "Fresh." : string.Join(' ', warnings),
            "See the sentences.");
        yield return Check(
            "clock", status.ClockAhead is not null && !Warnings.IsClockWrong(status, blacklist.Options),
            status.ClockAhead is { } ahead
                ? $"{ahead.TotalSeconds:+0.000;-0.000;0.000} s against the log's clock."
                : "Not compared with the log's yet: it has not been read since the start.",
            status.ClockAhead is null ? "See blacklist." : "Set the clock, by NTP for instance.");
    }

    private async Task<IReadOnlyList<SecurityCheck>> OfDatabaseAsync()
    {
        var isShared = settings.Database is not null;
        try
        {
            var hasAdministrator = await store.ReadAsync(
                db => db.Accounts.AnyAsync(row => row.IsAdmin && row.DisabledAt == null),
                CancellationToken.None);
            var oldest = await store.ReadAsync(
                db => db.AuditEvents.MinAsync(row => (DateTime?)row.Timestamp), CancellationToken.None);
            var late = clock.GetUtcNow().UtcDateTime - settings.AuditRetention - LateRetention;
            return
            [
                Check(
                    "retention", oldest is null || oldest >= late,
                    $"Kept {settings.AuditRetention.TotalDays:0} days; the oldest audit event is "
                    + (oldest is null ? "yet to come." : $"of {oldest:u}."),
                    "The daily maintenance does not delete old events; the log says why."),
                Check(
                    "database", isShared || settings.Redis is null,
                    isShared ? "PostgreSQL." : "A SQLite file of this node.",
                    "Set DATABASE_URL: nodes that share revocations should share their accounts."),
                Check(
                    "administrator", hasAdministrator, hasAdministrator ? "There is one." : "There is none.",
                    "Set ADMIN_EMAIL and ADMIN_PASSWORD and start again."),
            ];
        }
        catch (Exception fault) when (FaultHandler.IsDatabaseAway(fault))
        {
            return
            [
                Check(
                    "database", false, "The accounts database is away.",
                    "Start it, or correct DATABASE_URL."),
            ];
        }
    }

    private IEnumerable<SecurityCheck> OfAudit()
    {
        yield return Check(
            "audit", audit.Lost == 0 && spool.Waiting < AuditSpool.MostWaiting / 10,
            $"{audit.Recorded} events kept, {audit.Lost} only in the log, {spool.Waiting} on their way to "
            + "the database.",
            "Make room on this node's disk, and look after the database.");
        yield return Check(
            "audit_key", settings.AuditKeyIsShared || settings.Database is null,
            settings.AuditKeyIsShared ? "AUDIT_KEY is set." : "This node drew a key of its own.",
            "Set the same AUDIT_KEY on all nodes, so that each can verify all chains.");
    }

    private IEnumerable<SecurityCheck> OfOperations()
    {
        yield return Check(
            "rate_limits", settings.LimitsRates, settings.LimitsRates ? "On." : "Off.",
            "Remove RATE_LIMIT_ENABLED=false.");
        yield return Check(
            "mail", settings.Mail is not null,
            settings.Mail is null ? "Passwords cannot be reset." : "Set.", "Set SMTP_URL and MAIL_FROM.");
        yield return Check(
            "alerts", settings.Maintenance.AlertUrl is not null,
            settings.Maintenance.AlertUrl is null ? "Nobody is told." : "Set.",
            "Set ALERT_WEBHOOK_URL and ALERT_WEBHOOK_SECRET, or let Prometheus tell you.");
        yield return Check(
            "background_jobs", schedule.ExecuteTask is { IsCompleted: false },
            schedule.LastRun is { } last ? $"Last run {last:u}." : "Waiting for their first hour.",
            "The schedule has ended; the log says why. Start the server again.");
        var format = settings.Data.FileSystem;
        yield return Check(
            "local_disk", format is not ("tmpfs" or "overlay" or "ramfs"),
            $"RESCIND_DATA is on {format}.",
            "Put RESCIND_DATA on a disk that survives a restart: what waits for Redis or the database is "
            + "there.");
    }
}
