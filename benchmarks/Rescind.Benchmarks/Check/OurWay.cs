namespace Rescind.Benchmarks;

/// <summary>The whole check of this library, as the guard calls it: on a shared log, so that it reads the clocks, with
/// a session, and counted.</summary>
internal sealed class OurWay : Contender, IDisposable
{
    internal const string Issuer = "https://issuer.example.com";
    private readonly SharedMemoryLog _log = new();
    private readonly CancellationTokenSource _stop = new();
    private readonly Task _feed;
    private readonly TokenFacts _token;
    private readonly int _cutoffs;

    public OurWay(int cutoffs = 0)
    {
        _cutoffs = cutoffs;
        Blacklist = new Blacklist(log: _log);
        Blacklist.LoadAsync().AsTask().Wait();
        _feed = Blacklist.RunAsync(_stop.Token);
        var now = DateTimeOffset.UtcNow;
        _token = new TokenFacts
        {
            Issuer = Issuer, Subject = "user-1", Session = "session-1", Client = "app", KeyId = "key-1",
            IssuedAt = now, AuthenticatedAt = now, ExpiresAt = now.AddMinutes(30),
        };
    }

    public Blacklist Blacklist { get; }

    public override string Name => _cutoffs == 0 ? "Rescind" : $"Rescind, beside {_cutoffs:n0} revoked users";

    public override long NativeBytes => Blacklist.GetStatus().IndexBytes;

    public override void Fill(long count)
    {
        var expiry = DateTimeOffset.UtcNow.AddDays(1);
        var batch = new LogEntry[1000];
        for (var i = 0L; i < count; i += batch.Length)
        {
            var filled = (int)Math.Min(batch.Length, count - i);
            for (var j = 0; j < filled; j++)
            {
                var key = TokenKey.Of(RuleKind.Token, Issuer, Jtis.Text(i + j));
                batch[j] = new LogEntry { Id = new RevocationId(RuleKind.Token, key, 1), ExpiresAt = expiry };
            }
            Blacklist.Index.Apply(batch.AsSpan(0, filled));
        }
        FillCutoffs();
    }

    private void FillCutoffs()
    {
        var batch = new LogEntry[_cutoffs];
        for (var i = 0; i < _cutoffs; i++)
        {
            batch[i] = new LogEntry
            {
                Id = new RevocationId(RuleKind.Subject, TokenKey.Of(RuleKind.Subject, Issuer, $"other-{i}"), 1),
                Issuer = Issuer, Value = $"other-{i}", Cutoff = 1, Expiry = LogEntry.Never,
            };
        }
        Blacklist.Index.Apply(batch);
    }

    public override bool IsRevoked(string id)
    {
        var check = Blacklist.CheckAsync(TokenOf(id));
        return check.IsCompletedSuccessfully ? check.Result == Verdict.Revoked : throw new InvalidOperationException(
            "A check of a fresh node waited.");
    }

    public TokenFacts TokenOf(string id) => _token with { TokenId = id };

    public void Dispose()
    {
        _stop.Cancel();
        _feed.Wait();
        _stop.Dispose();
        GC.Collect();
        GC.WaitForPendingFinalizers();
    }
}

/// <summary>A log in memory that says it is shared, so that leases end and are renewed.</summary>
internal sealed class SharedMemoryLog : IRevocationLog
{
    private readonly MemoryLog _inner = new(TimeProvider.System);

    public bool IsShared => true;

    public ValueTask<LogPosition> AppendAsync(ReadOnlyMemory<LogEntry> batch, CancellationToken cancel) =>
        _inner.AppendAsync(batch, cancel);

    public ValueTask<LogBatch> ReadAsync(LogPosition after, int max, CancellationToken cancel) =>
        _inner.ReadAsync(after, max, cancel);

    public ValueTask WaitAsync(LogPosition after, CancellationToken cancel) => _inner.WaitAsync(after, cancel);

    public ValueTask<CompactionResult> CompactAsync(DateTimeOffset now, CancellationToken cancel) =>
        _inner.CompactAsync(now, cancel);
}
