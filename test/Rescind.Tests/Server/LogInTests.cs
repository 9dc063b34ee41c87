using System.Net.Http.Json;
using Microsoft.Extensions.DependencyInjection;

namespace Rescind.Tests.Server;

/// <summary>Register, log in, profile, validate: what a client sees first.</summary>
public abstract class LogInTests(ServerUnderTest server)
{
    [Fact]
    public async Task Registration_answers_with_a_pair_of_tokens_that_works()
    {
        var email = server.NewEmail();
        var reply = await server.PostAsync(
            "/api/auth/register", new { email, password = ServerUnderTest.Password, nickname = "ignored" });

        reply.IsSuccess(201);
        Assert.Equal("Bearer", reply.Json.GetProperty("token_type").GetString());
        Assert.Equal(1800, reply.Json.GetProperty("expires_in").GetInt64());
        Assert.Equal(7 * 86_400, reply.Json.GetProperty("refresh_expires_in").GetInt64());
        Assert.Equal(email, reply.Json.GetProperty("user").GetProperty("email").GetString());
        Assert.False(reply.Json.GetProperty("user").GetProperty("is_admin").GetBoolean());
        Assert.Equal(200, await server.ProfileStatusAsync(Tokens.Of(reply.Json).Access));
    }

    [Fact]
    public async Task Both_tokens_carry_the_claims_of_the_contract()
    {
        var tokens = await server.RegisterAsync();
        var (access, refresh) = (MintedTokens.Read(tokens.Access), MintedTokens.Read(tokens.Refresh));

        foreach (var claims in new[] { access, refresh })
        {
            Assert.Equal("rescind", claims.GetProperty("iss").GetString());
            Assert.Equal("rescind", claims.GetProperty("aud").GetString());
            Assert.Equal(tokens.UserId, claims.GetProperty("sub").GetString());
            Assert.Equal(tokens.Session, claims.GetProperty("sid").GetString());
            Assert.Equal(claims.GetProperty("iat").GetInt64(), claims.GetProperty("auth_time").GetInt64());
            Assert.True(claims.GetProperty("nbf").GetInt64() <= claims.GetProperty("iat").GetInt64());
        }
        Assert.Equal("access_token", access.GetProperty("token_type").GetString());
        Assert.Equal("refresh_token", refresh.GetProperty("token_type").GetString());
        Assert.False(access.GetProperty("is_admin").GetBoolean());
        Assert.Equal("user", access.GetProperty("scope").GetString());
        Assert.False(access.GetProperty("jti").ValueEquals(refresh.GetProperty("jti").GetString()));
        Assert.False(
            string.IsNullOrEmpty(MintedTokens.ReadHeader(tokens.Access).GetProperty("kid").GetString()));
    }

    [Fact]
    public async Task Profile_tells_the_account()
    {
        var tokens = await server.RegisterAsync();
        var reply = await server.GetAsync("/api/users/profile", tokens.Access);

        reply.IsSuccess();
        Assert.Equal(tokens.UserId, reply.Json.GetProperty("id").GetString());
        Assert.Equal(tokens.Email, reply.Json.GetProperty("email").GetString());
        Assert.False(reply.Json.GetProperty("is_admin").GetBoolean());
        Assert.EndsWith("Z", reply.Json.GetProperty("created_at").GetString(), StringComparison.Ordinal);
    }

    [Fact]
    public async Task Validate_tells_about_the_token_that_was_shown()
    {
        var tokens = await server.RegisterAsync();
        var reply = await server.GetAsync("/api/auth/token/validate", tokens.Access);

        reply.IsSuccess();
        Assert.Equal(tokens.UserId, reply.Json.GetProperty("user_id").GetString());
        var validation = reply.Json.GetProperty("token_validation");
        Assert.True(validation.GetProperty("valid").GetBoolean());
        Assert.True(validation.GetProperty("jti_present").GetBoolean());
        Assert.Equal("access_token", validation.GetProperty("token_type").GetString());
        Assert.True(validation.GetProperty("not_expired").GetBoolean());
        Assert.InRange(validation.GetProperty("time_to_expiry").GetInt64(), 1700, 1800);
        Assert.False(validation.GetProperty("is_blacklisted").GetBoolean());
    }

    [Fact]
    public async Task An_address_can_be_registered_once_whatever_its_capitals()
    {
        var tokens = await server.RegisterAsync();
        var again = await server.PostAsync(
            "/api/auth/register",
                new { email = tokens.Email.ToUpperInvariant(), password = "another password" });

        again.IsRefusal(409, "conflict");
        Assert.Equal(tokens.UserId, (await server.LogInAsync(tokens.Email.ToUpperInvariant())).UserId);
    }

    [Fact]
    public async Task Of_many_registrations_of_one_address_at_once_one_wins()
    {
        var body = new { email = server.NewEmail(), password = ServerUnderTest.Password };
        var replies = await Task.WhenAll(
            Enumerable.Range(0, 10).Select(_ => server.PostAsync("/api/auth/register", body)));

        Assert.Single(replies, reply => reply.Status == 201);
        Assert.All(replies.Where(reply => reply.Status != 201), reply => reply.IsRefusal(409, "conflict"));
    }

    [Fact]
    public async Task Wrong_password_and_unknown_account_are_told_in_the_same_words()
    {
        var tokens = await server.RegisterAsync();
        var wrong = await server.PostAsync("/api/auth/login",
            new { email = tokens.Email, password = "wrong wrong" });
        var unknown = await server.PostAsync(
            "/api/auth/login", new { email = server.NewEmail(), password = "wrong wrong" });

        wrong.IsRefusal(401, "invalid_credentials");
        Assert.Equal(wrong.Text, unknown.Text);
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task Five_failures_lock_the_address_out_of_an_email_whether_or_not_it_exists(bool exists)
    {
        var email = exists ? (await server.RegisterAsync()).Email : server.NewEmail();
        for (var i = 0; i < 5; i++)
        {
            var failed = await server.PostAsync("/api/auth/login", new { email, password = "wrong wrong" });
            failed.IsRefusal(401, "invalid_credentials");
        }
        var locked =
            await server.PostAsync("/api/auth/login", new { email, password = ServerUnderTest.Password });

        locked.IsRefusal(429, "rate_limited");
        Assert.InRange(int.Parse(locked.Headers["Retry-After"]), 800, 900);
        Assert.Contains(server.LogEntries, line => line.Contains("[4200]", StringComparison.Ordinal));
    }

    [Fact]
    public async Task A_good_login_forgets_the_failures_before_it()
    {
        var email = (await server.RegisterAsync()).Email;
        for (var i = 0; i < 6; i++)
        {
            await server.PostAsync("/api/auth/login", new { email, password = "wrong wrong" });
            if (i == 3)
            {
                await server.LogInAsync(email);
            }
        }

        await server.LogInAsync(email);
    }

    [Fact]
    public async Task A_stray_authorization_header_is_ignored_where_nobody_is_logged_in_yet()
    {
        var email = server.NewEmail();
        var body = new { email, password = ServerUnderTest.Password };

        (await server.PostAsync("/api/auth/register", body, "rubbish")).IsSuccess(201);
        var login = await server.PostAsync("/api/auth/login", body, "rubbish");
        login.IsSuccess();
        var refresh = new { refresh_token = Tokens.Of(login.Json).Refresh };
        (await server.PostAsync("/api/auth/refresh-token", refresh, "rubbish")).IsSuccess();
    }

    [Fact]
    public async Task The_hundred_and_first_session_ends_the_oldest()
    {
        var first = await server.RegisterAsync();
        var second = await server.LogInAsync(first.Email);
        for (var i = 2; i < 101; i++)
        {
            await server.LogInAsync(first.Email);
        }

        Assert.Equal(401, await server.ProfileStatusAsync(first.Access));
        Assert.Equal(200, await server.ProfileStatusAsync(second.Access));
        (await server.PostAsync("/api/auth/refresh", new { refresh_token = first.Refresh }))
            .IsRefusal(401, "token_revoked");
    }

    /// <summary>PostgreSQL takes neither of these as text, which is no reason to say that it is away.</summary>
    [Fact]
    public async Task What_no_database_takes_as_text_is_wrong_or_cut()
    {
        (await server.PostAsync("/api/auth/login", new { email = "nobody\0@example.com", password = "a wrong one" }))
            .IsRefusal(400, "validation_failed");
        var user = await server.RegisterAsync();
        using var http = new HttpClient(new SocketsHttpHandler
        {
            RequestHeaderEncodingSelector = (_, _) => System.Text.Encoding.UTF8,
        });
        using var request = new HttpRequestMessage(HttpMethod.Post, new Uri(server.Address, "/api/auth/login"));
        request.Headers.TryAddWithoutValidation("User-Agent", new string('a', 255) + "\U0001F600");
        request.Content = JsonContent.Create(new { email = user.Email, password = ServerUnderTest.Password });

        var reply = await Reply.OfAsync(await http.SendAsync(request));

        reply.IsSuccess();
        var list = await server.GetAsync("/api/auth/sessions", Tokens.Of(reply.Json).Access);
        Assert.Equal(new string('a', 255), list.Json.GetProperty("sessions")[0].GetProperty("user_agent").GetString());
    }

    [Fact]
    public void Failures_are_bounded_in_memory()
    {
        var failures = server.Services.GetRequiredService<Rescind.Server.Accounts.FailedLogins>();
        for (var i = 0; i < Rescind.Server.Accounts.FailedLogins.MostEntries; i++)
        {
            failures.Failed($"nobody{i}@example.com", System.Net.IPAddress.Parse("192.0.2.1"));
        }

        Assert.InRange(failures.Count, 1, Rescind.Server.Accounts.FailedLogins.MostEntries);
    }
}

public sealed class LogInTestsOnSqlite(ServerUnderTest server) : LogInTests(server), IClassFixture<ServerUnderTest>;

public sealed class LogInTestsOnPostgres(ServerOnPostgres server)
    : LogInTests(server), IClassFixture<ServerOnPostgres>;
