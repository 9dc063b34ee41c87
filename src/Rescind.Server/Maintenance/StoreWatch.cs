using Rescind.Server.Audit;
using Rescind.Server.Operations;

namespace Rescind.Server.Maintenance;

/// <summary>Notes when a store that the server needs goes away, and when it is back: once each.</summary>
internal sealed class StoreWatch(
    Blacklist blacklist, AuditShipper shipper, AuditTrail audit, Alerts alerts, TimeProvider clock,
    ILogger<StoreWatch> logger) : LastingService(clock, logger)
{
    private static readonly TimeSpan Every = TimeSpan.FromSeconds(1);
    private readonly Dictionary<string, int> _awayFor = new(StringComparer.Ordinal);

    protected override async Task RunAsync(CancellationToken cancel)
    {
        using var timer = new PeriodicTimer(Every, Clock);
        while (await timer.WaitForNextTickAsync(cancel))
        {
            var status = blacklist.GetStatus();
            await LookAsync("revocation log", status.Log.Connected == false || !status.Fresh);
            await LookAsync("accounts database", shipper.IsDatabaseAway);
        }
    }

    /// <summary>One look may fall into a hiccup; the second counts.</summary>
    private async Task LookAsync(string store, bool isAway)
    {
        const int Sure = 2;
        var before = _awayFor.GetValueOrDefault(store);
        _awayFor[store] = isAway ? before + 1 : 0;
        if (isAway ? before + 1 == Sure : before >= Sure)
        {
            var type = isAway ? AuditEvents.StoreUnavailable : AuditEvents.StoreRecovered;
            var sentence = isAway ? $"The {store} is away." : $"The {store} is back.";
            alerts.Post(type, sentence);
            await audit.NoteAsync(new AuditEvent(type) { Note = sentence });
        }
    }
}
