namespace Rescind.Simulation;

/// <summary>The clocks of one machine: a monotonic one that runs a little too fast or too slow and may stand
/// still, and a wall clock that may be set.</summary>
internal sealed class NodeClock(World world, double rate) : TimeProvider
{
    private long _monotonic;
    private long _wall;
    private long _since;
    private bool _monotonicStands;
    private bool _wallStands;

    /// <summary>Called at each reading: where a thread may be interrupted.</summary>
    public Action? Read { get; set; }

    public override long TimestampFrequency => TimeSpan.TicksPerSecond;

    public override TimeZoneInfo LocalTimeZone => TimeZoneInfo.Utc;

    public (long Monotonic, long Wall) Reading => (Monotonic, Wall);

    private long Passed => (long)((world.Now - _since) * rate);

    private long Monotonic => _monotonic + (_monotonicStands ? 0 : Passed);

    private long Wall => _wall + (_wallStands ? 0 : Passed);

    public override long GetTimestamp()
    {
        Read?.Invoke();
        return Monotonic;
    }

    public override DateTimeOffset GetUtcNow()
    {
        Read?.Invoke();
        return World.Beginning + TimeSpan.FromTicks(Wall);
    }

    /// <summary>Whether the wall clock was ever set back.</summary>
    public bool WasSetBack { get; private set; }

    /// <summary>By how much the wall clock is ahead.</summary>
    public TimeSpan Ahead => TimeSpan.FromTicks(Wall - world.Now);

    /// <summary>Sets the wall clock.</summary>
    public void Step(TimeSpan by)
    {
        Settle();
        WasSetBack |= by < TimeSpan.Zero;
        _wall += by.Ticks;
    }

    public void SetRight()
    {
        Settle();
        WasSetBack |= _wall > world.Now;
        _wall = world.Now;
    }

    /// <summary>A machine that is suspended: the monotonic clock stands; under a hypervisor, both do.</summary>
    public void Stand(bool monotonic, bool wall)
    {
        Settle();
        (_monotonicStands, _wallStands) = (monotonic, wall);
    }

    public override ITimer CreateTimer(TimerCallback callback, object? state, TimeSpan dueTime, TimeSpan period)
    {
        var timer = new Timer(this, SynchronizationContext.Current as Turn
            ?? throw new InvalidOperationException("A timer outside of every turn."), () => callback(state));
        timer.Change(dueTime, period);
        return timer;
    }

    private void Settle() => (_monotonic, _wall, _since) = (Monotonic, Wall, world.Now);

    /// <summary>Fires when the monotonic clock says so, in the turn that made it.</summary>
    private sealed class Timer(NodeClock clock, Turn turn, Action callback) : ITimer
    {
        private long _due;
        private long _version;

        public bool Change(TimeSpan dueTime, TimeSpan period)
        {
            _version++;
            if (dueTime != Timeout.InfiniteTimeSpan)
            {
                _due = clock.Monotonic + dueTime.Ticks;
                Schedule(_version);
            }
            return true;
        }

        public void Dispose() => _version++;

        public ValueTask DisposeAsync()
        {
            Dispose();
            return ValueTask.CompletedTask;
        }

        private void Schedule(long version)
        {
            var left = Math.Max(0, _due - clock.Monotonic);
            clock.World.At(clock.World.Now + (long)Math.Ceiling(left / clock.Rate), turn, () => Fire(version));
        }

        private void Fire(long version)
        {
            if (version != _version)
            {
                return;
            }
            if (clock.Monotonic < _due)
            {
                Schedule(version);
                return;
            }
            callback();
        }
    }

    private World World => world;

    private double Rate => rate;
}
