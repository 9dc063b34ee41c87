using Rescind.AspNetCore;
using Rescind.Server.Audit;

namespace Rescind.Server.Maintenance;

/// <summary>The thresholds of the deployment guide, looked at every hour on each node: a passed one becomes
/// an audit event, a log line, a metric and an alert.</summary>
internal sealed class Thresholds(
    Blacklist blacklist, AuditTrail audit, Alerts alerts, ILogger<Thresholds> logger)
{
    private long _passed;

    /// <summary>How often one was found to be passed.</summary>
    public long Passed => Interlocked.Read(ref _passed);

    public async Task LookAsync()
    {
        foreach (var sentence in Warnings.OfNumbers(blacklist.GetStatus()))
        {
            Interlocked.Increment(ref _passed);
            Log.ThresholdPassed(logger, sentence);
            await audit.NoteAsync(new AuditEvent(AuditEvents.BlacklistPerformanceIssue) { Note = sentence });
            alerts.Post(AuditEvents.BlacklistPerformanceIssue, sentence);
        }
    }
}
