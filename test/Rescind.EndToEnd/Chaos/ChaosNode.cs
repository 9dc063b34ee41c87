using System.Diagnostics;
using System.Net;
using System.Net.Sockets;
using Rescind.Tests.Redis;
using Rescind.Tests.Server;

namespace Rescind.EndToEnd.Chaos;

/// <summary>A server process that reaches everything over links of its own, on a disk and by a clock that can be spoilt.
/// Started again whenever it ends, as a service manager does.</summary>
internal sealed class ChaosNode : IAsyncDisposable
{
    private readonly SmallDisk _disk = new(64);
    private readonly List<TcpProxy> _redisLinks;
    private readonly List<TcpProxy> _sentinelLinks;

    public ChaosNode(int number, RedisWithSentinels redis, PostgresServer postgres, string database)
    {
        Name = $"node-{number}";
        Policy = number == 2 ? "accept" : "refuse";
        _redisLinks = [.. redis.Servers.Select(server => new TcpProxy(server.Port))];
        _sentinelLinks = [.. redis.Sentinels.Select(sentinel => new TcpProxy(sentinel.Port, _redisLinks))];
        DatabaseLink = new TcpProxy(postgres.Port);
        Server = new ServerProcess(
            ("REDIS_URL", string.Join(',', _sentinelLinks.Select(link => link.Address)) + ",serviceName=main"),
            ("DATABASE_URL", database.Replace($":{postgres.Port}/", $":{DatabaseLink.Port}/", StringComparison.Ordinal)),
            ("RESCIND_NODE", Name), ("RESCIND_DATA", Path.Combine(_disk.Folder, "data")),
            ("AUDIT_KEY", "a key that all nodes of the tests share"), ("BLACKLIST_WHEN_UNKNOWN", Policy),
            ("BLACKLIST_WAIT", number == 1 ? "stored" : "everywhere"));
        FrontLink = new TcpProxy(Server.Port);
    }

    public string Name { get; }

    /// <summary>What it does when it cannot know. One that refuses shows what it knows; one that accepts takes revocations
    /// also when it is cut off, because the token of whoever revokes passes there.</summary>
    public string Policy { get; }

    public ServerProcess Server { get; }

    /// <summary>To PostgreSQL.</summary>
    public TcpProxy DatabaseLink { get; }

    /// <summary>From nginx to this node.</summary>
    public TcpProxy FrontLink { get; }

    /// <summary>To the servers and sentinels of Redis.</summary>
    public IEnumerable<TcpProxy> LogLinks => _redisLinks.Concat(_sentinelLinks);

    public SmallDisk Disk => _disk;

    private static string WrongClock { get; } =
        Directory.GetDirectories("/usr/lib").Select(folder => Path.Combine(folder, "faketime/libfaketime.so.1"))
            .FirstOrDefault(File.Exists)
        ?? throw new InvalidOperationException("Install Debian's package 'faketime' to run this test.");

    /// <summary>Starts it with a clock that is wrong all the time. Debian's faketime shifts the monotonic clock as well,
    /// by as much; since that says something only in differences, it is the wall clock that is wrong. (To leave the
    /// monotonic one alone has this version make every timed wait end at once.)</summary>
    public void LaunchAt(TimeSpan ahead)
    {
        Server.Set("LD_PRELOAD", ahead == TimeSpan.Zero ? null : WrongClock);
        Server.Set("FAKETIME", ahead == TimeSpan.Zero ? null : $"{ahead.TotalSeconds:+0;-0}");
        Server.Launch();
    }

    /// <summary>Waits until it takes calls, or for ten seconds: other faults may be in its way.</summary>
    /// <returns>Whether it does.</returns>
    public async Task<bool> ListensAsync()
    {
        for (var begun = Stopwatch.GetTimestamp(); Stopwatch.GetElapsedTime(begun) < TimeSpan.FromSeconds(10);)
        {
            using var call = new TcpClient();
            try
            {
                await call.ConnectAsync(IPAddress.Loopback, Server.Port);
                return true;
            }
            catch (SocketException)
            {
                await Task.Delay(50);
            }
        }
        return false;
    }

    /// <summary>Fills its disk while it stands still; not while it starts, which on a full disk it refuses. A log file of
    /// SQLite is written from its beginning again and again, over what has its place on the disk already; that place is taken
    /// away first, so that its next commits need new.</summary>
    public async Task FillDiskAsync()
    {
        if (!await ListensAsync())
        {
            return;
        }
        await Server.FreezeAsync();
        foreach (var log in Directory.GetFiles(_disk.Folder, "*.db-wal", SearchOption.AllDirectories))
        {
            WriteAheadLog.CutOffStale(log);
        }
        _disk.Fill();
        await Server.ResumeAsync();
    }

    /// <summary>How often it has said that its disk is full.</summary>
    public int FullDisks => Server.Output.Split('\n').Count(line => line.Contains("is full. Make room", StringComparison.Ordinal));

    public async ValueTask DisposeAsync()
    {
        await Server.DisposeAsync();
        foreach (var link in LogLinks.Append(DatabaseLink).Append(FrontLink))
        {
            await link.DisposeAsync();
        }
        await _disk.DisposeAsync();
    }
}
