// What the server does by itself, by the clock: every day compaction and retention, every hour what has
// expired, and the thresholds of the deployment guide. What it guarantees: the work on what nodes share is
// done by one of them, because each occurrence is taken in the database by whoever comes first; never by one
// whose clock may be wrong, which would delete what is not old; every node compacts the file of its own; a
// run that fails is logged and does not end the schedule. What it trades away: an occurrence whose node dies
// in the middle is not repeated before the next.
using Cronos;
using Microsoft.EntityFrameworkCore;
using Rescind.AspNetCore;
using Rescind.Server.Accounts;
using Rescind.Server.Answers;
using Rescind.Server.Audit;
using Rescind.Server.Database;
using Rescind.Server.Operations;
using Rescind.Server.Sessions;
using Rescind.Server.Settings;

namespace Rescind.Server.Maintenance;

internal sealed class Schedule(
    AccountStore store, AuditRetention retention, Thresholds thresholds, Strangers strangers,
    SessionBook sessions, Blacklist blacklist, AuditTrail audit, ServerSettings settings, TimeProvider clock,
    ILogger<Schedule> logger)
    : LastingService(clock, logger)
{
    /// <summary>How long records of tokens and sessions are kept; those of cutoffs and keys stay.</summary>
    private static readonly TimeSpan RecordsOfTokens = TimeSpan.FromDays(400);

    /// <summary>A mark that lies further ahead was left by a clock that was wrong.</summary>
    private static readonly TimeSpan FarthestMark = TimeSpan.FromDays(1);

    private DateTime? _lastRun;

    /// <summary>When this node last did its part; null: not since its start.</summary>
    public DateTime? LastRun => _lastRun;

    /// <summary>An occurrence of what is due every day.</summary>
    public Task DayAsync(DateTime occurrence, CancellationToken cancel) => RunAsync(
        "daily", occurrence, () => DailyAsync(cancel), () => CompactOwnAsync(cancel));

    /// <summary>An occurrence of what is due every hour.</summary>
    public async Task HourAsync(DateTime occurrence, CancellationToken cancel)
    {
        await thresholds.LookAsync();
        await strangers.LearnAsync(cancel);
        await RunAsync("hourly", occurrence, ForgetExpiredAsync, () => Task.CompletedTask);
    }

    /// <summary>What is due every day. One node does it.</summary>
    public async Task DailyAsync(CancellationToken cancel)
    {
        var compacted = await blacklist.CompactAsync(cancel);
        await NoteAsync(compacted.EntriesDropped, await retention.PruneAsync(cancel));
    }

    /// <summary>What has expired. One node does it.</summary>
    public Task<int> ForgetExpiredAsync()
    {
        var now = Clock.GetUtcNow().UtcDateTime;
        var oldest = now - RecordsOfTokens;
        return store.WriteAsync(
            async db => await sessions.Over(db, now).ExecuteDeleteAsync()
                + await db.PasswordResets.Where(row => row.ExpiresAt < now).ExecuteDeleteAsync()
                + await db.Revocations.Where(row => row.MadeAt < oldest
                    && (row.Kind == RuleKind.Token || row.Kind == RuleKind.Session)).ExecuteDeleteAsync(),
            CancellationToken.None);
    }

    /// <summary>Takes an occurrence for this node.</summary>
    /// <returns>Whether nobody had it.</returns>
    public Task<bool> TryTakeAsync(string name, DateTime occurrence) => store.WriteSharedAsync(
        async db =>
        {
            var (key, value) = ("maintenance:" + name, TextOf(occurrence));
            var farthest = TextOf(Clock.GetUtcNow().UtcDateTime + FarthestMark);
            if (await db.Marks.AnyAsync(mark => mark.Name == key))
            {
                return await db.Marks
                    .Where(mark => mark.Name == key && (string.Compare(mark.Value, value) < 0
                        || string.Compare(mark.Value, farthest) > 0))
                    .ExecuteUpdateAsync(mark => mark.SetProperty(it => it.Value, value)) == 1;
            }
            db.Marks.Add(new Mark { Name = key, Value = value });
            return await db.SaveChangesAsync() == 1;
        });

    protected override Task RunAsync(CancellationToken cancel) => Task.WhenAll(
        FollowAsync("daily", settings.Maintenance.Daily, DayAsync, cancel),
        FollowAsync("hourly", settings.Maintenance.Hourly, HourAsync, cancel));

    private async Task FollowAsync(
        string name, CronExpression due, Func<DateTime, CancellationToken, Task> run,
        CancellationToken cancel)
    {
        while (await NextAsync(due, cancel) is { } next)
        {
            try
            {
                await run(next.UtcDateTime, cancel);
                _lastRun = Clock.GetUtcNow().UtcDateTime;
            }
            catch (Exception fault) when (!cancel.IsCancellationRequested)
            {
                // Whatever it is: the next occurrence tries again.
                Log.NotMaintained(logger, name, fault.GetBaseException().Message);
            }
        }
    }

    /// <summary>Waits for the next occurrence, in short pieces, so that a clock that is set meanwhile counts:
    /// set forward the occurrence is over, set back an earlier one may be the next.</summary>
    /// <returns>Null when there is none.</returns>
    private async Task<DateTimeOffset?> NextAsync(CronExpression due, CancellationToken cancel)
    {
        var (piece, now) = (TimeSpan.FromSeconds(5), Clock.GetUtcNow());
        var next = due.GetNextOccurrence(now, TimeZoneInfo.Utc);
        while (next - now is { Ticks: > 0 } left)
        {
            await Task.Delay(left < piece ? left : piece, Clock, cancel);
            var before = now;
            now = Clock.GetUtcNow();

            // One that came between counts; one that was run already is taken.
            next = now < before ? due.GetNextOccurrence(now - piece, TimeZoneInfo.Utc) : next;
        }
        return next;
    }

    /// <summary>Does what one node does, if this is the one; else what remains for the others.</summary>
    private async Task RunAsync(string name, DateTime occurrence, Func<Task> once, Func<Task> otherwise)
    {
        var isOurs = false;
        try
        {
            isOurs = IsClockRight(name) && await TryTakeAsync(name, occurrence);
        }
        finally
        {
            // Also when the database is away.
            await (isOurs ? once() : otherwise());
        }
    }

    /// <summary>Whether this node's clock can be trusted with deleting: it is compared with the log's.
    /// </summary>
    private bool IsClockRight(string name)
    {
        var status = blacklist.GetStatus();
        var doubt = !status.Fresh ? "this node does not know the time of the log"
            : Warnings.IsClockWrong(status, blacklist.Options)
                ? $"this node's clock differs from the log's by {status.ClockAhead?.TotalSeconds:0} s"
            : null;
        if (doubt is not null)
        {
            Log.LeftToOthers(logger, name, doubt);
        }
        return doubt is null;
    }

    /// <summary>Compacts this node's copy of a shared log; the log itself is compacted by one node at a time,
    /// which may be this one. A node that cannot reach it waits for its next day.</summary>
    private async Task CompactOwnAsync(CancellationToken cancel)
    {
        if (!blacklist.GetStatus().Fresh)
        {
            return;
        }
        var compacted = await blacklist.CompactAsync(cancel);
        if (compacted.EntriesDropped != 0)
        {
            await NoteAsync(compacted.EntriesDropped, events: 0);
        }
    }

    private Task NoteAsync(long dropped, long events)
    {
        Log.Maintained(logger, dropped, events);
        return audit.NoteAsync(new AuditEvent(AuditEvents.BlacklistCleanup)
        {
            Note = $"{dropped} revocations and {events} audit events dropped",
        });
    }

    private static string TextOf(DateTime time) => time.ToString("yyyy-MM-dd'T'HH:mm:ss");
}
