using Rescind.Conformance;

namespace Rescind.Tests;

/// <summary>The log in a file keeps the contract.</summary>
public sealed class SqliteConformanceTests
{
    public static TheoryData<string> Facts => [.. RevocationLogConformance.Facts];

    [Theory]
    [MemberData(nameof(Facts))]
    public async Task The_log_in_SQLite_keeps_the_contract(string fact)
    {
        using var folder = new TestFolder();
        await new SqliteConformance(folder.PathOf("rescind.db")).RunAsync(fact);
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
