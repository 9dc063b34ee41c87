using System.Diagnostics.Metrics;

namespace Rescind.AspNetCore;

/// <summary>The metrics of the guard, on the meter <c>Rescind</c> like those of the core.</summary>
internal sealed class GuardMetrics(IMeterFactory factory)
{
    public const string Accepted = "accepted";
    public const string Revoked = "revoked";
    public const string UnknownAccepted = "unknown_accepted";
    public const string UnknownRefused = "unknown_refused";
    public const string Unreadable = "unreadable";
    public const string BySignature = "signature";
    public const string ByMemory = "memory";

    private readonly Counter<long> _decisions = factory.Create("Rescind").CreateCounter<long>(
        "rescind.guard.decisions", "{decision}", "Bearer tokens judged in requests, by what followed.");

    private readonly Counter<long> _verifications = factory.Create("Rescind").CreateCounter<long>(
        "rescind.guard.verifications", "{token}",
        "Bearer tokens judged, by how it was known who signed them.");

    public void Verified(string by)
    {
        if (_verifications.Enabled)
        {
            _verifications.Add(1, new KeyValuePair<string, object?>("by", by));
        }
    }

    public void Decided(string decision)
    {
        if (_decisions.Enabled)
        {
            _decisions.Add(1, new KeyValuePair<string, object?>("decision", decision));
        }
    }
}
