using System.Diagnostics;
using Npgsql;
using Rescind.Tests.Redis;

namespace Rescind.Tests.Server;

/// <summary>A real PostgreSQL on a free loopback port, its files in a folder of its own. It refuses to run as root, so
/// there it runs as the user that Debian's package made.</summary>
public sealed class PostgresServer : IAsyncLifetime
{
    private const string User = "postgres";
    private const string Missing = "PostgreSQL was not found: install Debian's package 'postgresql' to run this test.";

    private static readonly string Programs = FindPrograms();

    private string _folder = "";
    private Process? _process;
    private int _databases;

    /// <summary>A folder to make its own in; null: that of the machine for such things.</summary>
    public string? Disk { get; init; }

    public bool HasEnded => _process is { HasExited: true };

    public int Port { get; } = RedisServer.FreePort();

    public static string Password => "a password: of/PostgreSQL@tests";

    public async ValueTask InitializeAsync()
    {
        _folder = Disk is null
            ? Directory.CreateTempSubdirectory("rescind-postgres-").FullName
            : Directory.CreateDirectory(Path.Combine(Disk, "postgres")).FullName;
        var password = Path.Combine(_folder, "password");
        await File.WriteAllTextAsync(password, Password);
        if (Environment.UserName == "root")
        {
            await RunAsync("chown", "-R", User, _folder);
        }
        await RunAsync(AsUser("initdb", "-D", Files, "-U", User, "-A", "scram-sha-256", "--pwfile", password, "--no-sync"));
        await StartProcessAsync();
    }

    /// <summary>The address of a new, empty database.</summary>
    public async Task<string> NewDatabaseAsync()
    {
        var name = $"test_{Interlocked.Increment(ref _databases)}";
        await ExecuteAsync(User, $"CREATE DATABASE {name}");
        return UrlOf(name);
    }

    public string UrlOf(string database, string scheme = "postgresql") =>
        $"{scheme}://{User}:{Uri.EscapeDataString(Password)}@127.0.0.1:{Port}/{database}";

    public async Task<object?> ExecuteAsync(string database, string sql)
    {
        await using var connection = new NpgsqlConnection(
            $"Host=127.0.0.1;Port={Port};Database={database};Username={User};Password=\"{Password}\";Pooling=false");
        await connection.OpenAsync();
        await using var command = new NpgsqlCommand(sql, connection);
        return await command.ExecuteScalarAsync();
    }

    /// <summary>Starts the server on the same port, with the files that it left.</summary>
    public async Task StartProcessAsync()
    {
        Launch();
        await UntilItAnswersAsync();
    }

    public Task UntilItAnswersAsync() => Eventually.TrueAsync(async () =>
    {
        Assert.False(HasEnded, "postgres ended at its start.");
        return await AnswersAsync();
    }, "PostgreSQL answers");

    /// <summary>The same, and does not wait.</summary>
    public void Launch()
    {
        string[] settings =
        [
            "-D", Files, "-p", $"{Port}", "-c", "listen_addresses=127.0.0.1", "-c", "unix_socket_directories=",
            "-c", "fsync=off", "-c", "log_min_messages=fatal",

            // Every server of a test run keeps its idle connections for five minutes.
            "-c", "max_connections=500",
        ];
        _process = Start(AsUser("postgres", settings));
    }

    public async Task<bool> AnswersAsync()
    {
        try
        {
            await ExecuteAsync(User, "SELECT 1");
            return true;
        }
        catch (NpgsqlException)
        {
            // It does not listen yet, or is recovering.
            return false;
        }
    }

    /// <summary>Ends it at once, with all its connections.</summary>
    public async Task StopAsync()
    {
        await RunAsync("kill", "-INT", $"{_process!.Id}");
        await _process.WaitForExitAsync();
    }

    /// <summary>kill -9; the processes of its connections notice and end.</summary>
    public async Task KillAsync()
    {
        _process!.Kill();
        await _process.WaitForExitAsync();
    }

    /// <summary>SIGSTOP to it and all its connections' processes: they stay open, and nobody answers.</summary>
    public Task FreezeAsync() => SignalAllAsync("-STOP");

    public Task ResumeAsync() => SignalAllAsync("-CONT");

    public async ValueTask DisposeAsync()
    {
        if (_process is { HasExited: false })
        {
            await StopAsync();
        }
        _process?.Dispose();
        Directory.Delete(_folder, recursive: true);
    }

    private string Files => Path.Combine(_folder, "files");

    private async Task SignalAllAsync(string signal)
    {
        await RunAsync("kill", signal, $"{_process!.Id}");
        await RunAsync("pkill", signal, "-P", $"{_process.Id}");
    }

    private static string FindPrograms()
    {
        const string Root = "/usr/lib/postgresql";
        var newest = Directory.Exists(Root)
            ? Directory.GetDirectories(Root).MaxBy(folder => double.Parse(Path.GetFileName(folder)))
            : null;
        return newest is null ? throw new InvalidOperationException(Missing) : Path.Combine(newest, "bin");
    }

    // setpriv becomes the program, so the process id is that of the server.
    private static string[] AsUser(string program, params string[] arguments) =>
    [
        .. Environment.UserName == "root" ? new[] { "setpriv", $"--reuid={User}", $"--regid={User}", "--clear-groups" } : [],
        Path.Combine(Programs, program), .. arguments,
    ];

    private static async Task RunAsync(params string[] command)
    {
        using var process = Start(command);
        await process.WaitForExitAsync();
        Assert.True(process.ExitCode == 0, $"{command[0]} ended with code {process.ExitCode}.");
    }

    private static Process Start(string[] command)
    {
        var process = Process.Start(new ProcessStartInfo(command[0], command[1..])
        {
            RedirectStandardOutput = true, RedirectStandardError = true, UseShellExecute = false, WorkingDirectory = "/",
        })!;
        process.BeginOutputReadLine();
        process.BeginErrorReadLine();
        return process;
    }
}
