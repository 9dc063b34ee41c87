namespace Rescind;

/// <summary>
/// For how long this node's knowledge counts: one immutable object, published after the entries it vouches
/// for, so that a reader never sees the time of one read with the entries of another. It counts from when the
/// read was <em>sent</em>: whatever was appended before that moment is applied.
/// </summary>
/// <param name="Sent">When the read was sent.</param>
/// <param name="Bound">For how long it counts; null: for ever, because nobody else can append.</param>
internal sealed record Lease(Moment Sent, TimeSpan? Bound)
{
    /// <summary>Reads the clocks. Must come after the probe: a process that was frozen between the two would
    /// otherwise accept by old knowledge (docs/decisions/0010).</summary>
    public bool Covers(TimeProvider clock) => Bound is not { } bound || Sent.ElapsedOn(clock) <= bound;
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
