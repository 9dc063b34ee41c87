using StackExchange.Redis;

namespace Rescind.Redis;

/// <summary>What the log needs of Redis: scripts, a few commands, and what is announced. Every fault is an
/// <see cref="IOException"/>. One implementation talks to servers; the simulation has another.</summary>
internal interface IRedisLink : IAsyncDisposable
{
    /// <summary>The key of the stream.</summary>
    RedisKey Stream { get; }

    /// <summary>The key of the fleet hash.</summary>
    RedisKey Fleet { get; }

    /// <summary>Whether the last call was answered, or refused by a server that is there.</summary>
    bool IsConnected { get; }

    long FaultsInLastHour { get; }

    /// <summary>Runs a script on the master.</summary>
    /// <exception cref="IOException">No answer in time, or a refusal.</exception>
    Task<RedisResult> RunAsync(string script, RedisValue[] arguments, CancellationToken cancel);

    /// <summary>As <c>RunAsync</c>, and says whether half the servers have what the script wrote.</summary>
    /// <param name="script">The script.</param>
    /// <param name="arguments">Its arguments.</param>
    /// <param name="servers">How many servers there are, from the answer.</param>
    /// <param name="cancel">Gives up.</param>
    /// <exception cref="IOException">No answer in time, or a refusal.</exception>
    Task<(RedisResult Answer, bool IsReplicated)> RunAsync(
        string script, RedisValue[] arguments, Func<RedisResult, int> servers, CancellationToken cancel);

    /// <summary>Runs a command on the master.</summary>
    /// <param name="command">Its name.</param>
    /// <param name="arguments">Keys as <see cref="RedisKey"/>, so that a Cluster finds their node.</param>
    /// <param name="cancel">Gives up.</param>
    /// <exception cref="IOException">No answer in time, or a refusal.</exception>
    Task<RedisResult> ExecuteAsync(string command, object[] arguments, CancellationToken cancel);

    /// <summary>Subscribes; the client does so again whenever its connection comes back.</summary>
    /// <exception cref="IOException">Refused, or the server is away.</exception>
    Task SubscribeAsync(string channel, Action<byte[]> received, CancellationToken cancel);

    /// <summary>Asks the log's master about itself.</summary>
    /// <exception cref="IOException">It is away.</exception>
    Task<ServerReport> ReportAsync(CancellationToken cancel);
}
