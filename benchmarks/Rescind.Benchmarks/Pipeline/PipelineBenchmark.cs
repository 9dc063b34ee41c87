using System.Diagnostics;
using System.Globalization;
using System.Net;
using System.Net.Http.Headers;
using System.Net.Sockets;

namespace Rescind.Benchmarks.Pipeline;

/// <summary>
/// One endpoint behind JwtBearer in seven ways, each in a process of its own, all alive at once, loaded one
/// after the other by wrk: A B C … C B A …, so that what disturbs the machine disturbs all alike, and what a
/// neighbour leaves behind is not always left to the same one. Prints a table in markdown: medians over the
/// rounds, and the median and quartiles of the ratios to JwtBearer alone within a round.
/// </summary>
internal static class PipelineBenchmark
{
    private const int Tokens = 1_000;
    private const int Rounds = 20;
    private const int SecondsOfARound = 1;

    public static async Task<int> RunAsync(string algorithm)
    {
        var folder = Directory.CreateTempSubdirectory("rescind-pipeline-").FullName;
        var started = new List<Process>();
        try
        {
            SigningWorld.MakeKey(folder, algorithm);
            var script = WriteScript(folder);
            var redis = await StartRedisAsync(folder, started);
            var servers = PipelineServer.Variants
                .Select(variant => new Loaded(variant.Words, StartServer(variant.Name, folder, redis, started)))
                .ToList();
            for (var round = -1; round < Rounds; round++)
            {
                foreach (var server in round % 2 == 0 ? servers : Enumerable.Reverse(servers))
                {
                    // The first time is for the compiler and the caches.
                    await server.LoadAsync(script, round < 0 ? 3 : SecondsOfARound, counts: round >= 0);
                }
            }
            await CheckRefusalAsync(servers);
            Print(algorithm, servers);
            return 0;
        }
        finally
        {
            foreach (var process in started)
            {
                process.Kill();
                await process.WaitForExitAsync();
            }
            Directory.Delete(folder, recursive: true);
        }
    }

    private static string WriteScript(string folder)
    {
        var key = SigningWorld.ReadKey(folder);
        File.WriteAllLines(
            Path.Combine(folder, "tokens"),
            Enumerable.Range(0, Tokens).Select(user => SigningWorld.MakeToken(key, user)));
        var script = Path.Combine(folder, "load.lua");
        File.WriteAllText(script, $$"""
            local requests, next = {}, 0
            init = function(args)
              for token in io.lines("{{folder}}/tokens") do
                requests[#requests + 1] = wrk.format("GET", "/me", { ["Authorization"] = "Bearer " .. token })
              end
            end
            request = function()
              next = next % #requests + 1
              return requests[next]
            end
            done = function(summary, latency)
              io.write(string.format("RESULT %d %d %d %d\n", summary.requests, summary.duration,
                latency:percentile(99), summary.errors.status))
            end
            """);
        return script;
    }

    private static async Task<string> StartRedisAsync(string folder, List<Process> started)
    {
        using var probe = new TcpListener(IPAddress.Loopback, 0);
        probe.Start();
        var port = ((IPEndPoint)probe.LocalEndpoint).Port;
        probe.Stop();
        started.Add(Process.Start(new ProcessStartInfo(
            "redis-server", ["--port", $"{port}", "--save", "", "--dir", folder])
        {
            RedirectStandardOutput = true, UseShellExecute = false,
        })!);
        await Task.Delay(TimeSpan.FromSeconds(1));
        return $"127.0.0.1:{port}";
    }

    private static Uri StartServer(string variant, string folder, string redis, List<Process> started)
    {
        var process = Process.Start(new ProcessStartInfo(
            Environment.ProcessPath!, ["pipeline-server", variant, folder, redis])
        {
            // As web projects are published; this project measures other things without it.
            Environment = { ["DOTNET_gcServer"] = "1" },
            RedirectStandardOutput = true, RedirectStandardInput = true, UseShellExecute = false,
        })!;
        started.Add(process);
        var address = process.StandardOutput.ReadLine()
            ?? throw new InvalidOperationException($"The server {variant} did not start.");
        return new Uri(address);
    }

    /// <summary>A server that lets everybody in would win every race.</summary>
    private static async Task CheckRefusalAsync(List<Loaded> servers)
    {
        foreach (var server in servers.Skip(1))
        {
            using var client = new HttpClient { BaseAddress = server.Address };
            client.DefaultRequestHeaders.Authorization = new AuthenticationHeaderValue("Bearer", "forged");
            using var answer = await client.GetAsync(new Uri("/me", UriKind.Relative));
            if (answer.StatusCode != HttpStatusCode.Unauthorized)
            {
                throw new InvalidOperationException($"{server.Words} answers {answer.StatusCode}.");
            }
        }
    }

    private static void Print(string algorithm, List<Loaded> servers)
    {
        var plain = servers[1];
        Console.WriteLine(
            $"{algorithm}, {Tokens} tokens, {Rounds} rounds of {SecondsOfARound} s, "
            + $"{Environment.ProcessorCount} cores, .NET {Environment.Version}\n");
        Console.WriteLine("| the endpoint | requests a second | against JwtBearer alone (half of the rounds) | "
            + "CPU a request, µs | allocated a request, B | p99, ms |");
        Console.WriteLine("|---|---|---|---|---|---|");
        foreach (var server in servers)
        {
            var rounds = server.Rates.Zip(plain.Rates, (one, other) => one / other).Order().ToList();
            Console.WriteLine(string.Create(
                CultureInfo.InvariantCulture,
                $"| {server.Words} | {Median(server.Rates):N0} | "
                + $"{Median(rounds):F2} ({rounds[Rounds / 4]:F2} to {rounds[Rounds * 3 / 4]:F2}) | "
                + $"{Median(server.Cpu):F1} | {Median(server.Bytes):N0} | {Median(server.P99):F2} |"));
        }
    }

    private static double Median(List<double> values)
    {
        var sorted = values.Order().ToList();
        return sorted[sorted.Count / 2];
    }

    /// <summary>A server and what was measured of it, a value a round.</summary>
    private sealed record Loaded(string Words, Uri Address)
    {
        public List<double> Rates { get; } = [];

        public List<double> Cpu { get; } = [];

        public List<double> Bytes { get; } = [];

        public List<double> P99 { get; } = [];

        public async Task LoadAsync(string script, int seconds, bool counts)
        {
            var before = await SpentAsync();
            using var wrk = Process.Start(new ProcessStartInfo(
                "wrk", ["-t1", "-c64", $"-d{seconds}s", "-s", script, Address.ToString()])
            {
                RedirectStandardOutput = true, UseShellExecute = false,
            })!;
            var output = await wrk.StandardOutput.ReadToEndAsync();
            await wrk.WaitForExitAsync();
            var after = await SpentAsync();
            var result = output.Split("RESULT ")[1].Split(' ', '\n').Take(4)
                .Select(word => double.Parse(word, CultureInfo.InvariantCulture)).ToList();
            if (result[3] > 0)
            {
                throw new InvalidOperationException($"{Words}: {result[3]} requests were refused.\n{output}");
            }
            if (counts)
            {
                Rates.Add(result[0] / (result[1] / 1e6));
                P99.Add(result[2] / 1e3);
                Cpu.Add((after.Cpu - before.Cpu) / result[0]);
                Bytes.Add((after.Bytes - before.Bytes) / result[0]);
            }
        }

        private async Task<(double Cpu, double Bytes)> SpentAsync()
        {
            using var client = new HttpClient { BaseAddress = Address };
            var words = (await client.GetStringAsync(new Uri("/spent", UriKind.Relative))).Split(' ');
            return (double.Parse(words[0], CultureInfo.InvariantCulture),
                double.Parse(words[1], CultureInfo.InvariantCulture));
        }
    }
}
