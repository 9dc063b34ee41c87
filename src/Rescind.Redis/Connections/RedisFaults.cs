using StackExchange.Redis;

namespace Rescind.Redis;

/// <summary>The client's faults in one sentence each, for operators. None repeats a secret.</summary>
internal static class RedisFaults
{
    public static bool AreOf(Exception fault) =>
        fault is RedisException or RedisCommandException or TimeoutException or ObjectDisposedException;

    /// <summary>Whether it is time to look which server is the master: no answer, or that of a
    /// replica.</summary>
    public static bool MayBeOfAnotherMaster(Exception fault) =>
        fault is not RedisServerException || fault.Message.StartsWith("READONLY", StringComparison.Ordinal);

    /// <summary>The client's own messages run to a page of counters; a server's refusal is one line, and
    /// names no secret.</summary>
    /// <param name="fault">What was thrown.</param>
    /// <param name="last">Why the last connection failed, which says more than "no connection".</param>
    public static string SentenceOf(Exception fault, ConnectionFailureType last) => fault switch
    {
        TimeoutException => $"Redis did not answer within {RedisLink.Limit.TotalSeconds:0} s.",
        RedisServerException => $"Redis refused: {fault.Message.Split('\n')[0]}",
        RedisConnectionException connection => SentenceOf(TypeOf(connection), last),
        _ => "The connection to Redis is closed.",
    };

    private static string SentenceOf(ConnectionFailureType type, ConnectionFailureType last) =>
        ConnectionFailureType.AuthenticationFailure is var refused && (type == refused || last == refused)
            ? "Redis refused the user, password or certificate."
            : $"Redis cannot be reached ({type}).";

    /// <summary>Why the last attempt to connect failed, which stands inside of "no connection".</summary>
    private static ConnectionFailureType TypeOf(RedisConnectionException fault)
    {
        var inner = fault.InnerException as RedisConnectionException
            ?? (fault.InnerException as AggregateException)?.Flatten().InnerExceptions
                .OfType<RedisConnectionException>().FirstOrDefault();
        return inner is null ? fault.FailureType : TypeOf(inner);
    }
}
