namespace Rescind.Tests.Redis;

/// <summary>Revokes one token after the other, on each node in turn, until stopped.</summary>
internal sealed class RevokingLoad : IAsyncDisposable
{
    private readonly List<string> _ended = [];
    private readonly CancellationTokenSource _over = new();
    private readonly Task _loop;

    public RevokingLoad(RedisNode[] nodes) => _loop = RevokeAsync(nodes);

    /// <summary>What was answered <c>everywhere</c> so far.</summary>
    public IReadOnlyList<string> Ended
    {
        get
        {
            lock (_ended)
            {
                return [.. _ended];
            }
        }
    }

    public async Task StopAsync()
    {
        await _over.CancelAsync();
        await _loop;
    }

    public async ValueTask DisposeAsync()
    {
        await StopAsync();
        _over.Dispose();
    }

    private async Task RevokeAsync(RedisNode[] nodes)
    {
        for (var i = 0; !_over.IsCancellationRequested; i++)
        {
            try
            {
                var id = $"t{i}";
                if ((await nodes[i % nodes.Length].RevokeAsync(id)).State == ReceiptState.Everywhere)
                {
                    lock (_ended)
                    {
                        _ended.Add(id);
                    }
                }
            }
            catch (IOException)
            {
                // Redis is away: nothing was promised.
            }
            await Task.Delay(2, CancellationToken.None);
        }
    }
}
