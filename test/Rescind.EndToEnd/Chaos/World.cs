using Rescind.Tests.Redis;
using Rescind.Tests.Server;

namespace Rescind.EndToEnd.Chaos;

/// <summary>Three nodes behind nginx, on one PostgreSQL and on one Redis with Sentinel: all real processes.</summary>
internal sealed class World : IAsyncDisposable
{
    public const int Nodes = 3;

    private readonly CancellationTokenSource _over = new();
    private readonly Stack<IAsyncDisposable> _owned = new();
    private Task _keeping = Task.CompletedTask;

    private World(History history) => History = history;

    public History History { get; }

    public RedisWithSentinels Redis { get; private set; } = null!;

    public OldData OldData { get; private set; } = null!;

    public PostgresServer Postgres { get; private set; } = null!;

    public SmallDisk DatabaseDisk { get; private set; } = null!;

    public List<ChaosNode> All { get; } = [];

    public Nginx Front { get; private set; } = null!;

    /// <summary>What is meant to be down at the moment, and so is not started again.</summary>
    private HashSet<string> Down { get; } = [];

    public static async Task<World> StartAsync(History history)
    {
        var world = new World(history);
        try
        {
            await world.StartAsync();
            return world;
        }
        catch
        {
            await world.DisposeAsync();
            throw;
        }
    }

    /// <summary>What is down stays down until somebody starts it.</summary>
    public void MarkDown(string name)
    {
        lock (Down)
        {
            Down.Add(name);
        }
    }

    /// <summary>Starts what is down, in one step for <see cref="KeepAsync"/>: it would start a second one.</summary>
    public void Start(string name, Action launch)
    {
        lock (Down)
        {
            Down.Remove(name);
            launch();
        }
    }

    public async ValueTask DisposeAsync()
    {
        await _over.CancelAsync();
        await _keeping;
        while (_owned.TryPop(out var owned))
        {
            await owned.DisposeAsync();
        }
        _over.Dispose();
    }

    private async Task StartAsync()
    {
        DatabaseDisk = Own(new SmallDisk(400));
        Postgres = Own(new PostgresServer { Disk = DatabaseDisk.Folder });
        await Postgres.InitializeAsync();
        var database = await Postgres.NewDatabaseAsync();
        Redis = Own(await RedisWithSentinels.StartAsync());
        OldData = new OldData(Redis);
        for (var number = 0; number < Nodes; number++)
        {
            All.Add(Own(new ChaosNode(number, Redis, Postgres, database)));
        }
        await Task.WhenAll(All.Select(node => node.Server.StartAsync()));
        Front = Own(await Nginx.StartAsync([.. All.Select(node => node.FrontLink.Address)]));
        _keeping = KeepAsync();
    }

    private T Own<T>(T part) where T : IAsyncDisposable
    {
        _owned.Push(part);
        return part;
    }

    /// <summary>What a service manager does: starts again what ended by itself. PostgreSQL does that when its disk is
    /// full; a node never should, so it is written down.</summary>
    private async Task KeepAsync()
    {
        while (!_over.IsCancellationRequested)
        {
            foreach (var node in All)
            {
                KeepUp(node.Name, () => node.Server.HasEnded, node.Server.Launch);
            }
            KeepUp("postgres", () => Postgres.HasEnded, Postgres.Launch);
            await Task.Delay(200, CancellationToken.None);
        }
    }

    private void KeepUp(string name, Func<bool> hasEnded, Action launch)
    {
        lock (Down)
        {
            if (!Down.Contains(name) && hasEnded())
            {
                History.Note(name, "ended by itself");
                launch();
            }
        }
    }
}
