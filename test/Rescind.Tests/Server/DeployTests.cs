using System.Diagnostics;
using System.Text.Json;
using System.Text.RegularExpressions;

namespace Rescind.Tests.Server;

/// <summary>What is handed to operators fits what the server really says.</summary>
public sealed partial class DeployTests
{
    private static readonly string Folder = Path.Combine(Repository.Root, "deploy");

    [Fact]
    public async Task Prometheus_takes_the_alert_rules()
    {
        using var promtool = Process.Start(
            new ProcessStartInfo("promtool", ["check", "rules", Path.Combine(Folder, "prometheus-rules.yaml")])
            {
                RedirectStandardOutput = true, RedirectStandardError = true, UseShellExecute = false,
            })!;
        var output = await promtool.StandardOutput.ReadToEndAsync() + await promtool.StandardError.ReadToEndAsync();
        await promtool.WaitForExitAsync();

        Assert.True(promtool.ExitCode == 0, output);
        Assert.Contains("7 rules found", output, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Every_metric_of_rules_and_dashboard_is_one_that_the_server_gives()
    {
        await using var server = await ServerUnderTest.StartAsync(("ENVIRONMENT", "Development"));
        var user = await server.RegisterAsync();
        (await server.PostAsync("/api/auth/logout", null, user.Access)).IsSuccess();
        var given = Metric().Matches((await server.GetAsync("/metrics")).Text).Select(match => match.Value).ToHashSet();
        var dashboard = await File.ReadAllTextAsync(Path.Combine(Folder, "grafana", "rescind.json"));
        Assert.Equal("Rescind", JsonElement.Parse(dashboard).GetProperty("title").GetString());
        var rules = await File.ReadAllTextAsync(Path.Combine(Folder, "prometheus-rules.yaml"));

        var named = Metric().Matches(dashboard + rules).Select(match => match.Value).Distinct().ToList();

        Assert.True(named.Count >= 15);
        Assert.Empty(named.Except(given));
    }

    [Fact]
    public async Task Every_alert_has_its_line_in_the_operators_page()
    {
        var rules = await File.ReadAllTextAsync(Path.Combine(Folder, "prometheus-rules.yaml"));
        var page = await File.ReadAllTextAsync(Path.Combine(Repository.Root, "docs", "operate.md"));

        foreach (Match alert in Alert().Matches(rules))
        {
            Assert.Contains($"| `{alert.Groups[1].Value}` |", page, StringComparison.Ordinal);
        }
    }

    [GeneratedRegex("(?<![a-z_])(rescind|http_server)_[a-z0-9_]+")]
    private static partial Regex Metric();

    [GeneratedRegex("alert: (Rescind[A-Za-z]+)")]
    private static partial Regex Alert();
}
