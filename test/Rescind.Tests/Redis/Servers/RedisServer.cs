using System.Collections.Concurrent;
using System.Diagnostics;
using System.Net;
using System.Net.Sockets;
using StackExchange.Redis;

namespace Rescind.Tests.Redis;

/// <summary>A real <c>redis-server</c> on a free loopback port, its files in a folder of its own. Ended by its process
/// id.</summary>
internal sealed class RedisServer : IAsyncDisposable
{
    private const string Missing =
        "redis-server was not found: install Debian's package 'redis-server' (7.0 or later) to run this test.";

    /// <summary>Ports that somebody got and may not have taken yet, or takes again.</summary>
    private static readonly ConcurrentDictionary<int, bool> s_given = new();

    private readonly TestFolder _folder = new();
    private readonly string[] _settings;
    private readonly string? _configuration;
    private Process? _process;

    private RedisServer(int port, string[] settings, string? configuration = null) =>
        (Port, _settings, _configuration) = (port, settings, configuration);

    public int Port { get; }

    public string Address => $"127.0.0.1:{Port}";

    public string Url => $"redis://{Address}";

    public string RdbFile => _folder.PathOf("dump.rdb");

    public static Task<RedisServer> StartAsync(params string[] settings) => StartOnAsync(FreePort(), settings);

    public static async Task<RedisServer> StartOnAsync(int port, params string[] settings)
    {
        var server = new RedisServer(port, settings);
        await server.StartProcessAsync();
        return server;
    }

    /// <summary>A sentinel that watches a master as <c>main</c>; two of them agree to replace it after a second.</summary>
    public static async Task<RedisServer> StartSentinelAsync(RedisServer master)
    {
        var sentinel = new RedisServer(FreePort(), ["--sentinel"],
            $"""
            sentinel monitor main 127.0.0.1 {master.Port} 2
            sentinel down-after-milliseconds main 1000
            sentinel failover-timeout main 5000
            """);
        await sentinel.StartProcessAsync();
        return sentinel;
    }

    /// <summary>A port that nobody has, outside of those that the kernel gives to outgoing connections: one of these may
    /// take it while its server is down.</summary>
    public static int FreePort()
    {
        while (true)
        {
            var port = Random.Shared.Next(12_000, 32_000);
            using var listener = new TcpListener(IPAddress.Loopback, port);
            try
            {
                listener.Start();
                if (s_given.TryAdd(port, true))
                {
                    return port;
                }
            }
            catch (SocketException)
            {
                // Somebody has it; the next one.
            }
        }
    }

    /// <summary>Starts the server on the same port, with the files that it left.</summary>
    public async Task StartProcessAsync()
    {
        var file = _folder.PathOf("redis.conf");
        if (_configuration is not null && !File.Exists(file))
        {
            await File.WriteAllTextAsync(file, _configuration);
        }
        string[] arguments =
        [
            .. _configuration is null ? [] : new[] { file }, "--port", $"{Port}", "--bind", "127.0.0.1",
            "--dir", _folder.PathOf(""), "--daemonize", "no", "--loglevel", "warning",
            .. _configuration is null ? new[] { "--save", "" } : [], .. _settings,
        ];
        try
        {
            _process = Process.Start(new ProcessStartInfo("redis-server", arguments)
            {
                RedirectStandardOutput = true, RedirectStandardError = true, UseShellExecute = false,
            })!;
        }
        catch (System.ComponentModel.Win32Exception fault)
        {
            throw new InvalidOperationException(Missing, fault);
        }
        _process.OutputDataReceived += (_, _) => { };
        _process.BeginOutputReadLine();
        _process.BeginErrorReadLine();
        await Eventually.TrueAsync(async () => await TryPingAsync(), "redis-server answers");
    }

    public async Task KillAsync()
    {
        _process!.Kill();
        await _process.WaitForExitAsync();
    }

    public async Task RestartAsync()
    {
        await KillAsync();
        await StartProcessAsync();
    }

    public async Task FreezeAsync()
    {
        await SignalAsync("-STOP");
        await Eventually.StoppedAsync(_process!.Id);
    }

    public Task ResumeAsync() => SignalAsync("-CONT");

    /// <summary>Runs one command over a connection of its own.</summary>
    public async Task<RedisResult> CommandAsync(string command, params object[] arguments)
    {
        await using var pool = await ConnectAsync();
        return await pool.GetDatabase().ExecuteAsync(command, arguments);
    }

    public Task<ConnectionMultiplexer> ConnectAsync() =>
        ConnectionMultiplexer.ConnectAsync($"{Address},allowAdmin=true,connectTimeout=15000,syncTimeout=15000,asyncTimeout=15000");

    public async ValueTask DisposeAsync()
    {
        if (_process is { HasExited: false })
        {
            await KillAsync();
        }
        _process?.Dispose();
        _folder.Dispose();
    }

    private async Task SignalAsync(string signal)
    {
        using var kill = Process.Start("kill", [signal, $"{_process!.Id}"]);
        await kill.WaitForExitAsync();
    }

    private async Task<bool> TryPingAsync()
    {
        if (_process!.HasExited)
        {
            throw new InvalidOperationException($"redis-server ended with code {_process.ExitCode}.");
        }
        try
        {
            using var client = new TcpClient();
            await client.ConnectAsync(IPAddress.Loopback, Port);
            await client.GetStream().WriteAsync("PING\r\n"u8.ToArray());
            var answer = new byte[16];
            var count = await client.GetStream().ReadAsync(answer);
            return System.Text.Encoding.ASCII.GetString(answer, 0, count) is ['+', ..] or ['-', 'N', 'O', 'A', ..];
        }
        catch (SocketException)
        {
            return false;
        }
    }
}
