using System.Diagnostics;
using System.Net;
using System.Net.Sockets;
using StackExchange.Redis;

namespace Rescind.Benchmarks;

/// <summary>A real <c>redis-server</c> on a free loopback port, without persistence unless asked; ended by its
/// process id.</summary>
internal sealed class RedisProcess : IAsyncDisposable
{
    private readonly string _folder = Directory.CreateTempSubdirectory("rescind-redis-").FullName;
    private Process? _process;

    private RedisProcess(int port) => Port = port;

    public int Port { get; }

    public string Address => $"127.0.0.1:{Port}";

    public string Url => $"redis://{Address}";

    public static async Task<RedisProcess> StartAsync()
    {
        var server = new RedisProcess(FreePort());
        await server.StartProcessAsync();
        return server;
    }

    /// <summary>Starts it on the same port, empty.</summary>
    public async Task StartProcessAsync()
    {
        _process = Process.Start(new ProcessStartInfo(
            "redis-server",
            ["--port", $"{Port}", "--bind", "127.0.0.1", "--save", "", "--dir", _folder, "--loglevel", "warning"])
        {
            RedirectStandardOutput = true, UseShellExecute = false,
        })!;
        _process.OutputDataReceived += (_, _) => { };
        _process.BeginOutputReadLine();
        while (!await AnswersAsync())
        {
            if (_process.HasExited)
            {
                throw new InvalidOperationException($"redis-server ended with code {_process.ExitCode}.");
            }
            await Task.Delay(10);
        }
    }

    /// <summary>A client with much patience: on a busy machine a crowd of calls takes longer than the usual 5 s, and
    /// then it was slow, not wrong.</summary>
    public Task<ConnectionMultiplexer> ConnectAsync() => ConnectionMultiplexer.ConnectAsync(
        $"{Address},abortConnect=false,allowAdmin=true,asyncTimeout=60000,syncTimeout=60000");

    public async Task KillAsync()
    {
        _process!.Kill();
        await _process.WaitForExitAsync();
    }

    public Task FreezeAsync() => SignalAsync("-STOP");

    public Task ResumeAsync() => SignalAsync("-CONT");

    /// <summary>Bytes that the server says it uses.</summary>
    public async Task<long> UsedAsync()
    {
        await using var pool = await ConnectAsync();
        var info = (await pool.GetDatabase().ExecuteAsync("INFO", "memory")).ToString();
        return long.Parse(info.Split("used_memory:")[1].Split('\r')[0]);
    }

    public async ValueTask DisposeAsync()
    {
        if (_process is { HasExited: false })
        {
            await KillAsync();
        }
        _process?.Dispose();
        Directory.Delete(_folder, recursive: true);
    }

    private static int FreePort()
    {
        using var listener = new TcpListener(IPAddress.Loopback, 0);
        listener.Start();
        return ((IPEndPoint)listener.LocalEndpoint).Port;
    }

    private async Task SignalAsync(string signal)
    {
        using var kill = Process.Start("kill", [signal, $"{_process!.Id}"]);
        await kill.WaitForExitAsync();
    }

    private async Task<bool> AnswersAsync()
    {
        try
        {
            using var client = new TcpClient();
            await client.ConnectAsync(IPAddress.Loopback, Port);
            await client.GetStream().WriteAsync("PING\r\n"u8.ToArray());
            var answer = new byte[16];
            return await client.GetStream().ReadAsync(answer) > 0 && answer[0] == '+';
        }
        catch (SocketException)
        {
            return false;
        }
    }
}
