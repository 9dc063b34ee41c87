namespace Rescind.Benchmarks;

/// <summary>A node in this process with connections of its own, following the log as a server does.</summary>
internal sealed class FleetNode : IAsyncDisposable
{
    private readonly CancellationTokenSource _stop = new();
    private readonly SqliteStore? _file;
    private readonly Task _loop;

    /// <param name="address">Where Redis is.</param>
    /// <param name="prefix">Nodes of one fleet share it.</param>
    /// <param name="file">Where to keep a replica and a journal; null: nowhere.</param>
    public FleetNode(string address, string prefix = "rescind", string? file = null)
    {
        var options = new BlacklistOptions();
        Store = RedisStore.Open(address, options, new RedisOptions { Prefix = prefix });
        _file = file is null ? null : SqliteStore.KeepLocally(file, Store.Log, options);
        Blacklist = new Blacklist(options, _file?.Log ?? Store.Log);
        _loop = Blacklist.RunAsync(_stop.Token);
    }

    public Blacklist Blacklist { get; }

    public RedisStore Store { get; }

    public bool IsFresh => Blacklist.GetStatus().Fresh;

    public async Task UntilAsync(Func<BlacklistStatus, bool> isSo)
    {
        while (!isSo(Blacklist.GetStatus()))
        {
            await Task.Delay(5);
        }
    }

    public ValueTask<Receipt> RevokeAsync(string id) => Blacklist.RevokeAsync(Revocation.OfToken(OurWay.Issuer, id));

    /// <summary>A token that was issued now.</summary>
    public static TokenFacts Token(string id) => new()
    {
        Issuer = OurWay.Issuer, TokenId = id, Subject = "user-1", Session = "session-1", Client = "app",
        IssuedAt = DateTimeOffset.UtcNow, ExpiresAt = DateTimeOffset.UtcNow.AddMinutes(30),
    };

    public async ValueTask DisposeAsync()
    {
        await _stop.CancelAsync();
        await _loop;
        await (_file?.DisposeAsync() ?? ValueTask.CompletedTask);
        await Store.DisposeAsync();
        _stop.Dispose();
    }
}
