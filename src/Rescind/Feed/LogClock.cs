namespace Rescind;

/// <summary>
/// What this node knows of the log's clock, from the answer to its last read. A log that recovers grants no
/// lease and tells the time all the same; so a node whose own clock is wrong neither forgets early nor makes
/// cutoffs that are too low. Before the first answer, this node's clock is all there is.
/// </summary>
internal sealed class LogClock(TimeProvider clock, bool isShared, TimeSpan skew)
{
    /// <summary>By less, what a shared log says twice may differ on its way and by clocks that drift.
    /// </summary>
    private static readonly TimeSpan Jitter = TimeSpan.FromSeconds(2);

    private Reading? _last;

    /// <summary>What a shared log said before its clock was set back, or another server took over whose clock
    /// is behind; null: that was not seen.</summary>
    private Reading? _before;

    /// <summary>An answer.</summary>
    /// <param name="Sent">When it was asked for.</param>
    /// <param name="Time">The log's clock when it answered.</param>
    /// <param name="Took">How long it took.</param>
    /// <param name="Ahead">By how much this node's clock was ahead of it then.</param>
    private sealed record Reading(Moment Sent, DateTimeOffset Time, TimeSpan Took, TimeSpan Ahead)
    {
        public DateTimeOffset Now(TimeProvider clock) => Time + clock.GetElapsedTime(Sent.Timestamp);

        /// <summary>Whether an answer to a later read tells an earlier time than this leads to.</summary>
        public bool IsContradictedBy(Moment sent, DateTimeOffset time, TimeProvider clock) =>
            time < Time + clock.GetElapsedTime(Sent.Timestamp, sent.Timestamp) - Took - Jitter;

        /// <summary>The later of both.</summary>
        public DateTimeOffset Latest(TimeProvider clock, DateTimeOffset now)
        {
            var (told, byWall) = (Now(clock), NowByWall(now));
            return byWall > told ? byWall : told;
        }

        /// <summary>The same by the wall clock, which goes on while a machine is suspended.</summary>
        public DateTimeOffset NowByWall(DateTimeOffset now) => Time + (now - Sent.Wall);
    }

    /// <summary>How far this node's clock is ahead of the log's; negative: behind; null: the log has not told
    /// its time yet. On a log of several nodes it also counts by how much this node's clock was set since.
    /// </summary>
    public TimeSpan? Ahead => Volatile.Read(ref _last) is not { } last ? null
        : !isShared ? last.Ahead
        : last.Ahead + (clock.GetUtcNow() - last.Sent.Wall - clock.GetElapsedTime(last.Sent.Timestamp));

    /// <summary>The time that a cutoff reaches past: the log's, by that clock of this node which has run
    /// further since the read. A machine that was suspended has one that stood, and a cutoff that is too low
    /// spares what was issued meanwhile. A log that only this node has runs on this node's wall clock, which
    /// may have been set forward. Where a shared log's clock went back, what it said before counts as far as
    /// this node's wall clock agrees: two of three.</summary>
    public DateTimeOffset CutoffTime
    {
        get
        {
            var own = clock.GetUtcNow();
            if (Volatile.Read(ref _last) is not { } last)
            {
                return own;
            }
            var latest = last.Latest(clock, own);
            var before = Volatile.Read(ref _before)?.Latest(clock, own) ?? DateTimeOffset.MinValue;
            var second = !isShared || before > own ? own : before;
            return second > latest ? second : latest;
        }
    }

    /// <summary>Tokens that ended before this are accepted by no validator: the earlier of this node's clock
    /// and the log's, less the clock skew, in Unix seconds. Until the log has told its time nothing is dead:
    /// a clock that is wrong must not make a node forget.</summary>
    public long DeadBefore
    {
        get
        {
            if (Volatile.Read(ref _last) is not { } last)
            {
                return 0;
            }
            var (own, told) = (clock.GetUtcNow(), last.Now(clock));
            return ((own < told ? own : told) - skew).ToUnixTimeSeconds();
        }
    }

    /// <summary>Takes in an answer. The log read its clock between sending and now; only what lies outside
    /// counts.</summary>
    public void Note(Moment sent, DateTimeOffset time)
    {
        var now = clock.GetUtcNow();
        var ahead = time < sent.Wall ? sent.Wall - time : time > now ? now - time : TimeSpan.Zero;
        var before = Volatile.Read(ref _before) ?? Volatile.Read(ref _last);
        Volatile.Write(
            ref _before, isShared && before?.IsContradictedBy(sent, time, clock) == true ? before : null);
        Volatile.Write(
            ref _last, new Reading(sent, time, clock.GetElapsedTime(sent.Timestamp), ahead));
    }
}
