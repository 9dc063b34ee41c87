using System.Diagnostics;
using System.Net.Sockets;
using Rescind.Tests;
using Rescind.Tests.Redis;

namespace Rescind.EndToEnd.Chaos;

/// <summary>A real nginx before the nodes, which it takes in turn. One process, so that what hits it hits all of it. The
/// header <c>X-Node</c> of an answer says which node gave it.</summary>
internal sealed class Nginx : IAsyncDisposable
{
    private const string Missing = "nginx was not found: install Debian's package 'nginx' to run this test.";

    private readonly TestFolder _folder = new();
    private Process? _process;

    public int Port { get; } = RedisServer.FreePort();

    public bool HasEnded => _process is { HasExited: true };

    /// <param name="nodes">Where each node listens.</param>
    public static async Task<Nginx> StartAsync(IReadOnlyList<string> nodes)
    {
        var nginx = new Nginx();
        await File.WriteAllTextAsync(nginx._folder.PathOf("nginx.conf"), nginx.Configuration(nodes));
        await nginx.StartProcessAsync();
        return nginx;
    }

    public async Task StartProcessAsync()
    {
        try
        {
            _process = Process.Start(new ProcessStartInfo(
                "nginx", ["-p", _folder.PathOf(""), "-c", _folder.PathOf("nginx.conf"), "-e", _folder.PathOf("error.log")])
            {
                UseShellExecute = false, RedirectStandardOutput = true, RedirectStandardError = true,
            })!;
        }
        catch (System.ComponentModel.Win32Exception fault)
        {
            throw new InvalidOperationException(Missing, fault);
        }
        _process.BeginOutputReadLine();
        _process.BeginErrorReadLine();
        await Eventually.TrueAsync(ListensAsync, "nginx listens");
    }

    public async Task KillAsync()
    {
        _process!.Kill();
        await _process.WaitForExitAsync();
    }

    public Task FreezeAsync() => SignalAsync("-STOP");

    public Task ResumeAsync() => SignalAsync("-CONT");

    public async ValueTask DisposeAsync()
    {
        if (_process is { HasExited: false })
        {
            await KillAsync();
        }
        _process?.Dispose();
        _folder.Dispose();
    }

    /// <summary>What it wrote when it answered by itself.</summary>
    public string ErrorLog() => File.Exists(_folder.PathOf("error.log")) ? File.ReadAllText(_folder.PathOf("error.log")) : "";

    private string Configuration(IReadOnlyList<string> nodes) =>
        $$"""
        daemon off;
        master_process off;
        pid nginx.pid;
        events { worker_connections 512; }
        http {
            access_log off;
            client_body_temp_path body; proxy_temp_path proxy; fastcgi_temp_path fastcgi; uwsgi_temp_path uwsgi;
            scgi_temp_path scgi;
            map $upstream_addr $node {
                default "";
                {{string.Join(' ', nodes.Select((node, number) => $"\"~{node}$\" node-{number};"))}}
            }
            upstream nodes {
                {{string.Join(' ', nodes.Select(node => $"server {node} max_fails=2 fail_timeout=1s;"))}}
                keepalive 16;
            }
            server {
                listen 127.0.0.1:{{Port}};
                add_header X-Node $node always;
                location / {
                    proxy_pass http://nodes;
                    proxy_http_version 1.1;
                    proxy_set_header Connection "";
                    proxy_connect_timeout 1s; proxy_read_timeout 4s; proxy_send_timeout 4s;
                }
            }
        }
        """;

    private async Task<bool> ListensAsync()
    {
        Assert.False(_process!.HasExited, $"nginx ended at its start: {ErrorLog()}");
        try
        {
            using var client = new TcpClient();
            await client.ConnectAsync("127.0.0.1", Port);
            return true;
        }
        catch (SocketException)
        {
            // Not yet.
            return false;
        }
    }

    private async Task SignalAsync(string signal)
    {
        using var kill = Process.Start("kill", [signal, $"{_process!.Id}"]);
        await kill.WaitForExitAsync();
    }
}
