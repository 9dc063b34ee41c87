using System.Diagnostics;
using System.Net.Sockets;
using Rescind.Tests.Redis;

namespace Rescind.Tests.Server;

/// <summary>A real SMTP server on a free loopback port, which keeps what it gets in a folder.</summary>
internal sealed class MailServer : IAsyncDisposable
{
    private const string Missing = "aiosmtpd was not found: install Debian's package 'python3-aiosmtpd' to run this test.";

    private readonly TestFolder _folder = new();
    private Process? _process;

    public int Port { get; } = RedisServer.FreePort();

    public string Url => $"smtp://127.0.0.1:{Port}";

    /// <summary>The largest message that it takes, in bytes.</summary>
    private int MostBytes { get; init; } = 1_000_000;

    public static async Task<MailServer> StartAsync(int mostBytes = 1_000_000)
    {
        var server = new MailServer { MostBytes = mostBytes };
        await server.StartProcessAsync();
        return server;
    }

    public async Task StartProcessAsync()
    {
        try
        {
            _process = Process.Start(new ProcessStartInfo("aiosmtpd",
                ["-n", "-s", $"{MostBytes}", "-l", $"127.0.0.1:{Port}", "-c", "aiosmtpd.handlers.Mailbox", _folder.PathOf("mail")])
            {
                UseShellExecute = false, RedirectStandardError = true, RedirectStandardOutput = true,
            })!;
        }
        catch (System.ComponentModel.Win32Exception fault)
        {
            throw new InvalidOperationException(Missing, fault);
        }
        _process.BeginErrorReadLine();
        _process.BeginOutputReadLine();
        await Eventually.TrueAsync(async () =>
        {
            Assert.False(_process.HasExited, "aiosmtpd ended at its start.");
            try
            {
                using var client = new TcpClient();
                await client.ConnectAsync("127.0.0.1", Port);
                return true;
            }
            catch (SocketException)
            {
                // It does not listen yet.
                return false;
            }
        }, "the mail server answers");
    }

    public async Task StopAsync()
    {
        _process!.Kill();
        await _process.WaitForExitAsync();
    }

    /// <summary>The whole messages that have arrived, the oldest first.</summary>
    public IReadOnlyList<string> Messages()
    {
        var box = _folder.PathOf(Path.Combine("mail", "new"));
        return Directory.Exists(box)
            ? [.. new DirectoryInfo(box).GetFiles().OrderBy(file => file.CreationTimeUtc).Select(file => File.ReadAllText(file.FullName))]
            : [];
    }

    /// <summary>Waits until so many have arrived.</summary>
    public async Task<string> MessageAsync(int number)
    {
        await Eventually.TrueAsync(() => Messages().Count >= number, $"mail {number} arrives");
        return Messages()[number - 1];
    }

    public async ValueTask DisposeAsync()
    {
        if (_process is { HasExited: false })
        {
            await StopAsync();
        }
        _process?.Dispose();
        _folder.Dispose();
    }
}
