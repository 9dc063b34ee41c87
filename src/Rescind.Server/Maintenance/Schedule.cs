// What the server does by itself, by the clock: every day compaction and retention, every hour what has
// expired, and the thresholds of the deployment guide. What it guarantees: the work on what nodes share is
// done by one of them, because each occurrence is taken in the database by whoever comes first; a run that
// fails is logged and does not end the schedule. What it trades away: an occurrence whose node dies in the
// middle is not repeated before the next.
using Cronos;
using Microsoft.EntityFrameworkCore;
using Rescind.Server.Accounts;
using Rescind.Server.Answers;
using Rescind.Server.Audit;
using Rescind.Server.Database;
using Rescind.Server.Operations;
using Rescind.Server.Settings;

namespace Rescind.Server.Maintenance;

internal sealed class Schedule(
    AccountStore store, AuditRetention retention, Thresholds thresholds, Strangers strangers,
    Blacklist blacklist, AuditTrail audit, ServerSettings settings, TimeProvider clock,
    ILogger<Schedule> logger)
    : LastingService(clock, logger)
{
    /// <summary>How long records of tokens and sessions are kept; those of cutoffs and keys stay.</summary>
    private static readonly TimeSpan RecordsOfTokens = TimeSpan.FromDays(400);

    private DateTime? _lastRun;

    /// <summary>When this node last did its part; null: not since its start.</summary>
    public DateTime? LastRun => _lastRun;

    /// <summary>What is due every day. One node does it.</summary>
    public async Task DailyAsync(CancellationToken cancel)
    {
        var compacted = await blacklist.CompactAsync(cancel);
        var events = await retention.PruneAsync(cancel);
        Log.Maintained(logger, compacted.EntriesDropped, events);
        await audit.NoteAsync(new AuditEvent(AuditEvents.BlacklistCleanup)
        {
            Note = $"{compacted.EntriesDropped} revocations and {events} audit events dropped",
        });
    }

    /// <summary>What has expired. One node does it.</summary>
    public Task<int> ForgetExpiredAsync()
    {
        var now = Clock.GetUtcNow().UtcDateTime;
        var oldest = now - RecordsOfTokens;
        return store.WriteAsync(
            async db => await db.Sessions.Where(row => row.ExpiresAt < now).ExecuteDeleteAsync()
                + await db.PasswordResets.Where(row => row.ExpiresAt < now).ExecuteDeleteAsync()
                + await db.Revocations.Where(row => row.MadeAt < oldest
                    && (row.Kind == RuleKind.Token || row.Kind == RuleKind.Session)).ExecuteDeleteAsync(),
            CancellationToken.None);
    }

    /// <summary>Takes an occurrence for this node.</summary>
    /// <returns>Whether nobody had it.</returns>
    public Task<bool> TryTakeAsync(string name, DateTime occurrence) => store.WriteAsync(
        async db =>
        {
            var (key, value) = ("maintenance:" + name, occurrence.ToString("yyyy-MM-dd'T'HH:mm:ss"));
            if (await db.Marks.AnyAsync(mark => mark.Name == key))
            {
                return await db.Marks
                    .Where(mark => mark.Name == key && string.Compare(mark.Value, value) < 0)
                    .ExecuteUpdateAsync(mark => mark.SetProperty(it => it.Value, value)) == 1;
            }
            db.Marks.Add(new Mark { Name = key, Value = value });
            return await db.SaveChangesAsync() == 1;
        },
        CancellationToken.None);

    protected override Task RunAsync(CancellationToken cancel) => Task.WhenAll(
        FollowAsync(
            "daily", settings.Maintenance.Daily, () => DailyAsync(cancel), null, cancel),
        FollowAsync(
            "hourly", settings.Maintenance.Hourly, ForgetExpiredAsync, () => EachHourAsync(cancel), cancel));

    /// <summary>What every node does.</summary>
    private async Task EachHourAsync(CancellationToken cancel)
    {
        await thresholds.LookAsync();
        await strangers.LearnAsync(cancel);
    }

    private async Task FollowAsync(
        string name, CronExpression due, Func<Task> once, Func<Task>? each, CancellationToken cancel)
    {
        while (due.GetNextOccurrence(Clock.GetUtcNow(), TimeZoneInfo.Utc) is { } next)
        {
            await UntilAsync(next, cancel);
            try
            {
                await (each?.Invoke() ?? Task.CompletedTask);
                if (await TryTakeAsync(name, next.UtcDateTime))
                {
                    await once();
                }
                _lastRun = Clock.GetUtcNow().UtcDateTime;
            }
            catch (Exception fault) when (!cancel.IsCancellationRequested)
            {
                // Whatever it is: the next occurrence tries again.
                Log.NotMaintained(logger, name, fault.GetBaseException().Message);
            }
        }
    }

    /// <summary>Waits in short pieces, so that a clock that is set meanwhile counts.</summary>
    private async Task UntilAsync(DateTimeOffset time, CancellationToken cancel)
    {
        var piece = TimeSpan.FromSeconds(5);
        while (time - Clock.GetUtcNow() is { Ticks: > 0 } left)
        {
            await Task.Delay(left < piece ? left : piece, Clock, cancel);
        }
    }
}
