using System.Collections.Immutable;

namespace Rescind.Conformance;

/// <summary>The tests that every <see cref="IRevocationLog"/> must pass, for any test framework: derive from
/// it, run each of <see cref="Facts"/>, and let <see cref="ContractException"/> fail the test.</summary>
/// <example>
/// <code>
/// public static TheoryData&lt;string&gt; Facts => [.. RevocationLogConformance.Facts];
/// [Theory, MemberData(nameof(Facts))]
/// public Task Keeps_the_contract(string fact) => new MyLogConformance().RunAsync(fact);
/// </code>
/// </example>
public abstract class RevocationLogConformance
{
    private static readonly ImmutableSortedDictionary<string, Func<LogBench, Task>> All =
        OrderFacts.All.Concat(ContentFacts.All).Concat(WaitFacts.All).Concat(CrowdFacts.All)
            .Concat(CompactionFacts.All).Concat(DurabilityFacts.All)
            .ToImmutableSortedDictionary(StringComparer.Ordinal);

    /// <summary>The names of the tests; each is a sentence of the contract.</summary>
    public static IReadOnlyList<string> Facts { get; } = [.. All.Keys];

    /// <summary>Opens a new, empty log.</summary>
    protected abstract ValueTask<IRevocationLog> OpenAsync();

    /// <summary>Closes a log as a process that ends would, and opens the same one again; null when the log
    /// does not outlive its process. Default: null.</summary>
    /// <param name="log">What <see cref="OpenAsync"/> returned.</param>
    protected virtual ValueTask<IRevocationLog?> ReopenAsync(IRevocationLog log) =>
        ValueTask.FromResult<IRevocationLog?>(null);

    /// <summary>Ends a log and removes what it kept. Default: disposes it.</summary>
    /// <param name="log">A log that a test is done with.</param>
    protected virtual async ValueTask CloseAsync(IRevocationLog log)
    {
        if (log is IAsyncDisposable disposable)
        {
            await disposable.DisposeAsync();
        }
    }

    /// <summary>Runs one test on a new log.</summary>
    /// <param name="fact">One of <see cref="Facts"/>.</param>
    /// <exception cref="ContractException">The log broke the contract.</exception>
    /// <exception cref="KeyNotFoundException">There is no such test.</exception>
    public async Task RunAsync(string fact)
    {
        var run = All[fact];
        var bench = new LogBench(await OpenAsync(), ReopenAsync);
        try
        {
            await run(bench);
        }
        finally
        {
            await CloseAsync(bench.Log);
        }
    }
}
