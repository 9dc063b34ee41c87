namespace Rescind;

/// <summary>How the log in Redis is named, and this node in it.</summary>
public sealed class RedisOptions
{
    internal const int ShortestKey = 32;

    /// <summary>What the names of all keys and channels begin with. Blacklists that are not to see each other
    /// need different ones. Default: <c>rescind</c>; 1 to 64 of <c>a-z A-Z 0-9 _ . -</c>.</summary>
    public string Prefix { get; set; } = "rescind";

    /// <summary>This node's name for people, at most 128 characters. Need not be unique. Default: the
    /// environment variable <c>RESCIND_NODE</c>, else the host's name.</summary>
    public string Node { get; set; } =
        Environment.GetEnvironmentVariable("RESCIND_NODE") is { Length: > 0 } name
            ? name : Environment.MachineName;

    /// <summary>A secret of all nodes that seals every entry, so that whoever can write to Redis can neither
    /// forge nor lift a revocation; entries without it are refused and reported. To set or change it, stop
    /// all nodes, delete the log's two keys in Redis, and start them: each gives back what its own disk
    /// keeps. Default: null, no seal; at least 32 bytes.</summary>
    public string? LogKey { get; set; }

    /// <summary>How many Redis servers keep the log, its master and the replicas of that, so that half of
    /// them must confirm a write; in a Cluster those of one shard, not all. Nodes learn this from the log;
    /// but one that starts on a master which lost the log and has no replica learns that it is alone, and
    /// would know nothing of what the other servers confirm meanwhile. Set it wherever a replica can be
    /// promoted. Default: 1, what the log says; 1 to 100.</summary>
    public int Servers { get; set; } = 1;

    /// <summary>What is wrong, naming the option, or null.</summary>
    internal string? Fault()
    {
        var isPrefix = Prefix is { Length: >= 1 and <= 64 }
            && Prefix.All(letter => char.IsAsciiLetterOrDigit(letter) || letter is '_' or '.' or '-');
        if (!isPrefix)
        {
            return "RedisOptions.Prefix must be 1 to 64 characters of a-z, A-Z, 0-9, '_', '.' and '-'.";
        }
        if (LogKey is { } key && System.Text.Encoding.UTF8.GetByteCount(key) < ShortestKey)
        {
            return $"RedisOptions.LogKey must be at least {ShortestKey} bytes long.";
        }
        if (Servers is < 1 or > 100)
        {
            return "RedisOptions.Servers must be 1 to 100.";
        }
        return Node is { Length: >= 1 and <= 128 }
            ? null : "RedisOptions.Node must be 1 to 128 characters long.";
    }
}
