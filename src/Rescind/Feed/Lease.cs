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
    /// <summary>A wall clock that fell behind the monotonic one by this part of the bound was set back.
    /// </summary>
    private const int Setback = 4;

    /// <summary>Reads the clocks. Must come after the probe: a process that was frozen between the two would
    /// otherwise accept by old knowledge (docs/decisions/0010). Each clock may end the lease. Of a machine
    /// that is suspended only the wall clock may know; once it was set back it knows nothing, so that ends
    /// the lease too.</summary>
    public bool Covers(TimeProvider clock)
    {
        if (Bound is not { } bound)
        {
            return true;
        }
        var (monotonic, wall) = Sent.PassedOn(clock);
        return monotonic <= bound && wall <= bound
            && (monotonic - wall).Ticks <= bound.Ticks / Setback;
    }

    /// <summary>How old the knowledge is, by whichever clock says more.</summary>
    public TimeSpan Age(TimeProvider clock)
    {
        var (monotonic, wall) = Sent.PassedOn(clock);
        return monotonic > wall ? monotonic : wall;
    }
}

/// <summary>A moment on both clocks of this node.</summary>
/// <param name="Timestamp">Monotonic; stands still while some machines are suspended.</param>
/// <param name="Wall">Wall time; may be stepped.</param>
internal readonly record struct Moment(long Timestamp, DateTimeOffset Wall)
{
    public static Moment Now(TimeProvider clock) => new(clock.GetTimestamp(), clock.GetUtcNow());

    /// <summary>The time since then on each clock.</summary>
    public (TimeSpan Monotonic, TimeSpan Wall) PassedOn(TimeProvider clock) =>
        (clock.GetElapsedTime(Timestamp), clock.GetUtcNow() - Wall);
}
