using Rescind.Conformance;

namespace Rescind.Tests;

/// <summary>A log with a copy on disk keeps the contract.</summary>
public sealed class JournalConformanceTests
{
    public static TheoryData<string> Facts => [.. RevocationLogConformance.Facts];

    [Theory]
    [MemberData(nameof(Facts))]
    public async Task A_log_with_a_copy_on_disk_keeps_the_contract(string fact)
    {
        using var folder = new TestFolder();
        await new JournaledConformance(folder.PathOf("rescind.db")).RunAsync(fact);
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
}
