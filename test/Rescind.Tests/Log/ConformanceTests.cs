using Rescind.Conformance;

namespace Rescind.Tests;

/// <summary>Our logs keep the contract, and the suite notices a log that does not.</summary>
public sealed class ConformanceTests
{
    public static TheoryData<string> Facts => [.. RevocationLogConformance.Facts];

    [Theory]
    [MemberData(nameof(Facts))]
    public Task The_log_in_memory_keeps_the_contract(string fact) => new MemoryConformance().RunAsync(fact);

    [Theory]
    [MemberData(nameof(Facts))]
    public async Task The_log_in_SQLite_keeps_the_contract(string fact)
    {
        using var folder = new TestFolder();
        await new SqliteConformance(folder.PathOf("rescind.db")).RunAsync(fact);
    }

    [Theory]
    [MemberData(nameof(Facts))]
    public async Task A_log_with_a_copy_on_disk_keeps_the_contract(string fact)
    {
        using var folder = new TestFolder();
        await new JournaledConformance(folder.PathOf("rescind.db")).RunAsync(fact);
    }

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

    private sealed class JournaledConformance(string path) : RevocationLogConformance
    {
        private readonly MemoryLog _shared = new(TimeProvider.System);
        private SqliteStore? _store;

        protected override async ValueTask<IRevocationLog> OpenAsync()
        {
            var options = new BlacklistOptions { JournalAfter = TimeSpan.FromSeconds(10) };
            _store = SqliteStore.KeepLocally(path, _shared, options);

            // As every node does first: what the disk holds is read before the shared log.
            while (_store.Log.Status.JournalLoaded == false)
            {
                await _store.Log.ReadAsync(default, 100, default);
            }
            return _store.Log;
        }

        protected override async ValueTask<IRevocationLog?> ReopenAsync(IRevocationLog log)
        {
            await _store!.DisposeAsync();
            return await OpenAsync();
        }

        protected override ValueTask CloseAsync(IRevocationLog log) => _store!.DisposeAsync();
    }

    private sealed class SqliteConformance(string path) : RevocationLogConformance
    {
        private SqliteStore? _store;

        protected override ValueTask<IRevocationLog> OpenAsync()
        {
            _store = SqliteStore.Open(path);
            return new(_store.Log);
        }

        protected override async ValueTask<IRevocationLog?> ReopenAsync(IRevocationLog log)
        {
            await _store!.DisposeAsync();
            return await OpenAsync();
        }

        protected override ValueTask CloseAsync(IRevocationLog log) => _store!.DisposeAsync();
    }
}
