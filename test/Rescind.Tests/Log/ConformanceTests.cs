using Rescind.Conformance;

namespace Rescind.Tests;

/// <summary>The log in memory keeps the contract, and the suite notices a log that does not.</summary>
public sealed class ConformanceTests
{
    public static TheoryData<string> Facts => [.. RevocationLogConformance.Facts];

    [Theory]
    [MemberData(nameof(Facts))]
    public Task The_log_in_memory_keeps_the_contract(string fact) => new MemoryConformance().RunAsync(fact);

    public static TheoryData<string, string> Mistakes => new()
    {
        { nameof(Mistake.DropsTheNewest), "The newest entry is never dropped" },
        { nameof(Mistake.DropsTheLiving), "Compaction drops what has expired and keeps what lives" },
        { nameof(Mistake.AlwaysAtTail), "Only the last page is at the tail" },
        { nameof(Mistake.FindsEverything), "A position of another history is not found" },
        { nameof(Mistake.FindsTheFuture), "A position ahead of the log is not found" },
        { nameof(Mistake.LosesUnderLoad), "Concurrent appends are all kept, each once" },
        { nameof(Mistake.ShortensText), "The longest texts come back as they were" },
        { nameof(Mistake.ThrowsWhenCancelled), "A wait that is cancelled returns and does not throw" },
        { nameof(Mistake.SleepsThroughAppends), "A wait behind the tail ends at once" },
        { nameof(Mistake.ForgetsTheHorizon), "The horizon is the latest expiry that was dropped" },
        { nameof(Mistake.SkipsBesideAppenders), "A reader beside appenders skips nothing" },
        { nameof(Mistake.DropsLifts), "A lift is kept as long as its expiry says" },
    };

    [Theory]
    [MemberData(nameof(Mistakes))]
    public async Task The_suite_notices_a_log_that(string mistake, string fact)
    {
        Assert.Contains(fact, RevocationLogConformance.Facts);
        await Assert.ThrowsAsync<ContractException>(
            () => new MistakenConformance(Enum.Parse<Mistake>(mistake)).RunAsync(fact));
    }

    private sealed class MemoryConformance : RevocationLogConformance
    {
        protected override ValueTask<IRevocationLog> OpenAsync() => new(new MemoryLog(TimeProvider.System));
    }

    private sealed class MistakenConformance(Mistake mistake) : RevocationLogConformance
    {
        protected override ValueTask<IRevocationLog> OpenAsync() => new(new MistakenLog(mistake));
    }
}
