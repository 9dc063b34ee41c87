using System.Security.Cryptography;
using StackExchange.Redis;

namespace Rescind.Redis;

/// <summary>The names of keys, channels and this process. All keys share a hash tag, so that a Cluster keeps
/// them on one node. Channels carry the database number, because Redis does not keep them apart.</summary>
internal sealed class RedisNames(string prefix, string node, int database)
{
    private const string Format = "x16";

    /// <summary>Drawn once per process start: two processes with one name, or one that restarted, are
    /// two.</summary>
    public string Process { get; } = Draw();

    public string Node { get; } = node;

    public string Details { get; } = ProcessRecord.Details(
        node, typeof(RedisNames).Assembly.GetName().Version?.ToString(3) ?? "0");

    /// <summary>The stream and the fleet hash, as every script takes them.</summary>
    public RedisKey[] Keys { get; } = [$"{{{prefix}}}:log", $"{{{prefix}}}:fleet"];

    public string Channel { get; } = $"{{{prefix}}}:push:{database}";

    public string ChannelOf(string process) => $"{Channel}:{process}";

    public static string Draw() => BitConverter.ToUInt64(RandomNumberGenerator.GetBytes(8)).ToString(Format);
}
