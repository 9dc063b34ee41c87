using System.Net;
using System.Net.Sockets;

namespace Rescind.Benchmarks.Faults;

/// <summary>A link to a server that can be made slow: each piece then comes a tenth of a second late.</summary>
internal sealed class SlowLink : IAsyncDisposable
{
    private readonly TcpListener _listener = new(IPAddress.Loopback, 0);
    private readonly CancellationTokenSource _over = new();
    private readonly int _target;
    private readonly Task _accepting;
    private volatile bool _isSlow;

    public SlowLink(int target)
    {
        _target = target;
        _listener.Start();
        _accepting = AcceptAsync();
    }

    public bool IsSlow
    {
        get => _isSlow;
        set => _isSlow = value;
    }

    public string Address => $"127.0.0.1:{((IPEndPoint)_listener.LocalEndpoint).Port}";

    public async ValueTask DisposeAsync()
    {
        await _over.CancelAsync();
        await _accepting;
        _listener.Stop();
        _over.Dispose();
    }

    private async Task AcceptAsync()
    {
        try
        {
            while (true)
            {
                _ = ConnectAsync(await _listener.AcceptTcpClientAsync(_over.Token));
            }
        }
        catch (OperationCanceledException)
        {
            // The run is over.
        }
    }

    private async Task ConnectAsync(TcpClient near)
    {
        using var client = near;
        using var far = new TcpClient();
        try
        {
            await far.ConnectAsync(IPAddress.Loopback, _target, _over.Token);
            (near.NoDelay, far.NoDelay) = (true, true);
            await await Task.WhenAny(CopyAsync(near, far), CopyAsync(far, near));
        }
        catch (Exception fault) when (fault is IOException or SocketException or OperationCanceledException)
        {
            // The server is away, or the run is over; so is the link.
        }
    }

    private async Task CopyAsync(TcpClient from, TcpClient to)
    {
        var bytes = new byte[64 * 1024];
        while (await from.GetStream().ReadAsync(bytes, _over.Token) is var count and > 0)
        {
            if (_isSlow)
            {
                await Task.Delay(TimeSpan.FromSeconds(0.1), _over.Token);
            }
            await to.GetStream().WriteAsync(bytes.AsMemory(0, count), _over.Token);
        }
    }
}
