using System.Diagnostics;
using System.Net;
using System.Net.Sockets;
using System.Text;

namespace Rescind.EndToEnd.Hostile;

/// <summary>A connection on which anything can be sent, byte by byte if need be.</summary>
internal sealed class RawClient : IDisposable
{
    private readonly Socket _socket = new(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp) { NoDelay = true };

    public static async Task<RawClient> ConnectedAsync(int port)
    {
        var client = new RawClient();
        await client._socket.ConnectAsync(IPAddress.Loopback, port);
        return client;
    }

    /// <summary>Sends; false: the server has closed the connection.</summary>
    public async Task<bool> SendAsync(ReadOnlyMemory<byte> bytes)
    {
        try
        {
            while (!bytes.IsEmpty)
            {
                bytes = bytes[await _socket.SendAsync(bytes)..];
            }
            return true;
        }
        catch (SocketException)
        {
            return false;
        }
    }

    public Task<bool> SendAsync(string text) => SendAsync(Encoding.Latin1.GetBytes(text));

    /// <summary>Says that nothing more comes; answers can still be read.</summary>
    public void EndSending() => _socket.Shutdown(SocketShutdown.Send);

    /// <summary>All that comes until the server closes the connection, or nothing has come for a while.</summary>
    /// <returns>What came, and whether the server closed.</returns>
    public async Task<(string Text, bool IsClosed)> ReadAsync(TimeSpan patience)
    {
        var (text, buffer) = (new StringBuilder(), new byte[64 * 1024]);
        while (true)
        {
            using var limit = new CancellationTokenSource(patience);
            try
            {
                var count = await _socket.ReceiveAsync(buffer, limit.Token);
                if (count == 0)
                {
                    return (text.ToString(), true);
                }
                text.Append(Encoding.Latin1.GetString(buffer, 0, count));
            }
            catch (OperationCanceledException)
            {
                return (text.ToString(), false);
            }
            catch (SocketException)
            {
                // Reset, which is a way to close.
                return (text.ToString(), true);
            }
        }
    }

    public void Dispose() => _socket.Dispose();

    /// <summary>Sends on a new connection and gives the statuses of all answers.</summary>
    public static async Task<(int[] Statuses, bool IsClosed, string Text)> AskAsync(int port, string text, int patienceMs = 1_000)
    {
        using var client = await ConnectedAsync(port);
        var sending = client.SendAsync(text);
        var (answer, isClosed) = await client.ReadAsync(TimeSpan.FromMilliseconds(patienceMs));
        await sending;
        return (StatusesOf(answer), isClosed, answer);
    }

    public static int[] StatusesOf(string answers) =>
        [.. answers.Split("HTTP/1.1 ").Skip(1).Select(answer => int.Parse(answer[..3]))];
}

/// <summary>How long somebody else's calls take while something hostile goes on.</summary>
internal sealed class Bystander(MobileApp app, string token)
{
    /// <summary>Asks for the profile, one call after the other, until the work is done.</summary>
    public async Task<Latencies> WhileAsync(Task work)
    {
        var times = new List<double>();
        while (!work.IsCompleted || times.Count < 50)
        {
            var sent = Stopwatch.GetTimestamp();
            Assert.Equal(200, await app.ProfileAsync(token));
            times.Add(Stopwatch.GetElapsedTime(sent).TotalMilliseconds);
            await Task.Delay(2);
        }
        await work;
        times.Sort();
        return new Latencies(times.Count, times[times.Count / 2], times[times.Count * 99 / 100], times[^1]);
    }
}

internal sealed record Latencies(int Calls, double P50, double P99, double Longest)
{
    public override string ToString() => $"{Calls:n0} calls, p50 {P50:n1}, p99 {P99:n1}, longest {Longest:n0} ms";
}
