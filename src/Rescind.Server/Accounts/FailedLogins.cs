// Counts failed log-ins. Identity's rule (so many failures, locked for so long) is applied to e-mail *and*
// address together: a stranger who guesses locks only himself out, never the owner. Across addresses an
// account only gets slower. Unknown e-mails are counted alike, so the answers do not tell which exist. Limit:
// so many entries; past it the oldest are forgotten, which lets the guesser of many accounts go on a little.
// Time is the monotonic one: a lock made while the wall clock was wrong is as long as any other.
using System.Net;
using Microsoft.AspNetCore.Identity;
using Microsoft.Extensions.Options;
using Rescind.Server.Limits;

namespace Rescind.Server.Accounts;

internal sealed class FailedLogins(
    IOptions<LockoutOptions> options, TimeProvider clock, ILogger<FailedLogins> logger)
{
    public const int MostEntries = 100_000;
    private const int FreeAcrossAddresses = 10;
    private const string AnyAddress = "*";
    private static readonly TimeSpan FirstDelay = TimeSpan.FromMilliseconds(100);
    private static readonly TimeSpan LongestDelay = TimeSpan.FromSeconds(5);

    private readonly Lock _lock = new();
    private readonly Dictionary<(string Email, string Address), Tally> _tallies = [];

    /// <param name="Count">How many failures.</param>
    /// <param name="Last">The timestamp of the last one.</param>
    private sealed record Tally(int Count, long Last);

    /// <summary>How many entries there are.</summary>
    public int Count
    {
        get
        {
            lock (_lock)
            {
                return _tallies.Count;
            }
        }
    }

    /// <summary>How long this address must wait before it may try this e-mail again; null: it may
    /// now.</summary>
    public TimeSpan? LockedFor(string email, IPAddress? address)
    {
        lock (_lock)
        {
            var tally = Live_NeedsLock((email, CallerAddress.Of(address)));
            return tally is not null && tally.Count >= options.Value.MaxFailedAccessAttempts
                ? LeftOf(tally)
                : null;
        }
    }

    /// <summary>How much slower this e-mail has become by failures from everywhere.</summary>
    public TimeSpan DelayFor(string email)
    {
        lock (_lock)
        {
            var over = (Live_NeedsLock((email, AnyAddress))?.Count ?? 0) - FreeAcrossAddresses;
            return over <= 0
                ? TimeSpan.Zero
                : TimeSpan.FromTicks(Math.Min(FirstDelay.Ticks << Math.Min(over, 10), LongestDelay.Ticks));
        }
    }

    /// <summary>Counts a failure.</summary>
    /// <returns>Whether it locked this address out.</returns>
    public bool Failed(string email, IPAddress? address)
    {
        lock (_lock)
        {
            Add_NeedsLock((email, AnyAddress));
            var count = Add_NeedsLock((email, CallerAddress.Of(address)));
            if (count != options.Value.MaxFailedAccessAttempts)
            {
                return false;
            }
            Log.LockedOut(logger, count);
            return true;
        }
    }

    /// <summary>A good log-in clears the failures from its own address; those from elsewhere are not its
    /// own.</summary>
    public void Succeeded(string email, IPAddress? address)
    {
        lock (_lock)
        {
            _tallies.Remove((email, CallerAddress.Of(address)));
        }
    }

    private Tally? Live_NeedsLock((string, string) key) =>
        _tallies.TryGetValue(key, out var tally) && LeftOf(tally) > TimeSpan.Zero ? tally : null;

    private TimeSpan LeftOf(Tally tally) =>
        options.Value.DefaultLockoutTimeSpan - clock.GetElapsedTime(tally.Last);

    private int Add_NeedsLock((string, string) key)
    {
        var before = Live_NeedsLock(key);
        if (before is null && _tallies.Count >= MostEntries)
        {
            MakeRoom_NeedsLock();
        }
        var count = (before?.Count ?? 0) + 1;
        _tallies[key] = new Tally(count, clock.GetTimestamp());
        return count;
    }

    private void MakeRoom_NeedsLock()
    {
        var oldest = _tallies.OrderBy(entry => entry.Value.Last)
            .TakeWhile((entry, index) => LeftOf(entry.Value) <= TimeSpan.Zero || index < MostEntries / 10)
            .Select(entry => entry.Key)
            .ToList();
        oldest.ForEach(key => _tallies.Remove(key));
    }
}
