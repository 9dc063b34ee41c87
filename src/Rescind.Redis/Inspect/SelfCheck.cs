using Microsoft.Extensions.Logging;

namespace Rescind.Redis;

/// <summary>Looks at the server as a careful operator would: with the first read, then every hour, and when
/// asked. What it finds is logged when it changes; what is unsafe stands in the status until it is
/// mended.</summary>
internal sealed class SelfCheck(IRedisLink link, TimeProvider clock, ILogger logger)
{
    private static readonly TimeSpan Every = TimeSpan.FromHours(1);

    private readonly Lock _gate = new();
    private IReadOnlyList<RedisFinding> _findings = [];
    private long? _begun;

    /// <summary>What may lose revocations, as of the last look.</summary>
    public IReadOnlyList<string> Warnings =>
        [.. Volatile.Read(ref _findings).Where(one => one.IsUnsafe).Select(one => one.Sentence)];

    /// <summary>Looks again if it is time to; callers go on at once.</summary>
    public void Begin()
    {
        lock (_gate)
        {
            if (_begun is { } before && clock.GetElapsedTime(before) < Every)
            {
                return;
            }
            _begun = clock.GetTimestamp();
        }
        _ = LookQuietlyAsync();
    }

    /// <exception cref="IOException">The server is away.</exception>
    public async Task<IReadOnlyList<RedisFinding>> LookAsync(CancellationToken cancel)
    {
        var report = await link.ReportAsync(cancel);
        var before = Interlocked.Exchange(ref _findings, report.Findings);
        foreach (var finding in report.Findings.Except(before))
        {
            if (finding.IsUnsafe)
            {
                Log.Unsafe(logger, finding.Sentence);
            }
            else
            {
                Log.Advice(logger, finding.Sentence);
            }
        }
        return report.Findings;
    }

    private async Task LookQuietlyAsync()
    {
        try
        {
            await LookAsync(CancellationToken.None);
        }
        catch (IOException)
        {
            // The link has said that the server is away; the next read looks again.
            lock (_gate)
            {
                _begun = null;
            }
        }
    }
}
