using StackExchange.Redis;

namespace Rescind.Redis;

/// <summary>What the heartbeat script answered.</summary>
internal sealed record HeartbeatAnswer
{
    /// <summary>The settings that the fleet runs with, when this process was refused for its own; then only
    /// epoch, servers and registry are told.</summary>
    public string? OtherSettings { get; init; }

    public required string Epoch { get; init; }

    public required bool IsClosed { get; init; }

    /// <summary>By which the leases run that may be left from before a recovery that is open; zero: none
    /// is.</summary>
    public TimeSpan BoundBefore { get; init; }

    public required bool Found { get; init; }

    public required bool AtTail { get; init; }

    public required LogPosition Last { get; init; }

    public required DateTimeOffset Horizon { get; init; }

    public required DateTimeOffset Time { get; init; }

    public required bool KnowsRun { get; init; }

    public required int Servers { get; init; }

    /// <summary>Packs after the asked position, and perhaps the one that holds it.</summary>
    public required IReadOnlyList<(LogPosition Id, byte[] Bytes)> Packs { get; init; }

    public required IReadOnlyDictionary<string, ProcessRecord> Processes { get; init; }

    /// <exception cref="IOException">The answer is not one of this version's script.</exception>
    public static HeartbeatAnswer Parse(RedisResult result)
    {
        try
        {
            return Read(Parts(result));
        }
        catch (Exception fault) when (fault is InvalidCastException or FormatException or OverflowException
            or ArgumentException)
        {
            throw Unreadable(fault);
        }
    }

    private static HeartbeatAnswer Read(RedisResult[] parts)
    {
        if (parts.Length == 5 && (string?)parts[0] == "settings")
        {
            return Refused(parts);
        }
        if (parts.Length != 14)
        {
            throw Unreadable();
        }
        return new HeartbeatAnswer
        {
            Epoch = (string?)parts[1] ?? throw Unreadable(),
            IsClosed = (string?)parts[2] == "closed",
            Found = (int)parts[3] == 1,
            AtTail = (int)parts[4] == 1,
            Last = StreamId.Parse((string?)parts[5]),
            Horizon = DateTimeOffset.FromUnixTimeSeconds((long)parts[6]),
            Time = DateTimeOffset.FromUnixTimeSeconds((long)parts[7]).AddMicroseconds((long)parts[8]),
            KnowsRun = (int)parts[9] == 1,
            Servers = (int)parts[10],
            Packs = PacksOf(Parts(parts[11])),
            Processes = ProcessesOf(parts[12]),
            BoundBefore = TimeSpan.FromMilliseconds((long)parts[13]) / 2,
        };
    }

    private static HeartbeatAnswer Refused(RedisResult[] parts) => new()
    {
        OtherSettings = (string?)parts[1] ?? "",
        Epoch = (string?)parts[2] ?? throw Unreadable(),
        Servers = (int)parts[3],
        Processes = ProcessesOf(parts[4]),
        IsClosed = false, Found = false, AtTail = false, KnowsRun = true, Packs = [],
        Last = default, Horizon = DateTimeOffset.UnixEpoch, Time = DateTimeOffset.UnixEpoch,
    };

    /// <summary>The registry as scripts return it: key and record in turn.</summary>
    public static Dictionary<string, ProcessRecord> ProcessesOf(RedisResult flat)
    {
        var parts = Parts(flat);
        var processes = new Dictionary<string, ProcessRecord>(parts.Length / 2, StringComparer.Ordinal);
        for (var i = 0; i + 1 < parts.Length; i += 2)
        {
            processes[(string)parts[i]!] = ProcessRecord.Parse((string?)parts[i + 1] ?? "");
        }
        return processes;
    }

    public static RedisResult[] Parts(RedisResult result) =>
        (RedisResult[]?)result
        ?? throw new IOException("Redis answered a script with something that this version cannot read.");

    private static IOException Unreadable(Exception? fault = null) =>
        new("Redis answered a heartbeat with something that this version cannot read.", fault);

    private static List<(LogPosition, byte[])> PacksOf(RedisResult[] flat)
    {
        var packs = new List<(LogPosition, byte[])>(flat.Length / 2);
        for (var i = 0; i + 1 < flat.Length; i += 2)
        {
            packs.Add((StreamId.Parse((string?)flat[i]), (byte[]?)flat[i + 1] ?? []));
        }
        return packs;
    }
}
