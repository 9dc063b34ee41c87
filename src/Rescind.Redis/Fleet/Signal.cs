namespace Rescind.Redis;

/// <summary>Something happened: wakes everybody who waits, and those who come with an older version at
/// once.</summary>
internal sealed class Signal
{
    private readonly Lock _gate = new();
    private readonly HashSet<TaskCompletionSource> _waiting = [];
    private long _version;

    public long Version => Volatile.Read(ref _version);

    public void Set()
    {
        TaskCompletionSource[] due;
        lock (_gate)
        {
            _version++;
            due = [.. _waiting];
            _waiting.Clear();
        }
        foreach (var one in due)
        {
            one.TrySetResult();
        }
    }

    /// <summary>Waits until the version is another one.</summary>
    /// <returns>False when the time passed or the wait was cancelled.</returns>
    public async ValueTask<bool> WaitAsync(long version, TimeSpan longest, TimeProvider clock,
        CancellationToken cancel)
    {
        var woken = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        lock (_gate)
        {
            if (_version != version)
            {
                return true;
            }
            _waiting.Add(woken);
        }
        using var over = new CancellationTokenSource(longest, clock);
        using var either = CancellationTokenSource.CreateLinkedTokenSource(cancel, over.Token);
        await using (either.Token.UnsafeRegister(
            static it => ((TaskCompletionSource)it!).TrySetResult(), woken))
        {
            await woken.Task;
        }
        lock (_gate)
        {
            _waiting.Remove(woken);
        }
        return Version != version;
    }
}
