using Cronos;

namespace Rescind.Server.Settings;

/// <summary>When the server tidies up, and whom it tells.</summary>
/// <param name="Daily">Compaction and retention; UTC.</param>
/// <param name="Hourly">Expired sessions and the thresholds; UTC.</param>
/// <param name="AlertUrl">Where alerts are posted; null: nowhere.</param>
/// <param name="AlertSecret">Signs them.</param>
internal sealed record MaintenanceSettings(
    CronExpression Daily, CronExpression Hourly, Uri? AlertUrl, string? AlertSecret)
{
    private const int ShortestSecret = 16;

    public static MaintenanceSettings Read(Variables variables)
    {
        var (daily, hourly) = (
            Cron(variables, "MAINTENANCE_DAILY", "0 2 * * *"),
            Cron(variables, "MAINTENANCE_HOURLY", "0 * * * *"));
        var (text, secret) = (variables.Text("ALERT_WEBHOOK_URL"), variables.Secret("ALERT_WEBHOOK_SECRET"));
        if (text is null != secret is null)
        {
            throw new StartRefusedException(
                text is null ? "ALERT_WEBHOOK_URL" : "ALERT_WEBHOOK_SECRET",
                "it is missing, and the other is set", "set both or neither");
        }
        if (secret?.Length < ShortestSecret)
        {
            throw new StartRefusedException(
                "ALERT_WEBHOOK_SECRET", $"it is shorter than {ShortestSecret} characters",
                "write a random text, for example from: openssl rand -hex 32");
        }
        return new MaintenanceSettings(daily, hourly, text is null ? null : Url(text), secret);
    }

    // A record prints its members, and this one holds a secret.
    public override string ToString() => nameof(MaintenanceSettings);

    private static Uri Url(string text) =>
        Uri.TryCreate(text, UriKind.Absolute, out var url) && url.Scheme is "http" or "https"
            ? url
            : throw new StartRefusedException(
                "ALERT_WEBHOOK_URL", "it is not a web address",
                "write https://host/path");

    private static CronExpression Cron(Variables variables, string name, string byDefault) =>
        CronExpression.TryParse(variables.Text(name) ?? byDefault, out var expression)
            ? expression
            : throw new StartRefusedException(
                name, $"'{Variables.Shown(variables.Text(name)!)}' is not a cron expression",
                $"write minute, hour, day, month and weekday, for example {byDefault}");
}
