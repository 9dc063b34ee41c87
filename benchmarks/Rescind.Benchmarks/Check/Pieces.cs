using BenchmarkDotNet.Attributes;
using BenchmarkDotNet.Columns;
using BenchmarkDotNet.Configs;
using BenchmarkDotNet.Diagnosers;
using BenchmarkDotNet.Jobs;
using BenchmarkDotNet.Loggers;
using BenchmarkDotNet.Running;
using BenchmarkDotNet.Toolchains.InProcess.Emit;

namespace Rescind.Benchmarks;

/// <summary>What each step of a check costs, at a million live revocations.</summary>
public class Pieces : IDisposable
{
    private const string Issuer = "https://issuer.example.com";
    private readonly string[] _ids = Jtis.Some(1 << 12, 1_000_000, hit: false);
    private readonly CheckTally _tally = new();
    private readonly Lease _lease = new(Moment.Now(TimeProvider.System), TimeSpan.FromDays(1));
    private OurWay _ours = null!;
    private TokenFacts _token;
    private int _next;

    public static int Run()
    {
        var job = Job.ShortRun.WithToolchain(InProcessEmitToolchain.Instance);
        BenchmarkRunner.Run<Pieces>(ManualConfig.CreateEmpty()
            .AddJob(job)
            .AddLogger(ConsoleLogger.Default)
            .AddColumnProvider(DefaultColumnProviders.Instance)
            .AddDiagnoser(MemoryDiagnoser.Default));
        return 0;
    }

    [GlobalSetup]
    public void Fill()
    {
        _ours = new OurWay();
        _ours.Fill(1_000_000);
        _token = _ours.TokenOf(_ids[0]);
    }

    [GlobalCleanup]
    public void Dispose()
    {
        _ours.Dispose();
        GC.SuppressFinalize(this);
    }

    private string Id => _ids[_next++ & ((1 << 12) - 1)];

    [Benchmark(Baseline = true)]
    public Verdict WholeCheck() => _ours.Blacklist.Check(_ours.TokenOf(Id));

    [Benchmark]
    public UInt128 KeyOfToken() => TokenKey.Of(RuleKind.Token, Issuer, Id);

    [Benchmark]
    public bool IndexAlone() => _ours.Blacklist.Index.Matches(_token with { TokenId = Id });

    [Benchmark]
    public long Timestamp() => TimeProvider.System.GetTimestamp();

    [Benchmark]
    public DateTimeOffset WallTime() => TimeProvider.System.GetUtcNow();

    [Benchmark]
    public bool TwoClocks() => _lease.Covers(TimeProvider.System);

    [Benchmark]
    public void Count() => _tally.Count(_tally.Cell(), Verdict.Accepted);

    [Benchmark]
    public bool IsSampled() => _tally.IsSampled(_tally.Cell());
}
