using Microsoft.Data.Sqlite;
using StackExchange.Redis;

namespace Rescind.Benchmarks.Append;

/// <summary>A way to make revocations durable.</summary>
internal abstract class AppendWay : IAsyncDisposable
{
    public abstract string Name { get; }

    /// <summary>Returns when all are as durable as this way makes them.</summary>
    public abstract ValueTask AppendAsync(string[] ids);

    public abstract ValueTask DisposeAsync();

    protected static LogEntry[] Entries(string[] ids)
    {
        var expiry = DateTimeOffset.UtcNow.AddDays(7);
        return Array.ConvertAll(ids, id => new LogEntry
        {
            Id = new RevocationId(RuleKind.Token, TokenKey.Of(RuleKind.Token, OurWay.Issuer, id), 1),
            ExpiresAt = expiry,
        });
    }
}

/// <summary>Our log in Redis.</summary>
internal sealed class OwnRedisAppend(RedisProcess server, RedisStore store) : AppendWay
{
    public override string Name => "Rescind, Redis";

    public static async Task<OwnRedisAppend> StartAsync()
    {
        var server = await RedisProcess.StartAsync();
        return new OwnRedisAppend(server, RedisStore.Open(server.Url));
    }

    public override async ValueTask AppendAsync(string[] ids) =>
        await store.Log.AppendAsync(Entries(ids), CancellationToken.None);

    public override async ValueTask DisposeAsync()
    {
        await store.DisposeAsync();
        await server.DisposeAsync();
    }
}

/// <summary>What most services do: a key for each token that lives as long as the token.</summary>
internal sealed class KeysAppend(RedisProcess server, ConnectionMultiplexer pool) : AppendWay
{
    private readonly IDatabase _db = pool.GetDatabase();

    public override string Name => "a key each, Redis";

    public static async Task<KeysAppend> StartAsync()
    {
        var server = await RedisProcess.StartAsync();
        return new KeysAppend(server, await server.ConnectAsync());
    }

    public override async ValueTask AppendAsync(string[] ids) =>
        await Task.WhenAll(Array.ConvertAll(
            ids, id => _db.StringSetAsync("blacklist:" + id, "1", TimeSpan.FromDays(7))));

    public override async ValueTask DisposeAsync()
    {
        await pool.DisposeAsync();
        await server.DisposeAsync();
    }
}

/// <summary>Our log in a SQLite file, on disk before each answer.</summary>
internal sealed class OwnSqliteAppend : AppendWay
{
    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("rescind-append-");
    private readonly SqliteStore _store;

    public OwnSqliteAppend() => _store = SqliteStore.Open(Path.Combine(_folder.FullName, "rescind.db"));

    public override string Name => "Rescind, SQLite";

    public override async ValueTask AppendAsync(string[] ids) =>
        await _store.Log.AppendAsync(Entries(ids), CancellationToken.None);

    public override async ValueTask DisposeAsync()
    {
        await _store.DisposeAsync();
        _folder.Delete(recursive: true);
    }
}

/// <summary>A table of revoked ids, a transaction a call, as an ORM writes it; equally durable. One connection:
/// SQLite has one writer at a time.</summary>
internal sealed class RowsAppend : AppendWay
{
    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("rescind-rows-");
    private readonly SemaphoreSlim _turn = new(1);
    private readonly SqliteConnection _connection;

    public RowsAppend()
    {
        _connection = new SqliteConnection($"Data Source={Path.Combine(_folder.FullName, "rows.db")};Pooling=False");
        _connection.Open();
        using var command = _connection.CreateCommand();
        command.CommandText = "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL;"
            + "CREATE TABLE revoked (jti TEXT PRIMARY KEY, expires INTEGER) WITHOUT ROWID";
        command.ExecuteNonQuery();
    }

    public override string Name => "a commit a call, SQLite";

    public override async ValueTask AppendAsync(string[] ids)
    {
        await _turn.WaitAsync();
        try
        {
            Insert(ids);
        }
        finally
        {
            _turn.Release();
        }
    }

    public override async ValueTask DisposeAsync()
    {
        await _connection.DisposeAsync();
        _turn.Dispose();
        _folder.Delete(recursive: true);
    }

    private void Insert(string[] ids)
    {
        using var transaction = _connection.BeginTransaction();
        using var command = _connection.CreateCommand();
        command.CommandText = "INSERT INTO revoked VALUES (@jti, @expires)";
        var jti = command.Parameters.Add("@jti", SqliteType.Text);
        command.Parameters.AddWithValue("@expires", DateTimeOffset.UtcNow.AddDays(7).ToUnixTimeSeconds());
        foreach (var id in ids)
        {
            jti.Value = id;
            command.ExecuteNonQuery();
        }
        transaction.Commit();
    }
}
