using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.DependencyInjection.Extensions;

namespace Rescind.Tests.Server;

/// <summary>A shared log that can be cut off, as by a network that fails.</summary>
internal sealed class CutOffLog : IRevocationLog
{
    private readonly MemoryLog _log = new(TimeProvider.System);
    private volatile bool _isCutOff;

    public bool IsShared => true;

    public void CutOff() => _isCutOff = true;

    public void PutInto(IServiceCollection services)
    {
        services.RemoveAll<IRevocationLog>();
        services.AddSingleton<IRevocationLog>(this);
    }

    public ValueTask<LogPosition> AppendAsync(ReadOnlyMemory<LogEntry> batch, CancellationToken cancel) =>
        _log.AppendAsync(Reachable(batch), cancel);

    public ValueTask<LogBatch> ReadAsync(LogPosition after, int max, CancellationToken cancel) =>
        _log.ReadAsync(Reachable(after), max, cancel);

    public ValueTask WaitAsync(LogPosition after, CancellationToken cancel) => _log.WaitAsync(after, cancel);

    public ValueTask<CompactionResult> CompactAsync(DateTimeOffset now, CancellationToken cancel) =>
        _log.CompactAsync(Reachable(now), cancel);

    private T Reachable<T>(T value) =>
        _isCutOff ? throw new IOException("The log cannot be reached.") : value;
}
