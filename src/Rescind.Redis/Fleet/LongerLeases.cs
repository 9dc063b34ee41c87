namespace Rescind.Redis;

/// <summary>
/// Leases of others that may outlast what this process would wait for: of those who refuse it for its
/// settings, or who lived before a recovery that it came into (docs/decisions/0029, 0032). Guarantees that a
/// hold counts from the moment since when nobody is given such a lease any more, by an answer that half the
/// servers confirmed.
/// </summary>
internal sealed class LongerLeases(TimeSpan bound, TimeProvider clock)
{
    private TimeSpan _theirs;
    private long? _noneSince;
    private TimeSpan _toldOfRecovery;

    /// <summary>Whether others refuse this process for its settings.</summary>
    public bool IsRefused => _theirs != TimeSpan.Zero && _noneSince is null;

    /// <summary>Whether some may be left.</summary>
    public bool MayBeLeft => _theirs != TimeSpan.Zero
        && (_noneSince is not { } since || clock.GetElapsedTime(since) < _theirs * 1.25);

    /// <summary>The longest bound of those who may have one, or may still come into the recovery.</summary>
    public TimeSpan Bound
    {
        get
        {
            var longest = MayBeLeft && _theirs > bound ? _theirs : bound;
            return longest > _toldOfRecovery ? longest : _toldOfRecovery;
        }
    }

    public void Note(HeartbeatAnswer answer, bool isNewEpoch, long now, bool isReplicated)
    {
        if (isNewEpoch || (answer.IsClosed && isReplicated))
        {
            _toldOfRecovery = TimeSpan.Zero;
        }
        Warn(answer, isNewEpoch);
        if (answer.OtherSettings is null)
        {
            _toldOfRecovery = answer.BoundBefore > _toldOfRecovery ? answer.BoundBefore : _toldOfRecovery;
            _noneSince ??= isReplicated ? now : null;
        }
    }

    /// <summary>Begins a hold, which only <see cref="Note"/> ends.</summary>
    public void Warn(HeartbeatAnswer answer, bool isNewEpoch)
    {
        if (answer.OtherSettings is { } others)
        {
            Hold(FleetSettings.FreshnessIn(others));
        }
        else if (answer.BoundBefore > bound && (isNewEpoch || answer.BoundBefore > _toldOfRecovery))
        {
            Hold(answer.BoundBefore); // also where it has grown since: somebody came who knew better
        }
    }

    private void Hold(TimeSpan theirs)
    {
        _theirs = MayBeLeft && _theirs > theirs ? _theirs : theirs;
        _noneSince = null;
    }
}
