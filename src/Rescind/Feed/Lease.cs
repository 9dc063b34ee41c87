namespace Rescind;

/// <summary>
/// For how long this node's knowledge counts: one immutable object, published after the entries it vouches
/// for, so that a reader never sees the time of one read with the entries of another. It counts from when the
/// read was <em>sent</em>: whatever was appended before that moment is applied.
/// </summary>
/// <param name="Sent">When the read was sent.</param>
/// <param name="Bound">For how long it counts; null: for ever, because nobody else can append.</param>
/// <param name="LogTime">The log's clock when it answered.</param>
internal sealed record Lease(Moment Sent, TimeSpan? Bound, DateTimeOffset LogTime)
{
    /// <summary>Reads the clocks. Must come after the probe: a process that was frozen between the two would
    /// otherwise accept by old knowledge (docs/decisions/0010).</summary>
    public bool Covers(TimeProvider clock) => Bound is not { } bound || Sent.ElapsedOn(clock) <= bound;

    /// <summary>The log's clock now, as far as this node can tell.</summary>
    public DateTimeOffset LogTimeNow(TimeProvider clock) => LogTime + clock.GetElapsedTime(Sent.Timestamp);

    /// <summary>The time that a cutoff reaches past: the log's. A log that only this node has runs on this
    /// node's clock, which may have been set forward since the read; a cutoff that did not follow would spare
    /// what was issued after that.</summary>
    public DateTimeOffset CutoffTime(TimeProvider clock)
    {
        var (told, own) = (LogTimeNow(clock), clock.GetUtcNow());
        return Bound is null && own > told ? own : told;
    }

    /// <summary>By how much this node's clock was set since the read, on a log of several nodes.</summary>
    public TimeSpan Stepped(TimeProvider clock) => Bound is null
        ? TimeSpan.Zero
        : clock.GetUtcNow() - Sent.Wall - clock.GetElapsedTime(Sent.Timestamp);
}

/// <summary>A moment on both clocks of this node.</summary>
/// <param name="Timestamp">Monotonic; stands still while some machines are suspended.</param>
/// <param name="Wall">Wall time; may be stepped.</param>
internal readonly record struct Moment(long Timestamp, DateTimeOffset Wall)
{
    public static Moment Now(TimeProvider clock) => new(clock.GetTimestamp(), clock.GetUtcNow());

    /// <summary>The time since then by whichever clock says more: a lease may end early, never
    /// late.</summary>
    public TimeSpan ElapsedOn(TimeProvider clock)
    {
        var monotonic = clock.GetElapsedTime(Timestamp);
        var wall = clock.GetUtcNow() - Wall;
        return monotonic > wall ? monotonic : wall;
    }
}
