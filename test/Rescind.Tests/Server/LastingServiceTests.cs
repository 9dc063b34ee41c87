using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Time.Testing;
using Rescind.Server.Operations;
using Rescind.Tests.Redis;

namespace Rescind.Tests.Server;

/// <summary>Work beside the requests survives what it did not foresee.</summary>
public sealed class LastingServiceTests
{
    [Fact]
    public async Task Work_that_fails_is_logged_and_begins_again()
    {
        using var lines = new LogLines();
        var clock = new FakeTimeProvider();
        using var work = new Work(clock, lines.CreateLogger("work"));

        await work.StartAsync(CancellationToken.None);
        await Eventually.TrueAsync(
            () =>
            {
                clock.Advance(TimeSpan.FromSeconds(1));
                return work.Begun == 2;
            }, "the work begins again");

        Assert.Contains("[4604] Work failed unexpectedly", Assert.Single(lines.Lines), StringComparison.Ordinal);
        await work.StopAsync(CancellationToken.None);
    }

    private sealed class Work(TimeProvider clock, ILogger logger) : LastingService(clock, logger)
    {
        public int Begun { get; private set; }

        protected override Task RunAsync(CancellationToken cancel) => ++Begun == 1
            ? throw new FormatException("Nobody thought of this.")
            : Task.Delay(Timeout.Infinite, cancel);
    }
}
