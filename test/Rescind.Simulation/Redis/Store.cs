using System.Globalization;

namespace Rescind.Simulation;

/// <summary>A write, as a master sends it to its replicas. Bytes are strings of Latin-1 characters.</summary>
internal sealed record Effect(string Command, string[] Arguments);

/// <summary>A Redis refuses a command.</summary>
internal sealed class RedisRefusal(string message) : Exception(message);

/// <summary>What one Redis server holds: the stream and the fleet hash, and the commands on them that the scripts
/// use, as Redis documents them.</summary>
internal sealed class Store
{
    private readonly Dictionary<string, string> _hash = new(StringComparer.Ordinal);
    private readonly List<((ulong Number, ulong Random) Id, string Bytes)> _stream = [];
    private (ulong Number, ulong Random) _last;

    public IReadOnlyDictionary<string, string> Hash => _hash;

    public IEnumerable<string> Packs => _stream.Select(entry => entry.Bytes);

    public static bool IsWrite(string command) => command is "HSET" or "HDEL" or "XADD" or "XTRIM";

    /// <summary>Whether a full server refuses it.</summary>
    public static bool NeedsMemory(string command) => command is "HSET" or "XADD";

    /// <param name="command">Its name.</param>
    /// <param name="arguments">Without the key.</param>
    /// <returns>null, a string, a long or an array of such.</returns>
    public object? Execute(string command, string[] arguments) => command switch
    {
        "HGET" => _hash.GetValueOrDefault(arguments[0]),
        "HMGET" => arguments.Select(object? (field) => _hash.GetValueOrDefault(field)).ToArray(),
        "HGETALL" => _hash.SelectMany(pair => new object?[] { pair.Key, pair.Value }).ToArray(),
        "HSET" => Set(arguments),
        "HDEL" => arguments.LongCount(_hash.Remove),
        "XADD" => Add(arguments),
        "XTRIM" => Trim(arguments),
        "XRANGE" => Range(arguments[0], arguments[1], Count(arguments)),
        "XREVRANGE" => _stream.Count == 0 ? Array.Empty<object?>() : new[] { Line(_stream[^1]) },
        "MEMORY" => 100L + (_stream.Count * 40L),
        _ => throw new RedisRefusal($"ERR unknown command '{command}'"),
    };

    private long Set(string[] arguments)
    {
        for (var i = 0; i + 1 < arguments.Length; i += 2)
        {
            _hash[arguments[i]] = arguments[i + 1];
        }
        return arguments.Length / 2;
    }

    private string Add(string[] arguments)
    {
        var id = Parse(arguments[0], 0);
        if (id.CompareTo(_last) <= 0)
        {
            throw new RedisRefusal("ERR The ID specified in XADD is equal or smaller than the target stream top item");
        }
        _stream.Add((id, arguments[2]));
        _last = id;
        return arguments[0];
    }

    private long Trim(string[] arguments)
    {
        var keep = Parse(arguments[1], 0);
        return _stream.RemoveAll(entry => entry.Id.CompareTo(keep) < 0);
    }

    private object?[] Range(string from, string to, int most)
    {
        var isOpen = from.StartsWith('(');
        var first = from == "-" ? default : Parse(isOpen ? from[1..] : from, 0);
        var last = to == "+" ? (ulong.MaxValue, ulong.MaxValue) : Parse(to, ulong.MaxValue);
        return [.. _stream.Where(entry => entry.Id.CompareTo(first) >= (isOpen ? 1 : 0) && entry.Id.CompareTo(last) <= 0)
            .Take(most).Select(Line)];
    }

    private static int Count(string[] arguments) =>
        Array.IndexOf(arguments, "COUNT") is >= 0 and var at
            ? int.Parse(arguments[at + 1], CultureInfo.InvariantCulture)
            : int.MaxValue;

    private static object?[] Line(((ulong Number, ulong Random) Id, string Bytes) entry) =>
        [$"{entry.Id.Number}-{entry.Id.Random}", new object?[] { "e", entry.Bytes }];

    private static (ulong Number, ulong Random) Parse(string id, ulong without)
    {
        var parts = id.Split('-');
        return (ulong.Parse(parts[0], CultureInfo.InvariantCulture),
            parts.Length > 1 ? ulong.Parse(parts[1], CultureInfo.InvariantCulture) : without);
    }
}
