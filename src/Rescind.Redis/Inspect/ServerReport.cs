namespace Rescind.Redis;

/// <summary>What a server says of itself, and what follows from it. A value that a managed service keeps to
/// itself is null, and is said to be unknown; it is never taken for good.</summary>
internal sealed record ServerReport
{
    private static readonly Version Oldest = new(6, 2);

    public string? Version { get; init; }

    public string? EvictionPolicy { get; init; }

    public bool? HasAppendFile { get; init; }

    /// <summary>When snapshots are written, as in <c>CONFIG GET save</c>; empty: never.</summary>
    public string? Snapshots { get; init; }

    public int? Replicas { get; init; }

    public bool IsEncrypted { get; init; }

    public bool IsLocal { get; init; }

    /// <summary>Reads the text of <c>INFO</c>.</summary>
    public static ServerReport OfInfo(string? info)
    {
        var values = (info ?? "").Split('\n')
            .Select(line => line.Trim().Split(':', 2))
            .Where(pair => pair.Length == 2)
            .GroupBy(pair => pair[0], StringComparer.Ordinal)
            .ToDictionary(pairs => pairs.Key, pairs => pairs.First()[1], StringComparer.Ordinal);
        return new ServerReport
        {
            Version = values.GetValueOrDefault("redis_version"),
            EvictionPolicy = values.GetValueOrDefault("maxmemory_policy"),
            HasAppendFile = values.GetValueOrDefault("aof_enabled") is { } enabled ? enabled == "1" : null,
            Replicas = int.TryParse(values.GetValueOrDefault("connected_slaves"), out var replicas)
                ? replicas
                : null,
        };
    }

    public IReadOnlyList<RedisFinding> Findings
    {
        get
        {
            RedisFinding?[] all = [OfEviction(), OfPersistence(), OfVersion(), OfReplicas(), OfEncryption()];
            return [.. all.OfType<RedisFinding>()];
        }
    }

    private RedisFinding? OfEviction() => EvictionPolicy switch
    {
        "noeviction" => null,
        null => Advice(
            "Whether Redis evicts keys is not known, because the service hides it. See to it that "
            + "maxmemory-policy is noeviction."),
        _ => Unsafe(
            $"Redis evicts keys when it is full (maxmemory-policy {EvictionPolicy}), revocations too. "
            + "Set maxmemory-policy noeviction."),
    };

    private RedisFinding? OfPersistence() => (HasAppendFile, Snapshots) switch
    {
        (true, _) => null,
        (false, "") => Unsafe(
            "Redis writes nothing to disk: a restart loses the log, and nodes must give it back. "
            + "Set appendonly yes."),
        (false, not null) => Advice(
            "Redis writes snapshots only: a restart loses the newest revocations, and nodes must give "
            + "them back. Set appendonly yes."),
        _ => Advice("Whether Redis writes to disk is not known, because the service hides it."),
    };

    private RedisFinding? OfVersion() => System.Version.TryParse(Version, out var version)
        ? version >= Oldest ? null : Unsafe($"Redis {Version} is too old. Use 6.2 or later.")
        : Advice("The version of Redis is not known, because the service hides it. Use 6.2 or later.");

    private RedisFinding? OfReplicas() => Replicas switch
    {
        0 => Advice(
            "Redis has no replica: while it is away, nodes do not know the newest revocations. Three "
            + "servers are recommended."),
        1 => Advice(
            "Redis has one replica: while either server is away, nothing can be confirmed, and nodes do "
            + "not know the newest revocations. Three servers are recommended."),
        null => Advice("How many replicas Redis has is not known, because the service hides it."),
        _ => null,
    };

    private RedisFinding? OfEncryption() => IsEncrypted || IsLocal
        ? null
        : Advice(
            "The connection to Redis is not encrypted: whoever reads the network sees its password, and "
            + "can lift revocations with it. Use rediss://.");

    private static RedisFinding Unsafe(string sentence) => new(sentence, IsUnsafe: true);

    private static RedisFinding Advice(string sentence) => new(sentence, IsUnsafe: false);
}
