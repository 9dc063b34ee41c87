using System.Diagnostics.Metrics;
using Rescind.Server.Audit;
using Rescind.Server.Maintenance;

namespace Rescind.Server.Operations;

/// <summary>What the server knows beyond the library's metrics, on the meter <c>Rescind.Server</c>. All of it
/// is counted elsewhere and only read here.</summary>
internal sealed class ServerMetrics(
    IMeterFactory factory, AuditTrail trail, AuditSpool spool, AuditShipper shipper, Alerts alerts,
    Thresholds thresholds)
{
    public const string MeterName = "Rescind.Server";

    /// <summary>Makes the instruments.</summary>
    public void Begin()
    {
        var meter = factory.Create(MeterName);
        meter.CreateObservableCounter(
            "rescind.audit.recorded", () => trail.Recorded, "{event}", "Audit events kept.");
        meter.CreateObservableCounter(
            "rescind.audit.lost", () => trail.Lost, "{event}",
            "Audit events that could not be kept and stand in the log only.");
        meter.CreateObservableGauge(
            "rescind.audit.waiting", () => spool.Waiting, "{event}",
            "Audit events in this node's file that the database has not confirmed.");
        meter.CreateObservableGauge(
            "rescind.database.available", () => shipper.IsDatabaseAway ? 0 : 1, "1",
            "Whether the accounts database answered last.");
        meter.CreateObservableCounter(
            "rescind.thresholds.passed", () => thresholds.Passed, "{time}",
            "How often the hourly look found a threshold of the guide passed.");
        meter.CreateObservableCounter(
            "rescind.alerts",
            () =>
            {
                var (posted, failed) = alerts.Counts;
                return new Measurement<long>[]
                {
                    new(posted, new KeyValuePair<string, object?>("result", "posted")),
                    new(failed, new KeyValuePair<string, object?>("result", "failed")),
                };
            },
            "{alert}",
            "Alerts for the webhook, by how they ended.");
    }
}
