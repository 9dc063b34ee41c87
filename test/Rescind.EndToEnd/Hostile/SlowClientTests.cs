using System.Diagnostics;
using System.Net;
using System.Text;

namespace Rescind.EndToEnd.Hostile;

/// <summary>Connections that cost the server something and bring nothing. Others must hardly notice, memory must stay
/// bounded, and the connections must end.</summary>
public sealed class SlowClientTests(ITestOutputHelper output) : IAsyncLifetime
{
    private const int Idle = 10_000;

    /// <summary>What a stranger may cost a bystander on a busy machine of two cores.</summary>
    private const double LongestMs = 2_000;

    private ServerProcess _server = null!;
    private Bystander _bystander = null!;

    public async ValueTask InitializeAsync()
    {
        _server = await ServerProcess.StartedAsync();
        var app = new MobileApp(_server.Client);
        _bystander = new Bystander(app, (await app.RegisterAsync()).Access);
        await _bystander.WhileAsync(Task.Delay(1_000));
    }

    public ValueTask DisposeAsync() => _server.DisposeAsync();

    [Fact]
    public async Task Ten_thousand_idle_connections_are_not_noticed_by_others()
    {
        var (before, memory) = (await _bystander.WhileAsync(Task.Delay(2_000)), _server.WorkingSet);
        var clients = new List<RawClient>();
        try
        {
            var opening = await _bystander.WhileAsync(OpenAsync(clients, Idle));
            var during = await _bystander.WhileAsync(Task.Delay(2_000));
            var grown = _server.WorkingSet - memory;
            output.WriteLine($"before: {before}; while {Idle:n0} connect: {opening}; beside them: {during}; "
                + $"{grown / Idle / 1024.0:n1} KiB each");
            Assert.InRange(during.Longest, 0, LongestMs);
            Assert.InRange(grown, 0, Idle * 40L * 1024);

            // They are connections, not leftovers in a queue: any of them is answered.
            foreach (var client in new[] { clients[0], clients[Idle / 2], clients[^1] })
            {
                Assert.True(await client.SendAsync("GET /health/live HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"));
                var answer = await client.ReadAsync(TimeSpan.FromSeconds(5));
                Assert.Equal([200], RawClient.StatusesOf(answer.Text));
            }
        }
        finally
        {
            clients.ForEach(client => client.Dispose());
        }
        Assert.InRange((await _bystander.WhileAsync(Task.Delay(1_000))).Longest, 0, LongestMs);
    }

    [Fact]
    public async Task Headers_and_bodies_byte_by_byte_are_cut_off_and_not_noticed_by_others()
    {
        const string Headers = "GET /health/live HTTP/1.1\r\nHost: x\r\nX-Slow: ";
        const string Body = "POST /api/auth/login HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 5000\r\n\r\n{";
        var (before, memory) = (await _bystander.WhileAsync(Task.Delay(2_000)), _server.WorkingSet);
        var began = Stopwatch.GetTimestamp();
        var slow = Task.WhenAll(Enumerable.Range(0, 600).Select(number => DripAsync(number % 2 == 0 ? Headers : Body)));
        var during = await _bystander.WhileAsync(slow);
        var ends = await slow;
        output.WriteLine($"before: {before}; beside 600 slow clients: {during}; the last was cut off after "
            + $"{Stopwatch.GetElapsedTime(began).TotalSeconds:n0} s; {(_server.WorkingSet - memory) >> 20} MiB");
        Assert.All(ends, end => Assert.Contains("408", end, StringComparison.Ordinal));
        Assert.InRange(during.Longest, 0, LongestMs);
        Assert.InRange((_server.WorkingSet - memory) >> 20, -1_000, 200);
    }

    [Fact]
    public async Task Clients_that_ask_much_and_read_nothing_fill_no_memory()
    {
        const string Asked = "GET /health/live HTTP/1.1\r\nHost: x\r\n\r\n";
        var memory = _server.WorkingSet;
        var many = string.Concat(Enumerable.Repeat(Asked, 20_000));
        var clients = new List<RawClient>();
        await OpenAsync(clients, 50);
        try
        {
            var sending = Task.WhenAll(clients.Select(client => client.SendAsync(many)));
            var during = await _bystander.WhileAsync(Task.WhenAny(sending, Task.Delay(15_000)));
            var grown = (_server.WorkingSet - memory) >> 20;
            output.WriteLine($"beside 50 clients that ask 20,000 times and read nothing: {during}; {grown} MiB");
            Assert.InRange(grown, -1_000, 200);
        }
        finally
        {
            clients.ForEach(client => client.Dispose());
        }
        var after = await _bystander.WhileAsync(Task.Delay(3_000));
        Assert.InRange(after.Longest, 0, LongestMs);
    }

    [Fact]
    public async Task Half_open_connections_end_without_a_fault()
    {
        var part = "POST /api/auth/login HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 50\r\n\r\n{\"email\"";
        for (var cut = 1; cut < part.Length; cut += 7)
        {
            using var client = await RawClient.ConnectedAsync(_server.Port);
            await client.SendAsync(part[..cut]);
            client.EndSending();
            var (text, isClosed) = await client.ReadAsync(TimeSpan.FromSeconds(10));
            Assert.True(isClosed, $"Still open after {cut} bytes.");
            Assert.All(RawClient.StatusesOf(text), status => Assert.Equal(400, status));
        }
        Assert.DoesNotContain("xception", _server.Output, StringComparison.Ordinal);
    }

    private async Task OpenAsync(List<RawClient> clients, int count)
    {
        for (var opened = 0; opened < count; opened += 50)
        {
            clients.AddRange(await Task.WhenAll(Enumerable.Range(0, 50).Select(_ => RawClient.ConnectedAsync(_server.Port))));
        }
    }

    /// <summary>A byte every half second, until the server has had enough.</summary>
    private async Task<string> DripAsync(string beginning)
    {
        using var client = await RawClient.ConnectedAsync(_server.Port);
        await client.SendAsync(beginning);
        var reading = client.ReadAsync(TimeSpan.FromSeconds(60));
        while (!reading.IsCompleted && await client.SendAsync("x"))
        {
            await Task.WhenAny(reading, Task.Delay(500));
        }
        return (await reading).Text;
    }
}
