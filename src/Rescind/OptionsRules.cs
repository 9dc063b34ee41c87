namespace Rescind;

/// <summary>The ranges that <see cref="BlacklistOptions"/> states, in one place.</summary>
internal static class OptionsRules
{
    /// <summary>What is wrong, naming the option, or null.</summary>
    public static string? Fault(BlacklistOptions options) =>
        Outside(nameof(options.LongestTokenLifetime), options.LongestTokenLifetime,
            TimeSpan.FromMinutes(1), TimeSpan.FromDays(3653))
        ?? Outside(nameof(options.ClockSkew), options.ClockSkew, TimeSpan.Zero, TimeSpan.FromHours(1))
        ?? Outside(nameof(options.IssuerClockDifference), options.IssuerClockDifference,
            TimeSpan.FromMilliseconds(100), TimeSpan.FromMinutes(1))
        ?? Outside(nameof(options.Freshness), options.Freshness,
            TimeSpan.FromMilliseconds(50), TimeSpan.FromMinutes(1))
        ?? Outside(nameof(options.CatchUpTimeout), options.CatchUpTimeout,
            TimeSpan.Zero, TimeSpan.FromSeconds(5))
        ?? Outside(nameof(options.JournalAfter), options.JournalAfter,
            TimeSpan.Zero, TimeSpan.FromSeconds(10))
        ?? (options.WaitFor is ReceiptState.Stored or ReceiptState.Everywhere
            ? null
            : "WaitFor must be Stored or Everywhere.")
        ?? (options.LargestBatch is >= 1 and <= 100_000 ? null : "LargestBatch must be 1 to 100,000.")
        ?? (options.MostRevocations >= 1 ? null : "MostRevocations must be at least 1.");

    private static string? Outside(string name, TimeSpan value, TimeSpan least, TimeSpan most) =>
        value < least || value > most ? $"{name} must be {least} to {most}, but is {value}." : null;
}
