// A world with one time and one thread. Everything that happens is a piece of work that a turn (a node, or the
// world itself) does at an instant; what comes next follows from the seed alone. What it guarantees: two worlds
// made from one seed live the same life, to the last bit of their traces. What it trades away: work takes no
// time, so a node does in an instant what a real one does in microseconds.
using System.Text;

namespace Rescind.Simulation;

/// <summary>A checker found a promise broken.</summary>
internal sealed class BrokenPromiseException(string checker, string message) : Exception(message)
{
    public string Checker { get; } = checker;
}

internal sealed class World
{
    /// <summary>Where simulated wall clocks begin.</summary>
    public static readonly DateTimeOffset Beginning = new(2026, 1, 1, 0, 0, 0, TimeSpan.Zero);

    private readonly PriorityQueue<(Turn Turn, Action Work), (long At, long Order)> _later = new();
    private readonly List<(Turn Turn, SendOrPostCallback Work, object? State)> _ready = [];
    private readonly List<string>? _story;
    private readonly int _thread = Environment.CurrentManagedThreadId;
    private long _order;
    private ulong _trace = 14695981039346656037;

    public World(ulong seed, bool tells)
    {
        Random = new Random(HashCode(seed));
        _story = tells ? [] : null;
        Self = new Turn(this, "world");
    }

    /// <summary>The time, in units of 100 ns since the beginning.</summary>
    public long Now { get; private set; }

    public Random Random { get; }

    /// <summary>The turn of clients, network and checkers.</summary>
    public Turn Self { get; }

    /// <summary>The first promise found broken; ends the life.</summary>
    public BrokenPromiseException? Broken { get; private set; }

    public IReadOnlyList<string> Story => _story ?? [];

    /// <summary>A hash over everything that was told.</summary>
    public ulong Trace => _trace;

    public bool Chance(double probability) => Random.NextDouble() < probability;

    public TimeSpan Between(double fromMs, double toMs) =>
        TimeSpan.FromMilliseconds(fromMs + (Random.NextDouble() * (toMs - fromMs)));

    /// <summary>Adds a line to the story and to the trace.</summary>
    public void Tell(string line)
    {
        line = $"{Now / 10_000.0,10:0.000} ms  {line}";
        foreach (var letter in line)
        {
            _trace = (_trace ^ letter) * 1099511628211;
        }
        _story?.Add(line);
    }

    public void Break(string checker, string message)
    {
        Tell($"BROKEN ({checker}): {message}");
        Broken ??= new BrokenPromiseException(checker, message);
    }

    /// <summary>Has a turn do something at a time.</summary>
    public void At(long time, Turn turn, Action work) =>
        _later.Enqueue((turn, work), (Math.Max(time, Now), ++_order));

    public void After(TimeSpan delay, Action work) => At(Now + delay.Ticks, Self, work);

    /// <summary>Completes after a time; whoever awaits it goes on in its own turn.</summary>
    public Task Delay(TimeSpan delay)
    {
        var over = new TaskCompletionSource();
        After(delay, over.SetResult);
        return over.Task;
    }

    public void Ready(Turn turn, SendOrPostCallback work, object? state)
    {
        if (Environment.CurrentManagedThreadId != _thread)
        {
            throw new InvalidOperationException("Work came from a thread that is not of this world.");
        }
        _ready.Add((turn, work, state));
    }

    /// <summary>Lives on until a time, or until a promise is broken.</summary>
    public void RunTo(long end)
    {
        while (Broken is null)
        {
            if (_ready.Count != 0)
            {
                // Mostly in the order of arrival; threads do not always keep to it.
                var next = _ready.Count > 1 && Chance(0.1) ? Random.Next(_ready.Count) : 0;
                var (turn, work, state) = _ready[next];
                _ready.RemoveAt(next);
                turn.Do(work, state);
                continue;
            }
            if (!_later.TryPeek(out _, out var due) || due.At > end)
            {
                Now = Math.Max(Now, end);
                return;
            }
            Now = Math.Max(Now, due.At);
            var (whose, what) = _later.Dequeue();
            whose.Do(static action => ((Action)action!)(), what);
        }
    }

    private static int HashCode(ulong seed)
    {
        seed = (seed ^ (seed >> 30)) * 0xbf58476d1ce4e5b9;
        seed = (seed ^ (seed >> 27)) * 0x94d049bb133111eb;
        return (int)((seed ^ (seed >> 31)) & int.MaxValue);
    }
}

/// <summary>The single thread of a process: what it awaits comes back to it. It can stand still, and end.</summary>
internal sealed class Turn(World world, string name) : SynchronizationContext
{
    private readonly Queue<(SendOrPostCallback Work, object? State)> _held = new();
    private bool _isFrozen;
    private bool _isOver;

    public override string ToString() => name;

    public bool IsFrozen => _isFrozen;

    /// <summary>How often it has stood still.</summary>
    public int Pauses { get; private set; }

    public override void Post(SendOrPostCallback d, object? state)
    {
        if (!_isOver)
        {
            world.Ready(this, d, state);
        }
    }

    public override void Send(SendOrPostCallback d, object? state) => Do(d, state);

    public void Do(SendOrPostCallback work, object? state)
    {
        if (_isOver)
        {
            return;
        }
        if (_isFrozen)
        {
            _held.Enqueue((work, state));
            return;
        }
        var before = Current;
        SetSynchronizationContext(this);
        try
        {
            work(state);
        }
        finally
        {
            SetSynchronizationContext(before);
        }
    }

    /// <summary>Starts something in this turn; its outcome can be awaited from any other.</summary>
    public Task<T> Start<T>(Func<Task<T>> work)
    {
        var outcome = new TaskCompletionSource<T>();
        Post(
            _ => Relay(work(), outcome),
            null);
        return outcome.Task;
    }

    public void Freeze()
    {
        Pauses++;
        _isFrozen = true;
    }

    public void Resume()
    {
        _isFrozen = false;
        while (_held.TryDequeue(out var held))
        {
            Post(held.Work, held.State);
        }
    }

    /// <summary>The process is gone: nothing of it happens any more.</summary>
    public void End() => _isOver = true;

    private static async void Relay<T>(Task<T> work, TaskCompletionSource<T> outcome)
    {
        try
        {
            outcome.TrySetResult(await work);
        }
        catch (Exception fault)
        {
            outcome.TrySetException(fault);
        }
    }
}
