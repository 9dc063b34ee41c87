using System.Diagnostics.Metrics;

namespace Rescind;

/// <summary>
/// The metrics of the core, meter <c>Rescind</c>. Checks are counted by <see cref="CheckTally"/> and only
/// read here, so watching costs a check nothing.
/// </summary>
internal sealed class BlacklistMetrics
{
    public const string MeterName = "Rescind";

    private readonly Counter<long>? _revocations;
    private readonly Counter<long>? _lifts;
    private readonly Histogram<double>? _revokeTime;

    public BlacklistMetrics(
        IMeterFactory? factory, CheckTally tally, RevocationIndex index, FeedFollower feed)
    {
        if (factory is null)
        {
            return;
        }
        var meter = factory.Create(MeterName);
        _revocations = meter.CreateCounter<long>(
            "rescind.revocations", "{revocation}", "Revocations made here, by kind and by how far they got.");
        _lifts = meter.CreateCounter<long>("rescind.lifts", "{lift}", "Revocations lifted here.");
        _revokeTime = meter.CreateHistogram<double>(
            "rescind.revocation.duration", "s", "Time until a revocation had its receipt.", tags: null,
            new InstrumentAdvice<double>
            {
                HistogramBucketBoundaries = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.5, 1, 2, 5],
            });
        meter.CreateObservableCounter(
            "rescind.checks",
            () => new Measurement<long>[]
            {
                new(tally.Accepted, new KeyValuePair<string, object?>("verdict", "accepted")),
                new(tally.Revoked, new KeyValuePair<string, object?>("verdict", "revoked")),
                new(tally.Unknown, new KeyValuePair<string, object?>("verdict", "unknown")),
            },
            "{check}",
            "Checks, by verdict.");
        meter.CreateObservableGauge(
            "rescind.check.duration.mean", () => tally.MeanMs() / 1000, "s",
            "Mean time of a check since the start, from samples.");
        meter.CreateObservableGauge(
            "rescind.check.duration.p99", () => tally.P99Ms() / 1000, "s",
            "Time that 99 of 100 checks do not exceed, from samples.");
        meter.CreateObservableCounter(
            "rescind.check.catchups", () => tally.CatchUps, "{check}",
            "Checks that had to ask the log first.");
        meter.CreateObservableGauge(
            "rescind.index.entries",
            () => RevocationIndex.Kinds().Select(kind => new Measurement<long>(
                index.CountOf(kind), new KeyValuePair<string, object?>("kind", Word(kind)))),
            "{revocation}",
            "Live revocations, by kind.");
        meter.CreateObservableGauge("rescind.index.size", () => index.Bytes, "By", "Memory of the index.");
        meter.CreateObservableGauge(
            "rescind.feed.fresh", () => feed.IsFresh ? 1 : 0, "1",
            "1 while checks are answered from memory.");
    }

    public void Revoked(IReadOnlyList<LogEntry> entries, Receipt receipt)
    {
        if (_revocations is { Enabled: true })
        {
            foreach (var kind in entries.CountBy(entry => entry.Id.Kind))
            {
                _revocations.Add(
                    kind.Value,
                    new KeyValuePair<string, object?>("kind", Word(kind.Key)),
                    new KeyValuePair<string, object?>("state", Word(receipt.State)));
            }
        }
        if (_revokeTime is { Enabled: true })
        {
            _revokeTime.Record(receipt.Elapsed.TotalSeconds);
        }
    }

    public void Lifted(int count)
    {
        if (_lifts is { Enabled: true })
        {
            _lifts.Add(count);
        }
    }

    private static string Word<T>(T value) where T : struct, Enum => value.ToString().ToLowerInvariant();
}
