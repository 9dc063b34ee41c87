using System.Collections.Concurrent;
using System.Globalization;
using System.Net.Http.Headers;
using System.Net.Http.Json;
using System.Text.Json;
using System.Text.RegularExpressions;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting.Server;
using Microsoft.AspNetCore.Hosting.Server.Features;
using Microsoft.AspNetCore.Identity;
using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using Rescind.Server;
using Rescind.Server.Database;

namespace Rescind.Tests.Server;

/// <summary>The whole server, as Program.cs makes it, on a free port with a data folder of its own. Passwords
/// are hashed with few iterations, through the standard option, so that tests are fast.</summary>
public partial class ServerUnderTest : IAsyncLifetime
{
    public const string Secret = "a secret of the tests, longer than 32 bytes";
    public const string AdminEmail = "root@example.com";
    public const string Password = "correct horse battery";

    private readonly Dictionary<string, string?> _settings = new(StringComparer.OrdinalIgnoreCase)
    {
        ["JWT_SECRET"] = Secret,
        ["RATE_LIMIT_ENABLED"] = "false",
        ["ADMIN_EMAIL"] = AdminEmail,
        ["ADMIN_PASSWORD"] = Password,
        ["urls"] = "http://127.0.0.1:0",
    };

    private readonly LogLines _log = new();
    private WebApplication? _app;
    private int _users;

    public ServerUnderTest()
    {
        Data = Directory.CreateTempSubdirectory("rescind-server-").FullName;
        _settings["RESCIND_DATA"] = Data;
    }

    public string Data { get; }

    /// <summary>The server's clock.</summary>
    public MovableClock Clock { get; } = new();

    public Uri Address { get; private set; } = new("http://unknown/");

    public HttpClient Http { get; private set; } = new();

    /// <summary>Everything that was logged, one line an entry, exceptions included.</summary>
    public IReadOnlyCollection<string> LogEntries => _log.Lines;

    /// <summary>Replaces services before the server is built.</summary>
    public Action<IServiceCollection> Replace { get; init; } = static _ => { };

    /// <summary>Of the password hash: few, so that tests are fast.</summary>
    public int Iterations { get; init; } = 1_000;

    public IServiceProvider Services => _app!.Services;

    public static async Task<ServerUnderTest> StartAsync(params (string Name, string? Value)[] settings)
    {
        var server = new ServerUnderTest();
        await server.StartWithAsync(settings);
        return server;
    }

    /// <summary>Starts with these settings; one that cannot start is cleaned up.</summary>
    public async Task StartWithAsync(params (string Name, string? Value)[] settings)
    {
        Set(settings);
        try
        {
            await InitializeAsync();
        }
        catch
        {
            await DisposeAsync();
            throw;
        }
    }

    public virtual async ValueTask InitializeAsync()
    {
        var environment = _settings.GetValueOrDefault("ENVIRONMENT") ?? "Production";
        var builder =
            WebApplication.CreateBuilder(new WebApplicationOptions { EnvironmentName = environment });
        builder.Configuration.AddInMemoryCollection(_settings);
        builder.Services.AddSingleton<TimeProvider>(Clock);
        builder.AddAuthServer();
        builder.Logging.ClearProviders().AddProvider(_log);
        builder.Services.Configure<PasswordHasherOptions>(hasher => hasher.IterationCount = Iterations);
        Replace(builder.Services);
        _app = builder.Build();
        _app.MapAuthServer();
        await _app.StartAsync();
        var addresses = _app.Services.GetRequiredService<IServer>().Features.Get<IServerAddressesFeature>()!;
        Address = new Uri(addresses.Addresses.First());
        Http.Dispose();
        Http = new HttpClient(
            new SocketsHttpHandler { MaxConnectionsPerServer = 64, Expect100ContinueTimeout = TimeSpan.FromSeconds(30) }) { BaseAddress = Address };
    }

    /// <summary>Stops the server and starts it again on the same files.</summary>
    public async Task RestartAsync(params (string Name, string? Value)[] settings)
    {
        await StopAsync();
        Set(settings);
        await InitializeAsync();
    }

    public async Task StopAsync()
    {
        if (_app is not null)
        {
            await _app.StopAsync();
            await _app.DisposeAsync();
            _app = null;
        }
    }

    public async ValueTask DisposeAsync()
    {
        await StopAsync();
        Http.Dispose();
        Secrets.AreNotIn(_log.Lines, Secret, Password, PostgresServer.Password);
        _log.Dispose();
        Microsoft.Data.Sqlite.SqliteConnection.ClearAllPools();
        Directory.Delete(Data, recursive: true);
        GC.SuppressFinalize(this);
    }

    public string NewEmail() => $"user{Interlocked.Increment(ref _users)}@example.com";

    /// <summary>Registers a user that nobody else in the test uses.</summary>
    public async Task<Tokens> RegisterAsync(string? email = null) =>
        await TokensAsync("/api/auth/register", new { email = email ?? NewEmail(), password = Password });

    public async Task<Tokens> LogInAsync(string email, string password = Password) =>
        await TokensAsync("/api/auth/login", new { email, password });

    /// <summary>Asks, with what the call prepares anew, again where the server gave up counting after a second, because the
    /// machine stood still.</summary>
    public static async Task<Reply> CountedAsync(string count, Func<Task<Reply>> ask)
    {
        var reply = await ask();
        for (var tries = 1; tries < 4 && reply.Json.GetProperty(count).ValueKind == JsonValueKind.Null; tries++)
        {
            reply = await ask();
        }
        return reply;
    }

    public Task<Tokens> LogInAsAdminAsync() => LogInAsync(AdminEmail);

    public async Task<Reply> SendAsync(
        HttpMethod method, string path, object? body = null, string? token = null)
    {
        using var request = new HttpRequestMessage(method, path);
        if (token is not null)
        {
            request.Headers.Authorization = new AuthenticationHeaderValue("Bearer", token);
        }
        // As curl does: a server that refuses a large body can say so before it is sent.
        request.Headers.ExpectContinue = body is ByteArrayContent;
        request.Content = body as HttpContent ?? (body is null ? null : JsonContent.Create(body));
        using var response = await Http.SendAsync(request);
        var reply = await Reply.OfAsync(response);
        await DescribedAnswers.CheckAsync(method, path, reply);
        return reply;
    }

    public Task<Reply> GetAsync(string path, string? token = null) =>
        SendAsync(HttpMethod.Get, path, null, token);

    public Task<Reply> PostAsync(string path, object? body = null, string? token = null) =>
        SendAsync(HttpMethod.Post, path, body, token);

    public async Task<int> ProfileStatusAsync(string token) =>
        (await GetAsync("/api/users/profile", token)).Status;

    /// <summary>Time passes, also for what has been noted of refreshes by the clock of PostgreSQL, which cannot be moved.
    /// </summary>
    public async Task PassAsync(TimeSpan time)
    {
        Clock.Advance(time);
        if (IsSet("DATABASE_URL"))
        {
            await Services.GetRequiredService<AccountStore>().WriteAsync(db => ShiftAsync(db, time), CancellationToken.None);
        }
    }

    /// <summary>Waits for a condition that time brings about.</summary>
    public async Task UntilAsync(Func<bool> condition)
    {
        using var giveUp = new CancellationTokenSource(TimeSpan.FromSeconds(30));
        using var timer = new PeriodicTimer(TimeSpan.FromMilliseconds(10));
        while (!condition())
        {
            await timer.WaitForNextTickAsync(giveUp.Token);
        }
    }

    /// <summary>How many revocations are live; with a user, of that user.</summary>
    public long LiveRevocations(string? user = null)
    {
        var blacklist = Services.GetRequiredService<Blacklist>();
        return user is null
            ? blacklist.GetStatus().Rules.Values.Sum()
            : blacklist.Find(RuleKind.Subject, "rescind", user).Count;
    }

    private static async Task<int> ShiftAsync(AccountsDb db, TimeSpan time)
    {
        foreach (var session in await db.Sessions.Where(row => row.JustRotated != "").ToListAsync())
        {
            session.JustRotated = Times().Replace(session.JustRotated, at =>
                $"@{long.Parse(at.ValueSpan[1..], CultureInfo.InvariantCulture) - (long)time.TotalMilliseconds}");
        }
        return await db.SaveChangesAsync();
    }

    [GeneratedRegex("@[0-9]+")]
    private static partial Regex Times();

    protected bool IsSet(string name) => _settings.ContainsKey(name);

    protected void Set(params (string Name, string? Value)[] settings)
    {
        foreach (var (name, value) in settings)
        {
            _settings[name] = value;
        }
    }

    private async Task<Tokens> TokensAsync(string path, object body)
    {
        var reply = await PostAsync(path, body);
        Assert.True(reply.Status is 200 or 201, $"{path} answered {reply.Status}: {reply.Text}");
        return Tokens.Of(reply.Json);
    }
}

/// <summary>A token answer, as a client keeps it.</summary>
public sealed record Tokens(string Access, string Refresh, string Session, string UserId, string Email)
{
    public static Tokens Of(JsonElement json) => new(
        json.GetProperty("access_token").GetString()!,
        json.GetProperty("refresh_token").GetString()!,
        json.GetProperty("session_id").GetString()!,
        json.GetProperty("user").GetProperty("id").GetString()!,
        json.GetProperty("user").GetProperty("email").GetString()!);
}

/// <summary>An answer of the server, read to its end.</summary>
public sealed record Reply(int Status, string Text, string? MediaType, IReadOnlyDictionary<string,
    string> Headers)
{
    public JsonElement Json => JsonElement.Parse(Text);

    public string? Code => Json.GetProperty("code").GetString();

    public string? Detail => Json.GetProperty("detail").GetString();

    public static async Task<Reply> OfAsync(HttpResponseMessage response)
    {
        var headers = response.Headers.Concat(response.Content.Headers).ToDictionary(
            header => header.Key, header => string.Join(", ", header.Value),
                StringComparer.OrdinalIgnoreCase);
        return new Reply(
            (int)response.StatusCode, await response.Content.ReadAsStringAsync(),
            response.Content.Headers.ContentType?.MediaType, headers);
    }

    /// <summary>This is a refusal of the contract: status, problem+json, code, and nothing cut off.</summary>
    public void IsRefusal(int status, string code)
    {
        Assert.True(status == Status, $"Expected {status}, got {Status}: {Text}");
        Assert.Equal("application/problem+json", MediaType);
        Assert.Equal(code, Code);
        Assert.Equal(status, Json.GetProperty("status").GetInt32());
        Assert.False(string.IsNullOrWhiteSpace(Detail));
        Assert.DoesNotContain("   at ", Text, StringComparison.Ordinal);
        if (status == 401)
        {
            Assert.StartsWith("Bearer", Headers["WWW-Authenticate"], StringComparison.Ordinal);
        }
    }

    /// <summary>This is a good answer of the contract.</summary>
    public void IsSuccess(int status = 200)
    {
        Assert.True(status == Status, $"Expected {status}, got {Status}: {Text}");
        Assert.True(Json.GetProperty("success").GetBoolean());
        Assert.False(string.IsNullOrWhiteSpace(Json.GetProperty("message").GetString()));
        Assert.Equal("no-store", Headers["Cache-Control"]);
    }
}

/// <summary>Keeps what is logged.</summary>
internal sealed class LogLines : ILoggerProvider
{
    private readonly ConcurrentQueue<string> _lines = new();

    public IReadOnlyCollection<string> Lines => _lines;

    public ILogger CreateLogger(string categoryName) => new Writer(categoryName, _lines);

    public void Dispose()
    {
    }

    private sealed class Writer(string category, ConcurrentQueue<string> lines) : ILogger
    {
        public IDisposable? BeginScope<TState>(TState state) where TState : notnull => null;

        public bool IsEnabled(LogLevel logLevel) => true;

        public void Log<TState>(
            LogLevel logLevel, EventId eventId, TState state, Exception? exception,
            Func<TState, Exception?, string> formatter) =>
            lines.Enqueue($"{logLevel} {category}[{eventId.Id}] {formatter(state, exception)} {exception}");
    }
}
