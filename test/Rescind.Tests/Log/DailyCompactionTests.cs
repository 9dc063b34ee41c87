namespace Rescind.Tests;

/// <summary>What nobody asks for is done all the same: else whatever has expired would stay for ever.</summary>
public sealed class DailyCompactionTests
{
    [Fact]
    public async Task A_blacklist_that_runs_compacts_its_log_within_an_hour_and_daily()
    {
        var world = await TestWorld.LoadedAsync();
        var compactions = new List<DateTimeOffset>();
        world.Log.Compacting = () => compactions.Add(world.Now);
        using var over = new CancellationTokenSource();
        var begun = world.Now;
        var running = world.Blacklist.RunAsync(over.Token);
        await world.Clock.UntilAsync(() => compactions.Count == 1, TimeSpan.FromMinutes(1));
        Assert.InRange(compactions[0] - begun, TimeSpan.FromMinutes(10), TimeSpan.FromMinutes(80));
        world.Log.Fault = new IOException("away");
        await world.Clock.UntilAsync(() => world.Lines.Of(1301).Count == 1, TimeSpan.FromMinutes(5));
        world.Log.Fault = null;
        await world.Clock.UntilAsync(() => compactions.Count == 2, TimeSpan.FromMinutes(5));
        Assert.InRange(compactions[1] - compactions[0], TimeSpan.FromHours(47), TimeSpan.FromHours(52));
        await over.CancelAsync();
        await running;
    }
}
