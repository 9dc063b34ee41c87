using Microsoft.Extensions.Logging;

namespace Rescind;

/// <summary>Every log line of the core. Ids: 1000 feed, 1100 revocations, 1200 records, 1300 compaction,
/// 1400 journal. No message carries a token, a whole id or a name of a user.</summary>
internal static partial class Log
{
    [LoggerMessage(1000, LogLevel.Information,
        "Token blacklist is fresh: the log is read to its end, {Revocations} live revocations")]
    public static partial void FeedFresh(ILogger logger, long revocations);

    [LoggerMessage(1001, LogLevel.Error,
        "Token blacklist cannot read its log and stops being fresh: {Fault}")]
    public static partial void FeedStopped(ILogger logger, string fault);

    [LoggerMessage(1002, LogLevel.Debug, "Token blacklist tries its log again after: {Fault}")]
    public static partial void FeedRetries(ILogger logger, string fault);

    [LoggerMessage(1003, LogLevel.Debug, "A check could not catch up with the log in time: {Fault}")]
    public static partial void CatchUpFailed(ILogger logger, string fault);

    [LoggerMessage(1004, LogLevel.Warning,
        "The log no longer holds position {Position}: trimmed, rolled back or replaced; reading all of it")]
    public static partial void ReconcileStarted(ILogger logger, LogPosition position);

    [LoggerMessage(1005, LogLevel.Warning,
        "Reconciled with the log: {Found} entries found, {Given} given back that it had lost")]
    public static partial void Reconciled(ILogger logger, int found, int given);

    [LoggerMessage(1100, LogLevel.Error, "{Count} revocations could not be stored: {Fault}")]
    public static partial void RevocationNotStored(ILogger logger, int count, string fault);

    [LoggerMessage(1200, LogLevel.Error,
        "Records of {Count} revocations could not be written; the revocations count all the same: {Fault}")]
    public static partial void RecordsNotWritten(ILogger logger, int count, string fault);

    [LoggerMessage(1201, LogLevel.Warning, "Records could not be read for an explanation: {Fault}")]
    public static partial void RecordsNotRead(ILogger logger, string fault);

    [LoggerMessage(1300, LogLevel.Information,
        "Compacted the log: {Dropped} entries dropped, {Before} bytes before, {After} after")]
    public static partial void Compacted(ILogger logger, long dropped, long before, long after);

    [LoggerMessage(1301, LogLevel.Error, "The log could not be compacted: {Fault}")]
    public static partial void CompactionFailed(ILogger logger, string fault);

    [LoggerMessage(1400, LogLevel.Warning,
        "The shared log does not confirm: revocations are kept on this node's disk until it does")]
    public static partial void JournalTakesOver(ILogger logger);

    [LoggerMessage(1401, LogLevel.Information,
        "The shared log confirmed all that only this node's disk had kept: {Count} entries")]
    public static partial void JournalReplayed(ILogger logger, long count);

    [LoggerMessage(1402, LogLevel.Error,
        "This node's disk cannot keep revocations; they depend on the shared log alone: {Fault}")]
    public static partial void JournalStopped(ILogger logger, string fault);

    [LoggerMessage(1403, LogLevel.Debug, "The shared log did not confirm an append: {Fault}")]
    public static partial void AppendFailed(ILogger logger, string fault);

    [LoggerMessage(1410, LogLevel.Error, "The local copy of the log cannot be written: {Fault}")]
    public static partial void ReplicaStopped(ILogger logger, string fault);

    [LoggerMessage(1411, LogLevel.Information, "The local copy of the log can be written again")]
    public static partial void ReplicaWorks(ILogger logger);

    [LoggerMessage(1412, LogLevel.Error,
        "The local copy of the log fell too far behind and stays as it is until the next start")]
    public static partial void ReplicaGivenUp(ILogger logger);
}
