using System.Net.Http.Headers;
using System.Net.Http.Json;
using System.Text.Json;

namespace Rescind.EndToEnd;

/// <summary>What the mobile app does, call by call, against a real server with its limits on.</summary>
public sealed class MobileClientTests
{
    private const string NewPassword = "another password of the tests";

    [Fact]
    public async Task Concurrent_refusals_one_refresh_with_a_stray_header_and_every_request_replayed_once()
    {
        await using var server = await StartAsync();
        var app = new MobileApp(server.Client);
        var session = await app.RegisterAsync();
        var (ended, _) = await app.SendAsync(HttpMethod.Post, "/api/auth/revoke", session.Access);
        Assert.Equal(200, ended);
        var (refreshed, refreshes, gate) = ((MobileApp.Session?)null, 0, new SemaphoreSlim(1));

        var answers = await Task.WhenAll(Enumerable.Range(0, 10).Select(async _ =>
        {
            Assert.Equal(401, await app.ProfileAsync(session.Access));
            await gate.WaitAsync();
            if (refreshed is null)
            {
                refreshes++;
                refreshed = await RefreshAsync(server.Client, session);
            }
            gate.Release();
            return await app.ProfileAsync(refreshed.Access);
        }));

        Assert.Equal(1, refreshes);
        Assert.All(answers, status => Assert.Equal(200, status));
    }

    [Fact]
    public async Task Every_good_answer_says_success_and_a_message()
    {
        await using var server = await StartAsync();
        var app = new MobileApp(server.Client);
        var email = $"{Guid.NewGuid():n}@rescind.example";
        var (status, registered) = await app.SendAsync(HttpMethod.Post, "/api/auth/register", null,
            new { email, password = MobileApp.Password, name = "Somebody", device = new { os = "any" }, marketing = true });
        Assert.Equal(201, status);
        var (access, refresh) = (Text(registered, "access_token"), Text(registered, "refresh_token"));
        Assert.Equal("Bearer", Text(registered, "token_type"));

        foreach (var (method, path, token, body) in new (HttpMethod, string, string?, object?)[]
        {
            (HttpMethod.Post, "/api/auth/login", null, new { email, password = MobileApp.Password }),
            (HttpMethod.Post, "/api/auth/refresh-token", null, new { refresh_token = refresh }),
            (HttpMethod.Get, "/api/users/profile", access, null),
            (HttpMethod.Get, "/api/auth/token/validate", access, null),
            (HttpMethod.Get, "/api/auth/sessions", access, null),
            (HttpMethod.Post, "/api/auth/logout", access, new { refresh_token = "" }),
        })
        {
            var (code, answer) = await app.SendAsync(method, path, token, body);
            Assert.True(code == 200, $"{path} answered {code}: {answer}");
            Assert.True(answer.GetProperty("success").GetBoolean());
            Assert.False(string.IsNullOrWhiteSpace(Text(answer, "message")));
        }
    }

    [Fact]
    public async Task Logout_works_however_the_app_sends_it_and_twice_is_refused()
    {
        await using var server = await StartAsync();
        var app = new MobileApp(server.Client);
        var (email, first) = (ServerProcess.AdminEmail, await app.LogInAsync(ServerProcess.AdminEmail, ServerProcess.AdminPassword));

        await EndsAsync(first, first.Access, null);
        var second = await app.LogInAsync(email, ServerProcess.AdminPassword);
        await EndsAsync(second, second.Access, new { refresh_token = second.Refresh });
        var third = await app.LogInAsync(email, ServerProcess.AdminPassword);
        await EndsAsync(third, third.Access, new { refresh_token = "" });
        var fourth = await app.LogInAsync(email, ServerProcess.AdminPassword);
        await EndsAsync(fourth, MobileApp.Expired(fourth), null);
        var fifth = await app.LogInAsync(email, ServerProcess.AdminPassword);
        await EndsAsync(fifth, null, new { refresh_token = fifth.Refresh });

        async Task EndsAsync(MobileApp.Session session, string? token, object? body)
        {
            var (status, answer) = await app.SendAsync(HttpMethod.Post, "/api/auth/logout", token, body);
            Assert.True(status == 200, answer.ToString());
            Assert.Equal("everywhere", Text(answer.GetProperty("receipt"), "state"));
            Assert.Equal((401, 401), (await app.ProfileAsync(session.Access), await app.RefreshAsync(session.Refresh)));
        }
        var (twice, problem) = await app.SendAsync(HttpMethod.Post, "/api/auth/logout", first.Access);
        Assert.Equal((401, "token_revoked"), (twice, Text(problem, "code")));
    }

    [Fact]
    public async Task Refusals_have_the_status_and_the_words_that_the_app_shows()
    {
        await using var server = await StartAsync();
        var app = new MobileApp(server.Client);
        await IsAsync(400, "Password too short", new { email = "a@rescind.example", password = "short" });
        await IsAsync(400, "Invalid email", new { email = "not an address", password = MobileApp.Password });
        await IsAsync(201, null, new { email = "a@rescind.example", password = MobileApp.Password });
        await IsAsync(409, "already", new { email = "A@RESCIND.example", password = MobileApp.Password });
        await IsAsync(400, "email", new { });
        await IsAsync(429, "Too many", new { email = "b@rescind.example", password = MobileApp.Password });

        async Task IsAsync(int status, string? words, object body)
        {
            var (code, answer) = await app.SendAsync(HttpMethod.Post, "/api/auth/register", null, body);
            Assert.True(code == status, $"{code}: {answer}");
            Assert.Contains(words ?? "", answer.ToString(), StringComparison.Ordinal);
        }
    }

    [Fact]
    public async Task A_changed_password_and_a_deleted_account_end_what_was_before()
    {
        await using var server = await StartAsync();
        var app = new MobileApp(server.Client);
        var session = await app.RegisterAsync();

        var (changed, answer) = await app.SendAsync(HttpMethod.Post, "/api/auth/change-password", session.Access,
            new { current_password = MobileApp.Password, new_password = NewPassword });
        Assert.Equal((200, 401), (changed, await app.ProfileAsync(session.Access)));
        var access = Text(answer, "access_token");
        Assert.Equal(200, await app.ProfileAsync(access));

        var (deleted, _) = await app.SendAsync(
            HttpMethod.Delete, "/api/auth/delete-account", access, new { confirmation = true });
        Assert.Equal((200, 401), (deleted, await app.ProfileAsync(access)));
    }

    private static Task<ServerProcess> StartAsync() => ServerProcess.StartedAsync(("RATE_LIMIT_ENABLED", null));

    private static async Task<MobileApp.Session> RefreshAsync(HttpClient client, MobileApp.Session session)
    {
        using var request = new HttpRequestMessage(HttpMethod.Post, "/api/auth/refresh-token");
        request.Headers.Authorization = new AuthenticationHeaderValue("Bearer", session.Refresh);
        request.Content = JsonContent.Create(new { refresh_token = session.Refresh });
        using var answer = await client.SendAsync(request);
        var body = JsonDocument.Parse(await answer.Content.ReadAsStringAsync()).RootElement;
        return new MobileApp.Session(Text(body, "access_token"), Text(body, "refresh_token"), session.UserId);
    }

    private static string Text(JsonElement body, string name) => body.GetProperty(name).GetString()!;
}
