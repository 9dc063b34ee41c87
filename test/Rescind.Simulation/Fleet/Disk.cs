namespace Rescind.Simulation;

/// <summary>A node's local file: what is committed stays when the process dies; what was being committed then is there
/// as a whole or not at all. It follows <c>SqliteJournal</c>.</summary>
internal sealed class Disk(World world) : IJournal
{
    private readonly List<(long Place, LogEntry Entry)> _log = [];
    private readonly Dictionary<(RevocationId Id, bool IsLift), LogEntry> _kept = [];
    private readonly List<Action> _committing = [];
    private LogPosition? _position;
    private DateTimeOffset _horizon = DateTimeOffset.UnixEpoch;
    private DateTimeOffset _ownHorizon = DateTimeOffset.UnixEpoch;
    private long _last;

    /// <summary>Nothing can be written.</summary>
    public bool IsFull
    {
        get;
        set
        {
            FullUntil = field && !value ? world.Now : FullUntil;
            field = value;
        }
    }

    /// <summary>When it last stopped being full.</summary>
    private long FullUntil { get; set; } = long.MinValue;

    /// <summary>Whether it could be written all the time since then.</summary>
    public bool HasWorkedSince(long time) => !IsFull && FullUntil < time;

    public async ValueTask<JournalPage> LoadAsync(long after, int max, CancellationToken cancel)
    {
        await world.Delay(world.Between(0.1, 3));
        var page = _log.Where(line => line.Place > after).Take(max).ToList();
        var next = page.Count == 0 ? after : page[^1].Place;
        var entries = page.Select(line => line.Entry).ToArray();
        var horizon = _horizon > _ownHorizon ? _horizon : _ownHorizon;
        return !_log.Exists(line => line.Place > next)
            ? new JournalPage(entries, [.. _kept.Values], next, _position ?? Own(next), horizon)
            : new JournalPage(entries, [], next, null, horizon);
    }

    public async ValueTask KeepAsync(ReadOnlyMemory<LogEntry> own) => await CommitAsync(() =>
    {
        foreach (ref readonly var entry in own.Span)
        {
            _kept[(entry.Id, entry.IsLift)] = entry;
        }
        return 0;
    });

    public async ValueTask<long> JoinAsync(JournalUpdate update) => await CommitAsync(() =>
    {
        foreach (var entry in update.Entries)
        {
            _log.Add((++_last, entry));
            _kept.Remove((entry.Id, entry.IsLift));
        }
        _position = update.Position;
        _horizon = update.Horizon;
        if (update.DropTo != 0)
        {
            _log.RemoveAll(line => line.Place <= update.DropTo);
        }
        return _last;
    });

    public async ValueTask CompactAsync(DateTimeOffset now, CancellationToken cancel) => await CommitAsync(() =>
    {
        bool IsDead(LogEntry entry) => entry.ExpiresAt != DateTimeOffset.MaxValue && entry.ExpiresAt < now;
        foreach (var one in _log.Where(line => line.Place != _last).Select(line => line.Entry).Concat(_kept.Values)
            .Where(entry => IsDead(entry) && !entry.IsLift && entry.ExpiresAt > _ownHorizon))
        {
            _ownHorizon = one.ExpiresAt;
        }
        foreach (var (key, _) in _kept.Where(one => IsDead(one.Value)).ToList())
        {
            _kept.Remove(key);
        }
        _log.RemoveAll(line => line.Place != _last && IsDead(line.Entry));
        return 0;
    });

    /// <summary>Completes once all is written that was asked for.</summary>
    public async Task CloseAsync()
    {
        while (_committing.Count != 0)
        {
            await world.Delay(TimeSpan.FromMilliseconds(1));
        }
    }

    /// <summary>The process is gone: the newest commits are there or not.</summary>
    public void Crash()
    {
        foreach (var commit in _committing.Take(world.Random.Next(_committing.Count + 1)))
        {
            commit();
        }
        _committing.Clear();
    }

    /// <summary>A position of this file, which no shared log has: whoever reads on from it learns that all that the file
    /// holds must be given back.</summary>
    private static LogPosition Own(long place) => place == 0 ? default : new LogPosition((ulong)place, 1);

    private async Task<T> CommitAsync<T>(Func<T> change)
    {
        var done = new TaskCompletionSource<T>();
        void Commit() => done.TrySetResult(change());
        _committing.Add(Commit);
        world.After(world.Between(0.2, world.Chance(0.02) ? 200 : 4), () =>
        {
            if (!_committing.Remove(Commit))
            {
                return;
            }
            if (IsFull)
            {
                done.TrySetException(new IOException("The disk is full."));
                return;
            }
            Commit();
        });
        return await done.Task;
    }
}
