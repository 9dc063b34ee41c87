namespace Rescind.AspNetCore;

/// <summary>The clock that the blacklist uses: the application's <see cref="TimeProvider"/>, else the
/// system's.</summary>
internal sealed class Clock(IEnumerable<TimeProvider> clocks)
{
    public DateTimeOffset Now => (clocks.LastOrDefault() ?? TimeProvider.System).GetUtcNow();
}
