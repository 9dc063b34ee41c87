using System.Globalization;

namespace Rescind.Simulation;

/// <summary>A write, as a master sends it to its replicas. Bytes are strings of Latin-1 characters. What one script or
/// command wrote is kept together or not at all.</summary>
internal sealed record Effect(string Command, string[] Arguments, bool IsLast = false);

/// <summary>A Redis refuses a command.</summary>
internal sealed class RedisRefusal(string message) : Exception(message);

/// <summary>What one Redis server holds: the stream and the fleet hash, and the commands on them that the scripts
/// use, as Redis documents them.</summary>
internal sealed class Store
{
    private readonly Dictionary<string, string> _hash = new(StringComparer.Ordinal);
    private readonly List<StreamEntry> _stream = [];
    private StreamId _last;

    private readonly record struct StreamId(ulong Number, ulong Random)
    {
        public int OrderTo(StreamId other) =>
            Number == other.Number ? Random.CompareTo(other.Random) : Number.CompareTo(other.Number);
    }

    /// <param name="Id">Its id.</param>
    /// <param name="Bytes">Its only value.</param>
    /// <param name="Line">As a range answers it.</param>
    private sealed record StreamEntry(StreamId Id, string Bytes, object?[] Line);

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
        "XREVRANGE" => _stream.Count == 0 ? Array.Empty<object?>() : new object?[] { _stream[^1].Line },
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
        if (id.OrderTo(_last) <= 0)
        {
            throw new RedisRefusal("ERR The ID specified in XADD is equal or smaller than the target stream top item");
        }
        _stream.Add(new StreamEntry(id, arguments[2], [arguments[0], new object?[] { "e", arguments[2] }]));
        _last = id;
        return arguments[0];
    }

    private long Trim(string[] arguments)
    {
        var dropped = PlaceOf(Parse(arguments[1], 0));
        _stream.RemoveRange(0, dropped);
        return dropped;
    }

    private object?[] Range(string from, string to, int most)
    {
        var first = from == "-" ? 0
            : from.StartsWith('(') ? PlaceOf(Parse(from[1..], 0), isBehind: true)
            : PlaceOf(Parse(from, 0));
        var end = to == "+" ? _stream.Count : PlaceOf(Parse(to, ulong.MaxValue), isBehind: true);
        var page = new object?[Math.Clamp(end - first, 0, most)];
        for (var i = 0; i < page.Length; i++)
        {
            page[i] = _stream[first + i].Line;
        }
        return page;
    }

    /// <summary>Where the first entry stands that is not before an id, or the first behind it.</summary>
    private int PlaceOf(StreamId id, bool isBehind = false)
    {
        var (low, high) = (0, _stream.Count);
        while (low < high)
        {
            var middle = (low + high) / 2;
            var isBefore = _stream[middle].Id.OrderTo(id) < (isBehind ? 1 : 0);
            (low, high) = isBefore ? (middle + 1, high) : (low, middle);
        }
        return low;
    }

    private static int Count(string[] arguments) =>
        Array.IndexOf(arguments, "COUNT") is >= 0 and var at
            ? int.Parse(arguments[at + 1], CultureInfo.InvariantCulture)
            : int.MaxValue;

    private static StreamId Parse(string id, ulong without)
    {
        var dash = id.IndexOf('-');
        return dash < 0
            ? new StreamId(ulong.Parse(id, CultureInfo.InvariantCulture), without)
            : new StreamId(
                ulong.Parse(id.AsSpan(0, dash), CultureInfo.InvariantCulture),
                ulong.Parse(id.AsSpan(dash + 1), CultureInfo.InvariantCulture));
    }
}
