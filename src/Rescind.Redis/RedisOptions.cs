namespace Rescind;

/// <summary>How the log in Redis is named, and this node in it.</summary>
public sealed class RedisOptions
{
    /// <summary>What the names of all keys and channels begin with. Blacklists that are not to see each other
    /// need different ones. Default: <c>rescind</c>; 1 to 64 of <c>a-z A-Z 0-9 _ . -</c>.</summary>
    public string Prefix { get; set; } = "rescind";

    /// <summary>This node's name for people, at most 128 characters. Need not be unique. Default: the
    /// environment variable <c>RESCIND_NODE</c>, else the host's name.</summary>
    public string Node { get; set; } =
        Environment.GetEnvironmentVariable("RESCIND_NODE") is { Length: > 0 } name
            ? name : Environment.MachineName;

    /// <summary>What is wrong, naming the option, or null.</summary>
    internal string? Fault()
    {
        var isPrefix = Prefix is { Length: >= 1 and <= 64 }
            && Prefix.All(letter => char.IsAsciiLetterOrDigit(letter) || letter is '_' or '.' or '-');
        if (!isPrefix)
        {
            return "RedisOptions.Prefix must be 1 to 64 characters of a-z, A-Z, 0-9, '_', '.' and '-'.";
        }
        return Node is { Length: >= 1 and <= 128 }
            ? null : "RedisOptions.Node must be 1 to 128 characters long.";
    }
}
