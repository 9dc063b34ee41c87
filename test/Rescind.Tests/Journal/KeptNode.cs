using Microsoft.Data.Sqlite;

namespace Rescind.Tests;

/// <summary>A node on a shared log that keeps a copy in a file, running as it would in a server.</summary>
internal sealed class KeptNode : IAsyncDisposable
{
    private readonly CancellationTokenSource _stop = new();
    private readonly SqliteStore _store;
    private Task _loop = Task.CompletedTask;

    private KeptNode(string path, IRevocationLog log, BlacklistOptions options)
    {
        _store = SqliteStore.KeepLocally(path, log, options);
        Blacklist = new Blacklist(options, _store.Log, _store.Records);
    }

    public Blacklist Blacklist { get; }

    public SqliteStore Store => _store;

    public BlacklistStatus Status => Blacklist.GetStatus();

    public static BlacklistOptions Options() => new() { Freshness = TimeSpan.FromMilliseconds(200) };

    /// <summary>Starts a node; a log that is away is no hindrance.</summary>
    public static async Task<KeptNode> StartAsync(
        string path, IRevocationLog log, BlacklistOptions? options = null)
    {
        var node = new KeptNode(path, log, options ?? Options());
        try
        {
            await node.Blacklist.LoadAsync();
        }
        catch (IOException)
        {
            Assert.NotNull(node.Status.Fault);
        }
        node._loop = node.Blacklist.RunAsync(node._stop.Token);
        return node;
    }

    /// <summary>The file as a crash at this moment would leave it.</summary>
    public static string CrashImage(string path)
    {
        var image = path + $".{Guid.NewGuid():N}";
        foreach (var end in new[] { "", "-wal" })
        {
            if (File.Exists(path + end))
            {
                File.Copy(path + end, image + end);
            }
        }
        return image;
    }

    /// <summary>What a file holds: rows of the copy, rows of the journal.</summary>
    public static (long Copied, long Own) RowsOf(string path)
    {
        using var connection = new SqliteConnection($"Data Source={path};Pooling=False");
        connection.Open();
        return (
            SqliteFile.Number(connection, "SELECT count(*) FROM log"),
            SqliteFile.Number(connection, "SELECT count(*) FROM journal"));
    }

    public async ValueTask DisposeAsync()
    {
        await _stop.CancelAsync();
        await _loop;
        await _store.DisposeAsync();
        _stop.Dispose();
    }
}
