using System.Globalization;
using Rescind.Benchmarks;
using Rescind.Benchmarks.Append;
using Rescind.Benchmarks.Faults;
using Rescind.Benchmarks.Gate;
using Rescind.Benchmarks.Pipeline;
using Rescind.Benchmarks.Spread;
using Rescind.Benchmarks.Start;

// One word for each benchmark. Each prints a table and the ratios that count; nothing here asserts an absolute time.
return args switch
{
    ["check", .. var sizes] => await CheckAsync(sizes),
    ["probe", .. var sizes] => ProbeBenchmark.Run(sizes.Select(long.Parse)),
    ["expiry", .. var sizes] => ExpiryBenchmark.Run(sizes.Select(long.Parse)),
    ["pieces"] => Pieces.Run(),
    ["pipeline", var algorithm] => await PipelineBenchmark.RunAsync(algorithm),
    ["pipeline-server", var variant, var folder, var redis] =>
        await PipelineServer.RunAsync(variant, folder, redis),
    ["append", .. var already] => await AppendAsync(already),
    ["spread", .. var revocations] => await SpreadAsync(NumberIn(revocations, 300)),
    ["start", .. var sizes] => await StartBenchmark.RunAsync(
        sizes.Length == 0 ? [1_000_000] : [.. sizes.Select(size => int.Parse(size, CultureInfo.InvariantCulture))]),
    ["faults", .. var seconds] => await FaultsBenchmark.RunAsync(TimeSpan.FromSeconds(NumberIn(seconds, 6))),
    ["collection", .. var size] => CollectionBenchmark.Run(NumberIn(size, 10_000_000)),
    ["gate", var file] => await RegressionGate.RunAsync(file),
    ["short"] => await ShortRun.RunAsync(),
    _ => Usage(),
};

static int NumberIn(string[] words, int otherwise) =>
    words.Length == 0 ? otherwise : int.Parse(words[0], CultureInfo.InvariantCulture);

// A last word that ends in .svg is where to plot.
static (List<string> Plots, List<string> Others) Parted(string[] words)
{
    var plots = words.Where(word => word.EndsWith(".svg", StringComparison.Ordinal)).ToList();
    return (plots, words.Except(plots).ToList());
}

static async Task<int> CheckAsync(string[] words)
{
    var (plots, others) = Parted(words);
    var sizes = others.ConvertAll(long.Parse);
    var rows = await CheckRace.RunAsync(sizes.Count == 0 ? [1_000, 1_000_000] : sizes);
    foreach (var path in plots)
    {
        var plot = new Plot("A check of a good token", "live revocations", "nanoseconds");
        foreach (var way in rows.GroupBy(row => row.Way).Where(way => way.Count() > 1))
        {
            plot.Add(
                way.Key, way.Select(row => ((double)row.Size, row.Miss)),
                isOurs: way.Key is "Rescind" or ProbeWay.Words);
        }
        plot.Write(path);
    }
    return 0;
}

static async Task<int> SpreadAsync(int revocations)
{
    await SpreadBenchmark.RunAsync(revocations);
    return 0;
}

static async Task<int> AppendAsync(string[] words)
{
    var (plots, already) = Parted(words);
    var rates = await AppendBenchmark.RunAsync(rounds: 3, TimeSpan.FromSeconds(0.7), NumberIn([.. already], 0));
    foreach (var path in plots)
    {
        var plot = new Plot("Revocations stored a second, one a call", "callers", "a second");
        foreach (var way in rates.Where(rate => rate.Key.Batch == 1).GroupBy(rate => rate.Key.Way))
        {
            plot.Add(
                way.Key, way.Select(rate => ((double)rate.Key.Callers, rate.Value)),
                isOurs: way.Key.StartsWith("Rescind", StringComparison.Ordinal));
        }
        plot.Write(path);
    }
    return 0;
}

static int Usage()
{
    Console.Error.WriteLine(
        """
        dotnet run --project benchmarks/Rescind.Benchmarks -c Release -- <what>

        check 1000 1000000 10000000   a check against what people use instead, at these numbers of live revocations
        probe 1000000 [10000000 ...]  the look-up alone against one random memory access
        expiry 1000000 [10000000 ...] to forget what has expired beside ever more that lives
        pieces                        what each step of a check costs (BenchmarkDotNet)
        pipeline HS256|RS256|ES256    an endpoint behind JwtBearer in seven ways (Debian's wrk and redis-server)
        append [already]              revocations stored a second, Redis and SQLite, beside this many live ones
        spread [revocations]          from "revoke" to "refused elsewhere", in fleets of 1, 3 and 10 nodes
        start 1000000 [10000000 ...]  until a node knows all, from Redis and from its replica; bytes each; half expired
        faults [seconds a phase]      the check while Redis is killed, frozen, slow, compacted, and the index rebuilt
        collection [size]             a blocking collection beside this many live revocations
        gate <file of ratios>         compares with what was committed, fails beyond the noise stated there
        short                         every benchmark once and tiny, to see that they run; its times mean nothing
        """);
    return 2;
}
