using System.Diagnostics;
using System.Text.RegularExpressions;

namespace Rescind.EndToEnd;

/// <summary>The deployment guide's load test, and the machine's limit.</summary>
public sealed partial class ProfileLoadTests(ITestOutputHelper output)
{
    private const int Callers = 32;

    /// <summary>3 s in the ordinary run, 60 by <c>dotnet run build.cs soak load</c>.</summary>
    private static readonly TimeSpan Time = TimeSpan.FromSeconds(
        int.TryParse(Environment.GetEnvironmentVariable("RESCIND_SOAK_SECONDS"), out var seconds) ? seconds : 3);

    [Fact]
    public async Task The_guides_thousand_requests_and_the_machines_limit_without_an_error()
    {
        await using var server = await ServerProcess.StartedAsync();
        var app = new MobileApp(server.Client);
        var admin = await app.LogInAsync(ServerProcess.AdminEmail, ServerProcess.AdminPassword);

        var report = await BenchAsync("-n", "1000", "-c", "10", "-H", $"Authorization: Bearer {admin.Access}",
            $"http://127.0.0.1:{server.Port}/api/users/profile");
        Assert.Equal("1000", Complete().Match(report).Groups[1].Value);
        Assert.Equal("0", Failed().Match(report).Groups[1].Value);
        Assert.DoesNotContain("Non-2xx", report, StringComparison.Ordinal);

        var (begun, wrong, times) = (Stopwatch.GetTimestamp(), 0, new List<double>());
        await Task.WhenAll(Enumerable.Range(0, Callers).Select(async _ =>
        {
            var own = new List<double>();
            while (Stopwatch.GetElapsedTime(begun) < Time)
            {
                var sent = Stopwatch.GetTimestamp();
                var status = await app.ProfileAsync(admin.Access);
                own.Add(Stopwatch.GetElapsedTime(sent).TotalMilliseconds);
                Interlocked.Add(ref wrong, status == 200 ? 0 : 1);
            }
            lock (times)
            {
                times.AddRange(own);
            }
        }));
        times.Sort();
        var (_, metrics) = await app.SendAsync(HttpMethod.Get, "/api/auth/admin/blacklist-metrics", admin.Access);
        var check = metrics.GetProperty("blacklist_metrics");
        output.WriteLine($"ab -n 1000 -c 10: {Rate().Match(report).Groups[1].Value} requests a second. {Time.TotalSeconds:0} s, "
            + $"{Callers} callers: {times.Count} requests, {times.Count / Time.TotalSeconds:n0} a second, {wrong} wrong, p50 "
            + $"{times[times.Count / 2]:n1}, p99 {times[times.Count * 99 / 100]:n1} ms. The check: mean "
            + $"{check.GetProperty("average_check_time_ms")} ms, p99 {check.GetProperty("p99_check_time_ms")} ms");
        Assert.Equal(0, wrong);
        Assert.InRange(check.GetProperty("average_check_time_ms").GetDouble(), 0, 1);
    }

    private static async Task<string> BenchAsync(params string[] arguments)
    {
        using var bench = Process.Start(new ProcessStartInfo("ab", ["-q", .. arguments])
        {
            RedirectStandardOutput = true, RedirectStandardError = true, UseShellExecute = false,
        })!;
        var text = await bench.StandardOutput.ReadToEndAsync();
        await bench.WaitForExitAsync();
        Assert.Equal(0, bench.ExitCode);
        return text;
    }

    [GeneratedRegex(@"Complete requests:\s+(\d+)")]
    private static partial Regex Complete();

    [GeneratedRegex(@"Failed requests:\s+(\d+)")]
    private static partial Regex Failed();

    [GeneratedRegex(@"Requests per second:\s+([\d.]+)")]
    private static partial Regex Rate();
}
