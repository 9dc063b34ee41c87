namespace Rescind;

/// <summary>Other nodes run on this log with other settings than this one: freshness, longest lifetime and
/// clock skew must be the same everywhere, because each node relies on what the others do. The message names
/// both.</summary>
public sealed class FleetSettingsException : InvalidOperationException
{
    /// <summary>Makes one.</summary>
    /// <param name="message">What the others run with, what this one does, and the remedy.</param>
    public FleetSettingsException(string message)
        : base(message)
    {
    }
}
