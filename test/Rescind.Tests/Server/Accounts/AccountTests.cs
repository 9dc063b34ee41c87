using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.DependencyInjection;
using Rescind.Server.Accounts;
using Rescind.Server.Database;

namespace Rescind.Tests.Server;

/// <summary>What the owner of an account does with it.</summary>
public abstract class AccountTests(ServerUnderTest server)
{
    private const string NewPassword = "an entirely new password";

    [Fact]
    public async Task A_new_password_ends_every_earlier_token_and_its_own_pair_works_at_once()
    {
        var phone = await server.RegisterAsync();
        var laptop = await server.LogInAsync(phone.Email);

        var reply = await ChangeAsync(phone.Access, ServerUnderTest.Password, NewPassword);

        reply.IsSuccess();
        var next = Tokens.Of(reply.Json);
        foreach (var old in new[] { phone, laptop })
        {
            (await server.GetAsync("/api/users/profile", old.Access)).IsRefusal(401, "token_revoked");
            (await server.PostAsync("/api/auth/refresh", new { refresh_token = old.Refresh })).IsRefusal(401, "token_revoked");
        }
        Assert.Equal(200, await server.ProfileStatusAsync(next.Access));
        (await server.PostAsync("/api/auth/refresh", new { refresh_token = next.Refresh })).IsSuccess();
        (await server.PostAsync("/api/auth/login", new { email = phone.Email, password = ServerUnderTest.Password }))
            .IsRefusal(401, "invalid_credentials");
        await server.LogInAsync(phone.Email, NewPassword);
    }

    [Fact]
    public async Task A_wrong_current_password_counts_like_a_failed_log_in()
    {
        var user = await server.RegisterAsync();
        for (var i = 0; i < 5; i++)
        {
            (await ChangeAsync(user.Access, "not the password", NewPassword)).IsRefusal(400, "invalid_credentials");
        }
        (await ChangeAsync(user.Access, ServerUnderTest.Password, NewPassword)).IsRefusal(429, "rate_limited");
        (await ChangeAsync(user.Access, ServerUnderTest.Password, "short")).IsRefusal(400, "validation_failed");
        Assert.Equal(200, await server.ProfileStatusAsync(user.Access));

        var audit = await server.GetAsync(
            $"/api/auth/admin/audit?user_id={user.UserId}", (await server.LogInAsAdminAsync()).Access);
        var events = audit.Json.GetProperty("items").EnumerateArray().ToLookup(
            item => item.GetProperty("event_type").GetString());
        Assert.Equal(user.UserId, Assert.Single(events["account_locked"]).GetProperty("actor").GetString());
        Assert.Equal(user.UserId, Assert.Single(events["login_failed"]).GetProperty("actor").GetString());
    }

    [Fact]
    public async Task A_log_in_with_the_old_password_that_races_with_its_change_ends_or_fails()
    {
        for (var round = 0; round < 5; round++)
        {
            var user = await server.RegisterAsync();
            var logIns = Enumerable.Range(0, 4).Select(_ => server.PostAsync(
                "/api/auth/login", new { email = user.Email, password = ServerUnderTest.Password })).ToList();
            (await ChangeAsync(user.Access, ServerUnderTest.Password, NewPassword)).IsSuccess();

            foreach (var reply in await Task.WhenAll(logIns))
            {
                Assert.True(reply.Status is 200 or 401, reply.Text);
                Assert.True(reply.Status == 401 || await server.ProfileStatusAsync(Tokens.Of(reply.Json).Access) == 401);
            }
        }
    }

    [Fact]
    public async Task Of_two_changes_at_once_one_wins()
    {
        var user = await server.RegisterAsync();
        var replies = await Task.WhenAll(Enumerable.Range(0, 4).Select(
            number => ChangeAsync(user.Access, ServerUnderTest.Password, $"{NewPassword} {number}")));

        Assert.Single(replies, reply => reply.Status == 200);
        Assert.All(replies, reply => Assert.True(reply.Status is 200 or 409 or 401 or 400, reply.Text));
    }

    [Fact]
    public async Task A_deleted_account_is_gone_and_its_tokens_are_dead()
    {
        var user = await server.RegisterAsync();
        (await DeleteAsync(user.Access, null)).IsRefusal(400, "validation_failed");
        (await DeleteAsync(user.Access, new { confirmation = false })).IsRefusal(400, "validation_failed");
        (await DeleteAsync(user.Access, new { confirmation = "true" })).IsRefusal(400, "validation_failed");

        var reply = await DeleteAsync(user.Access, new { confirmation = true });

        reply.IsSuccess();
        Assert.Equal("everywhere", reply.Json.GetProperty("receipt").GetProperty("state").GetString());
        (await server.GetAsync("/api/users/profile", user.Access)).IsRefusal(401, "token_revoked");
        (await server.PostAsync("/api/auth/login", new { email = user.Email, password = ServerUnderTest.Password }))
            .IsRefusal(401, "invalid_credentials");
        var again = await server.RegisterAsync(user.Email);
        Assert.NotEqual(user.UserId, again.UserId);
        Assert.Equal(200, await server.ProfileStatusAsync(again.Access));
    }

    [Fact]
    public async Task The_last_administrator_cannot_go()
    {
        var admin = await server.LogInAsAdminAsync();

        (await DeleteAsync(admin.Access, new { confirmation = true })).IsRefusal(409, "conflict");

        Assert.Equal(200, await server.ProfileStatusAsync(admin.Access));
    }

    [Theory]
    [InlineData("$2a$")]
    [InlineData("$2b$")]
    [InlineData("$2y$")]
    public async Task A_bcrypt_hash_lets_in_and_is_made_anew(string kind)
    {
        var user = await server.RegisterAsync();
        var bcrypt = kind + BCrypt.Net.BCrypt.HashPassword(ServerUnderTest.Password, workFactor: 4)[4..];
        await SetHashAsync(user, bcrypt);

        (await server.PostAsync("/api/auth/login", new { email = user.Email, password = "a wrong one" }))
            .IsRefusal(401, "invalid_credentials");
        await server.LogInAsync(user.Email);

        Assert.False(PasswordFormats.IsBcrypt(await HashAsync(user)));
        await server.LogInAsync(user.Email);
    }

    [Theory]
    [InlineData("$2b$")]
    [InlineData("$2b$31$abcdefghijklmnopqrstuuxmVQe6zGGnOZXnRhqAbuMSm7nFVNX4S")]
    [InlineData("$2b$xx$abcdefghijklmnopqrstuuxmVQe6zGGnOZXnRhqAbuMSm7nFVNX4S")]
    [InlineData("$2b$04$!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!")]
    public async Task What_only_looks_like_bcrypt_lets_nobody_in(string hash)
    {
        var user = await server.RegisterAsync();
        await SetHashAsync(user, hash);

        (await server.PostAsync("/api/auth/login", new { email = user.Email, password = ServerUnderTest.Password }))
            .IsRefusal(401, "invalid_credentials");
    }

    /// <summary>On PostgreSQL, whose writers do not take turns, the later ones met the earlier one's users as a 500.</summary>
    [Fact]
    public async Task Users_that_several_import_at_once_are_imported_once()
    {
        var admin = await server.LogInAsAdminAsync();
        var hash = BCrypt.Net.BCrypt.HashPassword("a password", 4);
        var users = Enumerable.Range(0, 20)
            .Select(number => new { id = $"at-once-{number}", email = $"{number}@at-once.example", password_hash = hash }).ToList();

        var replies = await Task.WhenAll(Enumerable.Range(0, 6).Select(_ =>
            server.PostAsync("/api/auth/admin/import-users", new { users }, admin.Access)));

        Assert.All(replies, reply => reply.IsSuccess());
        Assert.Equal((20, 100), (Sum("imported"), Sum("known")));

        int Sum(string name) => replies.Sum(reply => reply.Json.GetProperty(name).GetInt32());
    }

    private Task<Reply> ChangeAsync(string token, string current, string next) => server.PostAsync(
        "/api/auth/change-password", new { current_password = current, new_password = next }, token);

    private Task<Reply> DeleteAsync(string token, object? body) =>
        server.SendAsync(HttpMethod.Delete, "/api/auth/delete-account", body, token);

    private Task<int> SetHashAsync(Tokens user, string hash) => Store.WriteAsync(
        db => db.Accounts.Where(row => row.Id == user.UserId)
            .ExecuteUpdateAsync(row => row.SetProperty(it => it.PasswordHash, hash)), CancellationToken.None);

    private Task<string> HashAsync(Tokens user) => Store.ReadAsync(
        db => db.Accounts.Where(row => row.Id == user.UserId).Select(row => row.PasswordHash).SingleAsync(),
        CancellationToken.None);

    private AccountStore Store => server.Services.GetRequiredService<AccountStore>();
}

public sealed class AccountTestsOnSqlite(ServerUnderTest server) : AccountTests(server), IClassFixture<ServerUnderTest>;

public sealed class AccountTestsOnPostgres(ServerOnPostgres server)
    : AccountTests(server), IClassFixture<ServerOnPostgres>;
