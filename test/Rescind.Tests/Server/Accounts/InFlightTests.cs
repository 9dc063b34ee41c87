using System.Net;
using Microsoft.AspNetCore.Identity;
using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Options;
using Rescind.Server.Accounts;
using Rescind.Server.Database;

namespace Rescind.Tests.Server;

/// <summary>A password is being compared, and meanwhile the account changes.</summary>
public abstract class InFlightTests : IAsyncLifetime
{
    private const string NewPassword = "an entirely new password";

    private readonly HeldHasher _hasher = new();
    private readonly ServerUnderTest _server;

    protected InFlightTests() => _server = new ServerUnderTest
    {
        Replace = services => services.AddSingleton<IPasswordHasher<Account>>(_hasher),
    };

    [Fact]
    public async Task A_log_in_of_an_administrator_who_is_demoted_meanwhile_gives_none()
    {
        var (user, admin) = (await _server.RegisterAsync(), await _server.LogInAsAdminAsync());
        (await PatchAsync(user, new { is_admin = true }, admin)).IsSuccess();

        var logIn = await HoldAsync(() => LogInAsync(user, ServerUnderTest.Password));
        (await PatchAsync(user, new { is_admin = false }, admin)).IsSuccess();
        _hasher.Go();

        var reply = await logIn;
        reply.IsSuccess();
        Assert.False(reply.Json.GetProperty("user").GetProperty("is_admin").GetBoolean());
        (await _server.GetAsync("/api/auth/admin/users", Tokens.Of(reply.Json).Access)).IsRefusal(403, "forbidden");
    }

    [Fact]
    public async Task A_new_password_of_an_administrator_who_is_demoted_meanwhile_gives_none()
    {
        var (user, admin) = (await _server.RegisterAsync(), await _server.LogInAsAdminAsync());
        (await PatchAsync(user, new { is_admin = true }, admin)).IsSuccess();
        user = await _server.LogInAsync(user.Email);

        var change = await HoldAsync(() => ChangeAsync(user));
        (await PatchAsync(user, new { is_admin = false }, admin)).IsSuccess();
        _hasher.Go();

        var reply = await change;
        reply.IsSuccess();
        (await _server.GetAsync("/api/auth/admin/users", Tokens.Of(reply.Json).Access)).IsRefusal(403, "forbidden");
    }

    [Fact]
    public async Task A_new_password_of_a_user_who_is_disabled_meanwhile_lets_nobody_in()
    {
        var (user, admin) = (await _server.RegisterAsync(), await _server.LogInAsAdminAsync());

        var change = await HoldAsync(() => ChangeAsync(user));
        (await PatchAsync(user, new { disabled = true }, admin)).IsSuccess();
        _hasher.Go();

        (await change).IsRefusal(409, "conflict");
        (await LogInAsync(user, NewPassword)).IsRefusal(401, "invalid_credentials");
    }

    /// <summary>Else whoever sends a hundred guesses at once learns from the one that is answered otherwise which
    /// of them was right.</summary>
    [Fact]
    public async Task Guesses_under_way_when_their_address_is_locked_out_are_all_told_the_same()
    {
        var user = await _server.RegisterAsync();
        var failures = _server.Services.GetRequiredService<FailedLogins>();

        var right = await HoldAsync(() => LogInAsync(user, ServerUnderTest.Password));
        var wrong = await HoldAsync(() => LogInAsync(user, "a wrong password"));
        for (var i = 0; i < 5; i++)
        {
            failures.Failed(Credentials.Normalize(user.Email), IPAddress.Loopback);
        }
        _hasher.Go();

        (await right).IsRefusal(429, "rate_limited");
        (await wrong).IsRefusal(429, "rate_limited");
    }

    [Fact]
    public async Task Two_devices_of_a_user_from_elsewhere_log_in_at_once()
    {
        var user = await _server.RegisterAsync();
        var bcrypt = BCrypt.Net.BCrypt.HashPassword(ServerUnderTest.Password, workFactor: 4);
        await _server.Services.GetRequiredService<AccountStore>().WriteAsync(
            db => db.Accounts.Where(row => row.Id == user.UserId)
                .ExecuteUpdateAsync(row => row.SetProperty(it => it.PasswordHash, bcrypt)), CancellationToken.None);

        var first = await HoldAsync(() => LogInAsync(user, ServerUnderTest.Password));
        var second = await HoldAsync(() => LogInAsync(user, ServerUnderTest.Password));
        _hasher.Go();

        Assert.Equal((200, 200), ((await first).Status, (await second).Status));
    }

    public async ValueTask InitializeAsync() => await _server.StartWithAsync(await SettingsAsync());

    public async ValueTask DisposeAsync()
    {
        _hasher.Go();
        await _server.DisposeAsync();
        _hasher.Dispose();
        GC.SuppressFinalize(this);
    }

    protected abstract Task<(string Name, string? Value)[]> SettingsAsync();

    /// <summary>Begins a call, and comes back when its password is being compared.</summary>
    private async Task<Task<Reply>> HoldAsync(Func<Task<Reply>> call)
    {
        var before = _hasher.Held;
        _hasher.Hold();
        var reply = call();
        await _server.UntilAsync(() => _hasher.Held > before);
        return reply;
    }

    private Task<Reply> LogInAsync(Tokens user, string password) =>
        _server.PostAsync("/api/auth/login", new { email = user.Email, password });

    private Task<Reply> ChangeAsync(Tokens user) => _server.PostAsync(
        "/api/auth/change-password",
        new { current_password = ServerUnderTest.Password, new_password = NewPassword }, user.Access);

    private Task<Reply> PatchAsync(Tokens user, object body, Tokens admin) =>
        _server.SendAsync(HttpMethod.Patch, $"/api/auth/admin/users/{user.UserId}", body, admin.Access);

    /// <summary>The real hasher, whose comparisons wait while they are held.</summary>
    private sealed class HeldHasher : IPasswordHasher<Account>, IDisposable
    {
        private readonly PasswordFormats _real = new(new PasswordHasher<Account>(
            Options.Create(new PasswordHasherOptions { IterationCount = 1_000 })));

        private readonly ManualResetEventSlim _go = new(initialState: true);
        private int _held;

        /// <summary>How many comparisons have been held up so far.</summary>
        public int Held => Volatile.Read(ref _held);

        public void Hold() => _go.Reset();

        public void Go() => _go.Set();

        public string HashPassword(Account user, string password) => _real.HashPassword(user, password);

        public PasswordVerificationResult VerifyHashedPassword(
            Account user, string hashedPassword, string providedPassword)
        {
            if (!_go.IsSet)
            {
                Interlocked.Increment(ref _held);
                _go.Wait(TimeSpan.FromMinutes(1));
            }
            return _real.VerifyHashedPassword(user, hashedPassword, providedPassword);
        }

        public void Dispose() => _go.Dispose();
    }
}

public sealed class InFlightTestsOnSqlite : InFlightTests
{
    protected override Task<(string Name, string? Value)[]> SettingsAsync() =>
        Task.FromResult(Array.Empty<(string, string?)>());
}

public sealed class InFlightTestsOnPostgres(PostgresServer postgres) : InFlightTests
{
    protected override async Task<(string Name, string? Value)[]> SettingsAsync() =>
        [("DATABASE_URL", await postgres.NewDatabaseAsync())];
}
