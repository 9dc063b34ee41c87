using System.Collections.Concurrent;
using System.Net;
using System.Net.Sockets;
using System.Text;

namespace Rescind.Tests.Redis;

/// <summary>A link to a server that a test can break in the ways that networks do.</summary>
internal sealed class TcpProxy : IAsyncDisposable
{
    private readonly TcpListener _listener = new(IPAddress.Loopback, 0);
    private readonly CancellationTokenSource _over = new();
    private readonly ConcurrentDictionary<TcpClient, bool> _open = new();
    private readonly int _target;
    private readonly (byte[] Theirs, byte[] Ours)[] _ports;
    private readonly Task _accepting;
    private volatile Mode _mode = Mode.Passes;

    /// <param name="target">The port that it leads to.</param>
    /// <param name="others">Links to other servers: where this server's answers name the port of one of those, they name
    /// the link's port instead. So a client that asks a Sentinel stays on links.</param>
    public TcpProxy(int target, params IEnumerable<TcpProxy> others)
    {
        _target = target;
        _ports = [.. others.Select(other => (Encoding.ASCII.GetBytes($"{other._target}"), Encoding.ASCII.GetBytes($"{other.Port}")))];
        Assert.All(_ports, pair => Assert.Equal(pair.Theirs.Length, pair.Ours.Length));
        _listener.Start();
        _accepting = AcceptAsync();
    }

    private enum Mode
    {
        Passes,
        Refuses,
        Stalls,
        Swallows,
        Crawls,
    }

    public int Port => ((IPEndPoint)_listener.LocalEndpoint).Port;

    public string Address => $"127.0.0.1:{Port}";

    /// <summary>Ends all connections and every new one.</summary>
    public void Cut()
    {
        _mode = Mode.Refuses;
        foreach (var client in _open.Keys)
        {
            client.Close();
        }
    }

    /// <summary>Connections stay open, and nothing comes through until <see cref="Restore"/>; then all of it.</summary>
    public void Stall() => _mode = Mode.Stalls;

    /// <summary>Connections stay open for both ends, and what is sent is gone: what a router that forgot them does. Those
    /// of now stay so; only new ones work after <see cref="Restore"/>.</summary>
    public void HalfOpen() => _mode = Mode.Swallows;

    /// <summary>All comes through, each piece a fifth of a second late.</summary>
    public void Slow() => _mode = Mode.Crawls;

    public void Restore() => _mode = Mode.Passes;

    public async ValueTask DisposeAsync()
    {
        await _over.CancelAsync();
        _listener.Stop();
        Cut();
        await _accepting;
        _over.Dispose();
    }

    private async Task AcceptAsync()
    {
        while (!_over.IsCancellationRequested)
        {
            try
            {
                var near = await _listener.AcceptTcpClientAsync(_over.Token);
                _ = ConnectAsync(near);
            }
            catch (Exception fault) when (fault is OperationCanceledException or SocketException)
            {
                Assert.True(_over.IsCancellationRequested, fault.Message);
            }
        }
    }

    private async Task ConnectAsync(TcpClient near)
    {
        using var client = near;
        using var far = new TcpClient();
        if (_mode == Mode.Refuses)
        {
            return;
        }
        try
        {
            await far.ConnectAsync(IPAddress.Loopback, _target, _over.Token);
            _open[near] = _open[far] = true;
            if (_mode == Mode.Refuses)
            {
                return; // cut meanwhile
            }
            await Task.WhenAny(CopyAsync(near, far), CopyAsync(far, near));
        }
        catch (SocketException)
        {
            // The server is away; so is the link.
        }
        finally
        {
            _open.TryRemove(near, out _);
            _open.TryRemove(far, out _);
        }
    }

    private async Task CopyAsync(TcpClient from, TcpClient to)
    {
        var (bytes, isDead) = (new byte[64 * 1024], false);
        try
        {
            while (await from.GetStream().ReadAsync(bytes, _over.Token) is var count and > 0)
            {
                while (_mode == Mode.Stalls)
                {
                    await Task.Delay(5, _over.Token);
                }
                await Task.Delay(_mode == Mode.Crawls ? TimeSpan.FromSeconds(0.2) : TimeSpan.Zero, _over.Token);
                isDead |= _mode == Mode.Swallows;
                if (!isDead)
                {
                    Rename(bytes.AsSpan(0, count));
                    await to.GetStream().WriteAsync(bytes.AsMemory(0, count), _over.Token);
                }
            }
        }
        catch (Exception fault) when (fault is IOException or ObjectDisposedException or OperationCanceledException
            or InvalidOperationException)
        {
            // One end is gone, or the test is over; the other end goes with it.
        }
    }

    private void Rename(Span<byte> sent)
    {
        foreach (var (theirs, ours) in _ports)
        {
            for (var at = sent.IndexOf(theirs); at >= 0; at = sent.IndexOf(theirs))
            {
                ours.CopyTo(sent[at..]);
            }
        }
    }
}
