namespace Rescind.AspNetCore;

/// <summary>What an operator should know about a blacklist that works, each a sentence. The thresholds are
/// the deployment guide's.</summary>
internal static class Warnings
{
    private const double SlowCheckMs = 50;
    private const double PoorHitRatio = 70;
    private const long ManyErrors = 5;

    public static IEnumerable<string> Of(BlacklistStatus status, BlacklistOptions options)
    {
        if (IsClockWrong(status, options))
        {
            yield return $"This node's clock is {status.ClockAhead?.TotalSeconds:+0.0;-0.0} s off the log's: "
                + "it issues no tokens until the clock is set, by NTP for instance.";
        }
        if (!status.Fresh)
        {
            yield return "The feed is stale: this node does not know the newest revocations: "
                + (status.Fault ?? "its last read of the log is older than BlacklistOptions.Freshness");
        }
        foreach (var warning in OfNumbers(status).Concat(OfJournal(status)).Concat(status.Log.Warnings))
        {
            yield return warning;
        }
    }

    /// <summary>Whether this node's clock is so far from the log's that nothing may be stamped or deleted by
    /// it. False as long as the log has not told its time.</summary>
    public static bool IsClockWrong(BlacklistStatus status, BlacklistOptions options) =>
        status.ClockAhead?.Duration() > options.IssuerClockDifference;

    /// <summary>Checks answered from memory, in percent.</summary>
    public static double HitRatio(BlacklistStatus status) => status.Checks == 0
        ? 100
        : 100.0 * (status.Checks - status.CatchUps) / status.Checks;

    /// <summary>The thresholds that are numbers.</summary>
    public static IEnumerable<string> OfNumbers(BlacklistStatus status)
    {
        if (status.MeanCheckMs >= SlowCheckMs)
        {
            yield return $"A check takes {status.MeanCheckMs:0.#} ms on average; {SlowCheckMs} is too much.";
        }
        if (HitRatio(status) <= PoorHitRatio)
        {
            yield return $"Only {HitRatio(status):0.#} % of the checks are answered from memory.";
        }
        if (status.Log.ErrorsInLastHour >= ManyErrors)
        {
            yield return $"{status.Log.ErrorsInLastHour} calls to the store failed within the last hour.";
        }
    }

    private static IEnumerable<string> OfJournal(BlacklistStatus status)
    {
        if (status.Log.JournalPending != 0)
        {
            yield return $"{status.Log.JournalPending} revocations are on this node's disk only, until the "
                + "shared log is back.";
        }
        if (status.Shared && status.Log.JournalLoaded is null)
        {
            yield return "Nothing is kept on this node's disk: while the shared log is away revocations "
                + "fail, and a node that restarts then knows nothing. Add .KeepLocally(\"rescind.db\").";
        }
    }
}
