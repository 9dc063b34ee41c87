using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Diagnostics.HealthChecks;
using Microsoft.Extensions.Logging;
using Rescind.AspNetCore;

namespace Rescind.Tests.AspNetCore;

/// <summary>The health check says what an operator should do, and says each change once.</summary>
public sealed class HealthTests
{
    private readonly TestTokens _tokens = new();

    [Fact]
    public async Task In_memory_is_degraded_and_says_that_revocations_are_lost()
    {
        await using var app = await TestApp.StartAsync(_tokens);
        var entry = await AskAsync(app);
        Assert.Equal(HealthStatus.Degraded, entry.Status);
        Assert.Contains("lost at a restart", entry.Description, StringComparison.Ordinal);
        Assert.Contains("UseSqlite", entry.Description, StringComparison.Ordinal);
    }

    [Fact]
    public async Task With_a_store_it_is_healthy_until_the_log_goes_away()
    {
        var log = new SilentLog { Status = new LogStatus { Store = "silent", JournalLoaded = false } };
        var lines = new LogLines();
        await using var app = await TestApp.StartAsync(services =>
        {
            services.AddAuthentication("Bearer").AddJwtBearer(_tokens.Accept);
            services.AddTokenBlacklist(options => options.Freshness = TimeSpan.FromSeconds(2));
            services.AddSingleton<IRevocationLog>(log);
            services.AddLogging(logging => logging.AddProvider(lines));
        });
        Assert.Equal(HealthStatus.Healthy, (await AskAsync(app)).Status);
        Assert.Equal(HealthStatus.Healthy, (await AskAsync(app)).Status);

        log.Reads = SilentLog.Mood.Failing;
        using var giveUp = new CancellationTokenSource(TimeSpan.FromSeconds(20));
        var entry = await AskAsync(app);
        while (entry.Status == HealthStatus.Healthy)
        {
            giveUp.Token.ThrowIfCancellationRequested();
            entry = await AskAsync(app);
        }
        Assert.Equal(HealthStatus.Degraded, entry.Status);
        Assert.Contains("The log is away", entry.Description, StringComparison.Ordinal);
        Assert.Equal(
            ["Token blacklist service initialized successfully, 1 guarded bearer scheme(s)"], lines.Of(2100));
        Assert.Equal(["Blacklist service health check passed"], lines.Of(2101));
        Assert.NotEmpty(lines.Of(2102));
    }

    [Fact]
    public async Task Before_the_log_is_read_it_is_unhealthy()
    {
        await using var services = new ServiceCollection().AddLogging().BuildServiceProvider();
        var health = new BlacklistHealth(
            new Blacklist(log: new SilentLog()), services.GetRequiredService<ILogger<BlacklistHealth>>());
        var result = await health.CheckHealthAsync(new HealthCheckContext());
        Assert.Equal(HealthStatus.Unhealthy, result.Status);
        Assert.Contains("has not been read yet", result.Description, StringComparison.Ordinal);
    }

    private static async Task<HealthReportEntry> AskAsync(TestApp app) =>
        (await app.Services.GetRequiredService<HealthCheckService>().CheckHealthAsync())
            .Entries["token-blacklist"];
}
