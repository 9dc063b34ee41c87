namespace Rescind.Tests.Redis;

/// <summary>A node in this process, with connections of its own, on whatever runs under an address.</summary>
internal sealed class RedisNode : IAsyncDisposable
{
    private readonly RedisStore _redis;
    private readonly SqliteStore? _file;
    private CancellationTokenSource _stop = new();
    private Task _loop;

    private RedisNode(RedisStore redis, SqliteStore? file, BlacklistOptions options)
    {
        (_redis, _file) = (redis, file);
        Blacklist = new Blacklist(options, file?.Log ?? redis.Log);
        _loop = Blacklist.RunAsync(_stop.Token);
    }

    public Blacklist Blacklist { get; }

    public RedisStore Redis => _redis;

    public bool IsFresh => Blacklist.GetStatus().Fresh;

    /// <summary>Starts a node; with a file it keeps a journal.</summary>
    public static RedisNode Start(
        string address, BlacklistOptions? options = null, string? file = null, RedisOptions? redis = null)
    {
        options ??= new BlacklistOptions();
        var store = RedisStore.Open(address, options, redis);
        return new RedisNode(store, file is null ? null : SqliteStore.KeepLocally(file, store.Log, options), options);
    }

    public Task UntilFreshAsync() => Eventually.TrueAsync(() => IsFresh, "the node is fresh");

    /// <summary>Waits until this writer's receipts count so many nodes.</summary>
    public Task UntilCountsAsync(int nodes) => Blacklist.UntilCountsAsync(nodes);

    public async Task<Receipt> RevokeAsync(string id) =>
        await Blacklist.RevokeAsync(Revocation.OfToken(TestWorld.Issuer, id));

    public ValueTask<Verdict> CheckAsync(string id) => Blacklist.CheckAsync(Token(id));

    /// <summary>Answers from memory only.</summary>
    public Verdict Check(string id) => Blacklist.Check(Token(id));

    public static TokenFacts Token(string id) => new()
    {
        Issuer = TestWorld.Issuer, TokenId = id, Subject = "user", IssuedAt = DateTimeOffset.UtcNow,
        ExpiresAt = DateTimeOffset.UtcNow.AddMinutes(30),
    };

    /// <summary>Stops following without a word to anybody, as a crash does; checks go on.</summary>
    public async Task SilenceAsync()
    {
        await _stop.CancelAsync();
        await _loop;
    }

    /// <summary>Follows again after <see cref="SilenceAsync"/>.</summary>
    public Task GoOnAsync()
    {
        _stop.Dispose();
        _stop = new CancellationTokenSource();
        _loop = Blacklist.RunAsync(_stop.Token);
        return UntilFreshAsync();
    }

    public async ValueTask DisposeAsync()
    {
        await SilenceAsync();
        await (_file?.DisposeAsync() ?? ValueTask.CompletedTask);
        await _redis.DisposeAsync();
        _stop.Dispose();
    }
}

/// <summary>Waits that begin before there is a connection, which a machine that does much else takes its time for.</summary>
internal static class RedisWaits
{
    /// <summary>Waits until this writer's receipts count so many nodes: it counts nobody before it has seen the epoch closed
    /// for as long as a lease lasts.</summary>
    public static Task UntilCountsAsync(this Blacklist writer, int nodes) => Eventually.TrueAsync(
        async () =>
        {
            try
            {
                var receipt = await writer.RevokeAsync(Revocation.OfToken(TestWorld.Issuer, $"warm-up-{Guid.NewGuid()}"));
                return (receipt.NodesConfirmed, receipt.NodesExpected) == (nodes, nodes)
                    && receipt.State != ReceiptState.Journaled;
            }
            catch (IOException)
            {
                return false; // not connected yet
            }
        },
        $"the writer counts {nodes} nodes");

    public static Task UntilReachedAsync(this RedisStore store) => Eventually.TrueAsync(
        async () =>
        {
            try
            {
                return await store.InspectAsync(TestContext.Current.CancellationToken) is not null;
            }
            catch (IOException)
            {
                return false; // not connected yet
            }
        },
        "Redis is reached");
}
