namespace Rescind.Redis;

/// <summary>Something happened: wakes everybody who waits, and those who come with an older version at
/// once.</summary>
internal sealed class Signal
{
    private readonly Lock _gate = new();
    private TaskCompletionSource _next = NewSource();
    private long _version;

    public long Version => Volatile.Read(ref _version);

    public void Set()
    {
        TaskCompletionSource due;
        lock (_gate)
        {
            _version++;
            (due, _next) = (_next, NewSource());
        }
        due.SetResult();
    }

    /// <summary>Waits until the version is another one.</summary>
    /// <returns>False when the time passed or the wait was cancelled.</returns>
    public async ValueTask<bool> WaitAsync(long version, TimeSpan longest, TimeProvider clock,
        CancellationToken cancel)
    {
        Task next;
        lock (_gate)
        {
            if (_version != version)
            {
                return true;
            }
            next = _next.Task;
        }
        await next.WaitAsync(longest, clock, cancel).ConfigureAwait(
            ConfigureAwaitOptions.SuppressThrowing | ConfigureAwaitOptions.ContinueOnCapturedContext);
        return Version != version;
    }

    private static TaskCompletionSource NewSource() =>
        new(TaskCreationOptions.RunContinuationsAsynchronously);
}
