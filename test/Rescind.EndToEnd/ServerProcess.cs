using System.Diagnostics;
using System.Net;
using System.Text;
using Rescind.Tests.Redis;
using Rescind.Tests.Server;

namespace Rescind.EndToEnd;

/// <summary>A real server process on a free loopback port, ended by its process id. Its folder lives as long as this
/// object, so that it can be killed and started again.</summary>
internal sealed class ServerProcess : IAsyncDisposable
{
    public const string Secret = "an end-to-end secret of more than 32 bytes";
    public const string AdminEmail = "admin@rescind.example";
    public const string AdminPassword = "the first administrator's password";

    /// <summary>The published server where build.cs runs the tests, otherwise the one that was built with them.</summary>
    private static readonly string Program = Environment.GetEnvironmentVariable("RESCIND_SERVER") ?? Path.GetFullPath(
        Path.Combine(
            AppContext.BaseDirectory, "../../../../..", "src/Rescind.Server",
            Path.GetRelativePath(Path.Combine(AppContext.BaseDirectory, "../../.."), AppContext.BaseDirectory),
            "Rescind.Server.dll"));

    private readonly Dictionary<string, string?> _settings;
    private readonly StringBuilder _output = new();
    private Process? _process;

    public ServerProcess(params (string Name, string? Value)[] settings)
    {
        Folder = Directory.CreateTempSubdirectory("rescind-e2e-").FullName;
        Port = RedisServer.FreePort();
        _settings = new Dictionary<string, string?>(StringComparer.Ordinal)
        {
            ["RESCIND_DATA"] = Path.Combine(Folder, "data"), ["ASPNETCORE_URLS"] = $"http://127.0.0.1:{Port}",
            ["ENVIRONMENT"] = "Production", ["JWT_SECRET"] = Secret, ["ADMIN_EMAIL"] = AdminEmail,
            ["ADMIN_PASSWORD"] = AdminPassword, ["RATE_LIMIT_ENABLED"] = "false",
        };
        foreach (var (name, value) in settings)
        {
            _settings[name] = value;
        }
        Client = new HttpClient { BaseAddress = new Uri($"http://127.0.0.1:{Port}"), Timeout = TimeSpan.FromSeconds(60) };
    }

    public string Folder { get; }

    public string Data => Path.Combine(Folder, "data");

    public int Port { get; }

    public HttpClient Client { get; }

    /// <summary>Its memory, in bytes.</summary>
    public long WorkingSet
    {
        get
        {
            _process!.Refresh();
            return _process.WorkingSet64;
        }
    }

    /// <summary>Sets a variable for the next start; null: removes it.</summary>
    public void Set(string name, string? value) => _settings[name] = value;

    /// <summary>All that the process has written so far, over all its starts.</summary>
    public string Output
    {
        get
        {
            lock (_output)
            {
                return _output.ToString();
            }
        }
    }

    public static async Task<ServerProcess> StartedAsync(params (string Name, string? Value)[] settings)
    {
        var server = new ServerProcess(settings);
        await server.StartAsync();
        return server;
    }

    /// <summary>Starts and waits until it is ready.</summary>
    /// <returns>How long that took.</returns>
    public async Task<TimeSpan> StartAsync()
    {
        var started = Stopwatch.GetTimestamp();
        Launch();
        while (!await IsReadyAsync())
        {
            Assert.False(_process!.HasExited, $"The server ended at its start:\n{Output}");
            Assert.True(Stopwatch.GetElapsedTime(started) < TimeSpan.FromSeconds(60), $"Not ready:\n{Output}");
            await Task.Delay(20);
        }
        return Stopwatch.GetElapsedTime(started);
    }

    /// <summary>Starts a process that is expected to end by itself.</summary>
    public async Task<int> RunToEndAsync()
    {
        Launch();
        await _process!.WaitForExitAsync().WaitAsync(TimeSpan.FromSeconds(60));
        return _process.ExitCode;
    }

    public bool HasEnded => _process is { HasExited: true };

    /// <summary>kill -9.</summary>
    public async Task KillAsync()
    {
        _process!.Kill();
        await _process.WaitForExitAsync();
    }

    /// <summary>SIGSTOP: its connections stay open, and nobody answers.</summary>
    public async Task FreezeAsync()
    {
        await SignalAsync("-STOP");
        await Eventually.StoppedAsync(_process!.Id);
    }

    public Task ResumeAsync() => SignalAsync("-CONT");

    /// <summary>SIGTERM, as a service manager sends it.</summary>
    public async Task<int> StopAsync()
    {
        await SignalAsync("-TERM");
        await _process!.WaitForExitAsync().WaitAsync(TimeSpan.FromSeconds(60));
        return _process.ExitCode;
    }

    public async ValueTask DisposeAsync()
    {
        if (_process is { HasExited: false })
        {
            await KillAsync();
        }
        _process?.Dispose();
        Secrets.AreNotIn(
            Output.Split('\n'), Secret, AdminPassword, MobileApp.Password, PostgresServer.Password);
        Client.Dispose();
        Directory.Delete(Folder, recursive: true);
    }

    private async Task SignalAsync(string signal)
    {
        using var kill = Process.Start("kill", [signal, _process!.Id.ToString()]);
        await kill.WaitForExitAsync();
    }

    /// <summary>Starts it, and does not wait.</summary>
    public void Launch()
    {
        var start = new ProcessStartInfo("dotnet", [Program])
        {
            WorkingDirectory = Folder, RedirectStandardOutput = true, RedirectStandardError = true,
            UseShellExecute = false,
        };
        foreach (var (name, value) in _settings)
        {
            start.Environment[name] = value;
        }
        var process = new Process { StartInfo = start };
        process.OutputDataReceived += (_, line) => Keep(line.Data);
        process.ErrorDataReceived += (_, line) => Keep(line.Data);
        process.Start();
        process.BeginOutputReadLine();
        process.BeginErrorReadLine();

        // Only now: others ask meanwhile whether it has ended.
        _process = process;
    }

    private void Keep(string? line)
    {
        lock (_output)
        {
            _output.AppendLine(line);
        }
    }

    private async Task<bool> IsReadyAsync()
    {
        try
        {
            using var answer = await Client.GetAsync("/health/ready");
            return answer.StatusCode == HttpStatusCode.OK;
        }
        catch (HttpRequestException)
        {
            // It does not listen yet.
            return false;
        }
    }
}
