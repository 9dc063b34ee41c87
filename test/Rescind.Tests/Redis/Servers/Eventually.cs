using System.Diagnostics;

namespace Rescind.Tests.Redis;

/// <summary>Waits for conditions of the real world.</summary>
internal static class Eventually
{
    public static readonly TimeSpan Patience = TimeSpan.FromSeconds(60);

    public static Task TrueAsync(Func<bool> condition, string what) =>
        TrueAsync(() => Task.FromResult(condition()), what);

    public static async Task TrueAsync(Func<Task<bool>> condition, string what)
    {
        var started = Stopwatch.GetTimestamp();
        while (!await condition())
        {
            Assert.True(Stopwatch.GetElapsedTime(started) < Patience, $"In vain waited until {what}.");
            await Task.Delay(5);
        }
    }

    /// <summary>A signal that stops a process is taken by one of its threads once that gets a processor; until then the
    /// others go on.</summary>
    public static Task StoppedAsync(int process) => TrueAsync(
        async () => (await File.ReadAllTextAsync($"/proc/{process}/stat")).Contains(") T ", StringComparison.Ordinal),
        "it stands still");
}
