namespace Rescind.Tests;

/// <summary>The stated ranges, to the last tick.</summary>
public sealed class OptionsRulesTests
{
    public static TheoryData<string, TimeSpan, TimeSpan> Ranges => new()
    {
        { nameof(BlacklistOptions.LongestTokenLifetime), TimeSpan.FromMinutes(1), TimeSpan.FromDays(3653) },
        { nameof(BlacklistOptions.ClockSkew), TimeSpan.Zero, TimeSpan.FromHours(1) },
        { nameof(BlacklistOptions.IssuerClockDifference), TimeSpan.FromMilliseconds(100), TimeSpan.FromMinutes(1) },
        { nameof(BlacklistOptions.Freshness), TimeSpan.FromMilliseconds(50), TimeSpan.FromMinutes(1) },
        { nameof(BlacklistOptions.CatchUpTimeout), TimeSpan.Zero, TimeSpan.FromSeconds(5) },
        { nameof(BlacklistOptions.JournalAfter), TimeSpan.Zero, TimeSpan.FromSeconds(10) },
    };

    [Theory]
    [MemberData(nameof(Ranges))]
    public void A_time_may_be_the_least_and_the_most_and_nothing_beyond(string name, TimeSpan least, TimeSpan most)
    {
        Assert.Null(FaultWith(name, least));
        Assert.Null(FaultWith(name, most));
        var tick = TimeSpan.FromTicks(1);
        Assert.Equal($"{name} must be {least} to {most}, but is {least - tick}.", FaultWith(name, least - tick));
        Assert.Equal($"{name} must be {least} to {most}, but is {most + tick}.", FaultWith(name, most + tick));
    }

    [Theory]
    [InlineData(0, false)]
    [InlineData(1, true)]
    [InlineData(100_000, true)]
    [InlineData(100_001, false)]
    public void A_batch_holds_one_to_100_000(int largest, bool isGood) => Assert.Equal(
        isGood ? null : "LargestBatch must be 1 to 100,000.", OptionsRules.Fault(new BlacklistOptions { LargestBatch = largest }));

    [Theory]
    [InlineData(0, false)]
    [InlineData(1, true)]
    public void At_least_one_revocation_may_live(int most, bool isGood) => Assert.Equal(
        isGood ? null : "MostRevocations must be at least 1.", OptionsRules.Fault(new BlacklistOptions { MostRevocations = most }));

    [Theory]
    [InlineData(ReceiptState.Journaled, false)]
    [InlineData(ReceiptState.Stored, true)]
    [InlineData(ReceiptState.Everywhere, true)]
    public void A_revocation_waits_for_stored_or_everywhere(ReceiptState state, bool isGood) => Assert.Equal(
        isGood ? null : "WaitFor must be Stored or Everywhere.", OptionsRules.Fault(new BlacklistOptions { WaitFor = state }));

    [Fact]
    public void Of_several_faults_the_first_in_the_order_of_the_options_is_named()
    {
        var options = new BlacklistOptions { WaitFor = ReceiptState.Journaled, LargestBatch = 0, MostRevocations = 0 };
        foreach (var (name, _, most) in Ranges.Select(range => range.Data))
        {
            Set(options, name, most + TimeSpan.FromDays(1));
        }
        foreach (var (name, least, _) in Ranges.Select(range => range.Data))
        {
            Assert.StartsWith(name + " ", OptionsRules.Fault(options), StringComparison.Ordinal);
            Set(options, name, least);
        }
        Assert.StartsWith("WaitFor ", OptionsRules.Fault(options), StringComparison.Ordinal);
        options.WaitFor = ReceiptState.Stored;
        Assert.StartsWith("LargestBatch ", OptionsRules.Fault(options), StringComparison.Ordinal);
        options.LargestBatch = 1;
        Assert.StartsWith("MostRevocations ", OptionsRules.Fault(options), StringComparison.Ordinal);
    }

    private static string? FaultWith(string name, TimeSpan value)
    {
        var options = new BlacklistOptions();
        Set(options, name, value);
        return OptionsRules.Fault(options);
    }

    private static void Set(BlacklistOptions options, string name, TimeSpan value) =>
        typeof(BlacklistOptions).GetProperty(name)!.SetValue(options, value);
}
