using System.Diagnostics;
using Rescind.Redis;

namespace Rescind.Tests.Redis;

/// <summary>Counts that nodes share.</summary>
public sealed class RedisWindowsTests
{
    private static readonly TimeSpan Window = TimeSpan.FromSeconds(1);

    [Fact]
    public async Task A_window_slides_and_says_when_to_come_back()
    {
        await using var redis = await RedisServer.StartAsync();
        await using var windows = await OpenAsync(redis);
        var granted = await GrantedAsync(windows);

        // In three windows at most four pieces of a window's permits, and never fewer than two.
        Assert.InRange(granted, 20, 41);
        Assert.True(await TakeAsync(windows, "another", 1, permits: 0) == TimeSpan.Zero);
        var tries = 0;
        await Eventually.TrueAsync(
            // What was given up after 50 ms may have been counted; so each try is a caller of its own.
            async () => await TakeAsync(windows, $"once-{++tries}", 1, permits: 1) == TimeSpan.Zero, "the only permit is given");
        Assert.True(await TakeAsync(windows, $"once-{tries}", 1, permits: 0) > TimeSpan.Zero);
    }

    [Fact]
    public async Task Nobody_waits_for_a_Redis_that_is_frozen()
    {
        await using var redis = await RedisServer.StartAsync();
        await using var windows = await OpenAsync(redis);
        await redis.FreezeAsync();
        var waits = new List<TimeSpan>();

        for (var i = 0; i < 20; i++)
        {
            var begun = Stopwatch.GetTimestamp();
            await Assert.ThrowsAsync<IOException>(() => windows.CountAsync("failures", Window));
            waits.Add(Stopwatch.GetElapsedTime(begun));
        }

        // The first waits for its 50 ms, and those after it for nothing.
        waits.Sort();
        Assert.InRange(waits[10], TimeSpan.Zero, TimeSpan.FromMilliseconds(20));
        Assert.InRange(waits[^1], TimeSpan.Zero, TimeSpan.FromMilliseconds(500));
        await redis.ResumeAsync();
        await Eventually.TrueAsync(() => AnswersAsync(windows), "it counts again");
    }

    /// <summary>How often ten a window are granted in three windows. Begun anew where a call took longer than its 50 ms,
    /// because Redis is left alone then.</summary>
    private static async Task<int> GrantedAsync(RedisWindows windows)
    {
        for (var tries = 1; ; tries++)
        {
            try
            {
                var (granted, begun) = (0, Stopwatch.GetTimestamp());
                while (Stopwatch.GetElapsedTime(begun) < 3 * Window)
                {
                    var wait = await windows.TakeAsync($"caller-{tries}", 10, Window, permits: 1);
                    granted += wait == TimeSpan.Zero ? 1 : 0;
                    Assert.InRange(wait, TimeSpan.Zero, Window);
                    await Task.Delay(wait == TimeSpan.Zero ? TimeSpan.Zero : wait);
                }
                return granted;
            }
            catch (IOException) when (tries < 10)
            {
                await Eventually.TrueAsync(() => AnswersAsync(windows), "it counts again");
            }
        }
    }

    private static async Task<RedisWindows> OpenAsync(RedisServer redis)
    {
        var windows = RedisWindows.Open(redis.Url, TimeProvider.System);
        await Eventually.TrueAsync(() => AnswersAsync(windows), "it counts");
        return windows;
    }

    /// <summary>A call gives up after 50 ms, which a machine that is busy elsewhere may take.</summary>
    private static async Task<TimeSpan> TakeAsync(RedisWindows windows, string caller, int limit, int permits)
    {
        for (var tries = 1; ; tries++)
        {
            try
            {
                return await windows.TakeAsync(caller, limit, Window, permits);
            }
            catch (IOException) when (tries < 200)
            {
                await Task.Delay(20);
            }
        }
    }

    private static async Task<bool> AnswersAsync(RedisWindows windows)
    {
        try
        {
            await windows.CountAsync("warm-up", Window);
            return true;
        }
        catch (IOException)
        {
            // The first call connects, which takes longer than a count may.
            return false;
        }
    }
}
