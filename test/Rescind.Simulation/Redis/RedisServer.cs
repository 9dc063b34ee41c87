using System.Globalization;

namespace Rescind.Simulation;

/// <summary>One Redis server. A write reaches its replicas later; what they have is a prefix of what it
/// has.</summary>
internal sealed class RedisServer(World world, RedisGroup group, LuaScripts lua, string name)
{
    private static readonly string[] Keys = ["{sim}:log", "{sim}:fleet"];

    private readonly TimeSpan _clockError = world.Between(-300, 300);
    private readonly List<(int Needed, int Offset, TaskCompletionSource<int> Answer)> _waiting = [];
    private List<Effect> _history = [];
    private long _stalledAt;

    public string Name => name;

    public Store Store { get; private set; } = new();

    public bool IsUp { get; set; } = true;

    /// <summary>A replica that takes in nothing, and does not acknowledge what it has.</summary>
    public bool IsStalled
    {
        get;
        set
        {
            _stalledAt = value ? world.Now : _stalledAt;
            field = value;
        }
    }

    /// <summary>No memory left: what needs some is refused.</summary>
    public bool IsFull { get; set; }

    public RedisServer? MasterOfIt { get; set; }

    /// <summary>How far it has followed its master.</summary>
    public int Offset => _history.Count;

    private string Run { get; set; } = NewRun(world);

    /// <summary>What a promotion changes; the run is that of the process.</summary>
    private string Replication { get; set; } = NewRun(world);

    /// <summary>How many seconds ago it acknowledged something.</summary>
    private long Lag => IsStalled ? (world.Now - _stalledAt) / TimeSpan.TicksPerSecond : 0;

    private IEnumerable<RedisServer> Replicas => group.Servers.Where(one => one.MasterOfIt == this && one.IsUp);

    /// <summary>Runs a script, or a command when <paramref name="script"/> is null.</summary>
    /// <exception cref="RedisRefusal">It is refused.</exception>
    public object? Execute(string? script, string[] words)
    {
        if (MasterOfIt is not null)
        {
            throw new RedisRefusal("READONLY You can't write against a read only replica.");
        }
        var hasWritten = false;
        object? Call(string command, string[] arguments)
        {
            switch (command)
            {
                case "INFO":
                    return arguments[0] == "server"
                        ? $"run_id:{Run}\r\n"
                        : $"role:master\r\nconnected_slaves:{Replicas.Count()}\r\n"
                            + string.Concat(Replicas.Select((one, number) =>
                                $"slave{number}:ip=10.0.0.1,port={6380 + number},state=online,offset={one.Offset},lag={one.Lag}\r\n"))
                            + $"master_replid:{Replication}\r\n";
                case "TIME":
                    var time = World.Beginning + TimeSpan.FromTicks(world.Now) + _clockError;
                    return new object?[]
                    {
                        time.ToUnixTimeSeconds().ToString(CultureInfo.InvariantCulture),
                        (time.Ticks % TimeSpan.TicksPerSecond / 10).ToString(CultureInfo.InvariantCulture),
                    };
                case "PUBLISH":
                    group.Publish(this, arguments[0], arguments[1]);
                    return 0L;
            }
            var rest = command == "MEMORY" ? arguments : arguments[1..];
            if (!Store.IsWrite(command))
            {
                return Store.Execute(command, rest);
            }
            if (IsFull && !hasWritten && Store.NeedsMemory(command))
            {
                throw new RedisRefusal("OOM command not allowed when used memory > 'maxmemory'.");
            }
            hasWritten = true;
            return Write(new Effect(command, rest));
        }
        var before = Offset;
        try
        {
            return script is null
                ? Call(words[0], words[1..])
                : lua.Run(script, Keys, words, Call);
        }
        finally
        {
            if (Offset != before)
            {
                _history[^1] = _history[^1] with { IsLast = true };
                Replicate();
            }
        }
    }

    /// <summary><c>WAIT</c>: how many replicas have all that was written so far, once they are enough or 500 ms have
    /// passed.</summary>
    public Task<int> WaitAsync(int needed)
    {
        var answer = new TaskCompletionSource<int>();
        var offset = Offset;
        _waiting.Add((needed, offset, answer));
        world.After(TimeSpan.FromMilliseconds(500), () => answer.TrySetResult(CountAt(offset)));
        Answer();
        return answer.Task;
    }

    /// <summary>Starts again under a new run, with the first so many of its writes, and no script's half: which half
    /// would follow from the order of a table in Lua, and a real Redis keeps none.</summary>
    public void Restart(int writes)
    {
        while (writes != 0 && !_history[writes - 1].IsLast)
        {
            writes--;
        }
        (IsUp, Run, Replication) = (true, NewRun(world), NewRun(world));
        Load(_history[..writes]);
        Resynchronize();
    }

    /// <summary><c>FLUSHALL</c>: everything is gone, and it is the same run.</summary>
    public void Flush()
    {
        Load([]);
        Resynchronize();
    }

    /// <summary>Is made the master: what it has not got from the old one is lost.</summary>
    public void Promote()
    {
        (MasterOfIt, Replication) = (null, NewRun(world));
        group.Changed(this);
    }

    /// <summary>Throws its own away and follows another.</summary>
    public void Follow(RedisServer master)
    {
        MasterOfIt = master;
        Load([.. master._history]);
    }

    /// <summary>A replica that was away or stalled is there again, with what its master has now.</summary>
    public void GoOn()
    {
        (IsUp, IsStalled) = (true, false);
        if (MasterOfIt is { } master)
        {
            Follow(master);
            world.After(group.Lag(), master.Answer);
        }
    }

    private object? Write(Effect effect)
    {
        var reply = Store.Execute(effect.Command, effect.Arguments);
        if (reply is not 0L || effect.Command == "HSET")
        {
            _history.Add(effect);
            group.Wrote(this, effect);
        }
        return reply;
    }

    /// <summary>What a script or command wrote goes to the replicas as one.</summary>
    private void Replicate()
    {
        var (offset, history) = (Offset, _history);
        foreach (var replica in Replicas)
        {
            world.After(group.Lag(), () => replica.CatchUp(this, history, offset));
        }
    }

    private void CatchUp(RedisServer master, List<Effect> history, int offset)
    {
        if (MasterOfIt != master || !IsUp || IsStalled || master._history != history)
        {
            return;
        }
        for (var at = Offset; at < offset; at++)
        {
            Store.Execute(history[at].Command, history[at].Arguments);
            _history.Add(history[at]);
        }
        world.After(group.Lag(), master.Answer);
    }

    private void Answer()
    {
        if (_waiting.Count == 0)
        {
            return;
        }
        foreach (var one in _waiting.Where(one => CountAt(one.Offset) >= one.Needed).ToList())
        {
            _waiting.Remove(one);
            one.Answer.TrySetResult(CountAt(one.Offset));
        }
    }

    private int CountAt(int offset) => Replicas.Count(one => !one.IsStalled && one.Offset >= offset);

    private void Resynchronize()
    {
        foreach (var replica in Replicas.Where(one => !one.IsStalled))
        {
            replica.Load([.. _history]);
        }
        group.Changed(this);
    }

    private void Load(List<Effect> history)
    {
        (Store, _history) = (new Store(), history);
        foreach (var effect in history)
        {
            Store.Execute(effect.Command, effect.Arguments);
        }
    }

    private static string NewRun(World world) => world.Random.NextInt64().ToString("x16", CultureInfo.InvariantCulture);
}
