using System.Diagnostics.Metrics;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Diagnostics.Metrics;

namespace Rescind.Tests;

/// <summary>Every instrument and every value of its tags.</summary>
public sealed class BlacklistMetricsTests
{
    [Fact]
    public async Task Every_instrument_reports_with_the_stated_tags()
    {
        using var services = new ServiceCollection().AddMetrics().BuildServiceProvider();
        var blacklist = new Blacklist(meters: services.GetRequiredService<IMeterFactory>());
        var seen = new Dictionary<string, double>();
        using var listener = new MeterListener
        {
            InstrumentPublished = (instrument, self) =>
            {
                if (instrument.Meter.Name == "Rescind" && instrument.Meter.Scope == services.GetRequiredService<IMeterFactory>())
                {
                    self.EnableMeasurementEvents(instrument);
                }
            },
        };
        listener.SetMeasurementEventCallback<long>((instrument, value, tags, _) => Add(instrument, value, tags));
        listener.SetMeasurementEventCallback<int>((instrument, value, tags, _) => Add(instrument, value, tags));
        listener.SetMeasurementEventCallback<double>((instrument, _, tags, _) => Add(instrument, 1, tags));
        listener.Start();

        var token = new TokenFacts { Issuer = "i", TokenId = "t", IssuedAt = DateTimeOffset.UtcNow, ExpiresAt = DateTimeOffset.UtcNow };
        await blacklist.CheckAsync(token);
        await blacklist.LoadAsync();
        blacklist.Check(default);
        var receipt = await blacklist.RevokeAsync(Revocation.OfToken("i", "t"));
        await blacklist.RevokeAsync(Revocation.OfSubject("i", "u"));
        blacklist.Check(token);
        await blacklist.LiftAsync([receipt.Id], "restored", "admin");
        listener.RecordObservableInstruments();

        Assert.Equal(
            new SortedDictionary<string, double>(StringComparer.Ordinal)
            {
                ["rescind.check.catchups"] = 1,
                ["rescind.check.duration.mean"] = 1,
                ["rescind.check.duration.p99"] = 1,
                ["rescind.checks verdict=accepted"] = 1,
                ["rescind.checks verdict=revoked"] = 1,
                ["rescind.checks verdict=unknown"] = 1,
                ["rescind.feed.fresh"] = 1,
                ["rescind.index.entries kind=client"] = 0,
                ["rescind.index.entries kind=issuer"] = 0,
                ["rescind.index.entries kind=key"] = 0,
                ["rescind.index.entries kind=session"] = 0,
                ["rescind.index.entries kind=subject"] = 1,
                ["rescind.index.entries kind=token"] = 0,
                ["rescind.index.size"] = blacklist.GetStatus().IndexBytes,
                ["rescind.lifts"] = 1,
                ["rescind.revocation.duration"] = 2,
                ["rescind.revocations kind=subject state=everywhere"] = 1,
                ["rescind.revocations kind=token state=everywhere"] = 1,
            },
            new SortedDictionary<string, double>(seen, StringComparer.Ordinal));

        void Add(Instrument instrument, double value, ReadOnlySpan<KeyValuePair<string, object?>> tags)
        {
            var name = string.Join(' ', [instrument.Name, .. tags.ToArray().Select(tag => $"{tag.Key}={tag.Value}")]);
            seen[name] = seen.GetValueOrDefault(name) + value;
        }
    }

    [Fact]
    public async Task Times_are_in_seconds_and_a_node_that_is_not_fresh_says_so()
    {
        using var services = new ServiceCollection().AddMetrics().BuildServiceProvider();
        var factory = services.GetRequiredService<IMeterFactory>();
        var world = new TestWorld(shared: true);
        var tally = new CheckTally();
        _ = new BlacklistMetrics(factory, tally, world.Blacklist.Index, world.Blacklist.Feed);
        tally.Sample(500);
        var seen = new Dictionary<string, double>();
        using var listener = new MeterListener
        {
            InstrumentPublished = (instrument, self) =>
            {
                if (instrument.Meter.Scope == factory && instrument.IsObservable)
                {
                    self.EnableMeasurementEvents(instrument);
                }
            },
        };
        listener.SetMeasurementEventCallback<int>((instrument, value, _, _) => seen[instrument.Name] = value);
        listener.SetMeasurementEventCallback<double>((instrument, value, _, _) => seen[instrument.Name] = value);
        listener.Start();

        listener.RecordObservableInstruments();
        Assert.Equal((0.5, 0.5), (seen["rescind.check.duration.mean"], seen["rescind.check.duration.p99"]));
        Assert.Equal(0, seen["rescind.feed.fresh"]);
        await world.Blacklist.LoadAsync();
        listener.RecordObservableInstruments();
        Assert.Equal(1, seen["rescind.feed.fresh"]);
    }
}
