using Rescind.Tests.Redis;
using StackExchange.Redis;

namespace Rescind.EndToEnd.Chaos;

/// <summary>Keeps copies of what Redis wrote to disk, and puts an old one in its place. Redis saves by command only here:
/// so one that is killed comes back with what it had at the last copy.</summary>
internal sealed class OldData(RedisWithSentinels group)
{
    private readonly Lock _gate = new();
    private byte[]? _older;
    private byte[]? _newer;
    private RedisServer? _master;

    /// <summary>Copies every few seconds, until told to end.</summary>
    public async Task CopyAsync(CancellationToken over)
    {
        while (!over.IsCancellationRequested)
        {
            try
            {
                var master = await OneAsync(isMaster: true);
                await master.CommandAsync("SAVE");
                var copy = await File.ReadAllBytesAsync(master.RdbFile, CancellationToken.None);
                lock (_gate)
                {
                    (_older, _newer) = (_newer, copy);
                }
            }
            catch (Exception fault) when (fault is RedisException or IOException or TimeoutException)
            {
                // It is down or frozen at the moment.
            }
            await Task.Delay(TimeSpan.FromSeconds(4), over).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }
    }

    /// <summary>The master, or the first replica, as they see it themselves; the first of all when nobody says so.</summary>
    public async Task<RedisServer> OneAsync(bool isMaster)
    {
        foreach (var server in group.Servers)
        {
            try
            {
                var role = (await server.CommandAsync("INFO", "replication")).ToString();
                if (role.Contains("role:master", StringComparison.Ordinal) == isMaster)
                {
                    return server;
                }
            }
            catch (Exception fault) when (fault is RedisException or TimeoutException)
            {
                // It is down or frozen at the moment.
            }
        }
        return group.Servers[0];
    }

    /// <summary>Whom a server follows, in the words of <c>REPLICAOF</c>; nobody when it does not say.</summary>
    public static async Task<object[]> RoleAsync(RedisServer server)
    {
        try
        {
            var lines = (await server.CommandAsync("INFO", "replication")).ToString().Split("\r\n");
            var port = lines.FirstOrDefault(line => line.StartsWith("master_port:", StringComparison.Ordinal));
            return port is null ? ["NO", "ONE"] : ["127.0.0.1", port.Split(':')[1]];
        }
        catch (Exception fault) when (fault is RedisException or TimeoutException)
        {
            return ["NO", "ONE"];
        }
    }

    public async Task KillAllAsync()
    {
        _master = await OneAsync(isMaster: true);
        await Task.WhenAll(group.Servers.Select(server => server.KillAsync()));
    }

    /// <summary>All come back with what the master had some seconds ago, and follow who was the master.</summary>
    public async Task StartAllAsync()
    {
        byte[]? old;
        lock (_gate)
        {
            old = _older ?? _newer;
        }
        foreach (var server in group.Servers)
        {
            if (old is not null)
            {
                await File.WriteAllBytesAsync(server.RdbFile, old);
            }
            await server.StartProcessAsync();
        }
        await _master!.CommandAsync("REPLICAOF", "NO", "ONE");
        foreach (var server in group.Servers.Where(server => server != _master))
        {
            await server.CommandAsync("REPLICAOF", "127.0.0.1", _master.Port);
        }
    }
}
