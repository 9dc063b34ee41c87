using Rescind.Benchmarks;
using Rescind.Benchmarks.Pipeline;

// One word for each benchmark. Each prints a table and the ratios that count; nothing here asserts an absolute time.
return args switch
{
    ["check", .. var sizes] => await CheckRace.RunAsync([.. sizes.Select(long.Parse)]),
    ["pieces"] => Pieces.Run(),
    ["pipeline", var algorithm] => await PipelineBenchmark.RunAsync(algorithm),
    ["pipeline-server", var variant, var folder, var redis] =>
        await PipelineServer.RunAsync(variant, folder, redis),
    _ => Usage(),
};

static int Usage()
{
    Console.Error.WriteLine(
        """
        dotnet run --project benchmarks/Rescind.Benchmarks -c Release -- <what>

        check 1000 1000000 10000000   a check against what people use instead, at these numbers of live revocations
        pieces                        what each step of a check costs (BenchmarkDotNet)
        pipeline HS256|RS256|ES256    an endpoint behind JwtBearer in seven ways (Debian's wrk and redis-server)
        """);
    return 2;
}
