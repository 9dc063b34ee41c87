using System.Net.Http.Headers;
using System.Text;
using CsCheck;
using Microsoft.AspNetCore.Builder;
using Microsoft.Extensions.DependencyInjection;
using Rescind.Tests.AspNetCore;
using Rescind.Tests.Server;

namespace Rescind.Tests.Fuzz;

/// <summary>The bodies and queries of the library's endpoints, and the cursors of the server's lists, behind a real
/// listener.</summary>
public sealed class BodyFuzzTests : IAsyncLifetime
{
    private const string Rule =
        """{"target":{"type":"subject","value":"user_1","issuer":"i"},"issued_before":"2026-01-31T12:00:00Z","reason":"revoked","note":"n","dry_run":true}""";
    private const string TokenRule =
        """{"target":{"type":"token","value":"v"},"expires_at":"2026-12-31T12:00:00+01:00","reason":"revoked"}""";

    private static readonly Gen<(string Method, string Path, string Body)> Calls = Hostile.OneOf(
        ("POST", "revocations", Rule), ("POST", "revocations", TokenRule),
        ("POST", "revocations/batch", $$"""{"revocations":[{{Rule}},{{TokenRule}}]}"""),
        ("DELETE", "revocations/t0000000000000000000000000000000100000001", """{"reason":"restored"}"""),
        ("POST", "explain", """{"token":"eyJhbGciOiJIUzI1NiJ9.eyJqdGkiOiJhIiwiaXNzIjoiaSIsImV4cCI6OTk5OTk5OTk5OX0.AAAA"}"""),
        ("POST", "cleanup", "{}"));

    private readonly TestTokens _tokens = new();
    private TestApp _app = null!;
    private string _token = "";

    public async ValueTask InitializeAsync()
    {
        _token = _tokens.Make();
        _app = await TestApp.StartAsync(
            services =>
            {
                services.AddAuthentication("Bearer").AddJwtBearer(_tokens.Accept);
                services.AddAuthorizationBuilder().AddPolicy("admin", policy => policy.RequireAuthenticatedUser());
                services.AddTokenBlacklist();
            },
            app =>
            {
                app.MapTokenBlacklistAdmin("admin", "https://other.example");
                app.MapLogout();
            });
    }

    public ValueTask DisposeAsync() => _app.DisposeAsync();

    [Fact]
    public async Task A_hostile_body_ends_in_success_or_in_a_problem() =>
        await Calls.SelectMany(call => Hostile.Bytes(Gen.Const(Encoding.UTF8.GetBytes(call.Body))).Select(body => (call, body)))
            .TryAsync(async drawn =>
            {
                using var content = new ByteArrayContent(drawn.body);
                content.Headers.ContentType = new MediaTypeHeaderValue("application/json");
                await IsAnsweredAsync(new HttpMethod(drawn.call.Method), $"/token-blacklist/{drawn.call.Path}", content);
            }, 1_500, threads: 4);

    /// <summary>Nothing but the token counts, so no body can keep a token from ending.</summary>
    [Fact]
    public async Task A_log_out_with_a_hostile_body_ends_the_token() =>
        await Hostile.Bytes(Gen.Const("""{"refresh_token":"eyJhbGciOiJIUzI1NiJ9.e30.AAAA"}"""u8.ToArray()))
            .TryAsync(async body =>
            {
                var token = _tokens.Make(("sid", Guid.NewGuid().ToString("n")));
                using var content = new ByteArrayContent(body);
                content.Headers.ContentType = new MediaTypeHeaderValue("application/json");
                using var answer = await _app.SendAsync(HttpMethod.Post, "/logout", token, content);
                Assert.Equal(200, (int)answer.StatusCode);
                using var after = await _app.GetAsync("/me", token);
                await after.AssertRevokedAsync();
            }, 300, threads: 4);

    /// <summary>Whatever stands in the token that the caller shows.</summary>
    [Fact]
    public async Task A_log_out_of_a_hostile_token_ends_it_or_is_refused()
    {
        var ended = 0;
        await Hostile.Texts(Gen.UInt.Select(number =>
                $$"""{"iss":"{{TestTokens.Issuer}}","sub":"u","sid":"s{{number}}","jti":"j{{number}}","exp":{{TestTokens.Now + 600}}}"""))
            .TryAsync(async payload =>
            {
                var token = _tokens.MakeRaw(payload);
                using var answer = await _app.SendAsync(HttpMethod.Post, "/logout", token);
                var isEnded = answer.StatusCode == System.Net.HttpStatusCode.OK;
                Assert.True(isEnded || (int)answer.StatusCode == 401, $"{(int)answer.StatusCode}: {payload}");
                using var after = await _app.GetAsync("/me", token);
                Assert.Equal(401, (int)after.StatusCode);
                Interlocked.Add(ref ended, isEnded ? 1 : 0);
            }, 400, threads: 4);
        Assert.True(ended > 40, $"Only {ended} tokens were logged out.");
    }

    [Fact]
    public async Task A_hostile_query_ends_in_success_or_in_a_problem() =>
        await Gen.Select(
            Hostile.OneOf("revocations", "explain"),
            Gen.Select(
                Hostile.OneOf("type", "value", "issuer", "reason", "since", "until", "cursor", "limit", "jti", "subject", "issued_at"),
                Hostile.Texts(Hostile.OneOf("token", "2026-01-31T12:00:00Z", "5", "1000", "i"))).Array[0, 4])
        .TryAsync(async (path, query) =>
        {
            var text = string.Join('&', query.Select(one => $"{one.Item1}={Uri.EscapeDataString(one.Item2)}"));
            await IsAnsweredAsync(HttpMethod.Get, $"/token-blacklist/{path}?{text}", null);
        }, 1_500, threads: 4);

    [Fact]
    public async Task A_cursor_that_no_page_gave_is_refused_or_is_a_place_in_the_list()
    {
        await using var server = await ServerUnderTest.StartAsync();
        var admin = await server.LogInAsAdminAsync();
        foreach (var list in new[] { "audit", "revocations", "users" })
        {
            await server.RegisterAsync();
            await server.PostAsync(
                "/api/auth/admin/revoke-user-tokens", new { user_id = $"u{list}", reason = "revoked" }, admin.Access);
            var page = await server.GetAsync($"/api/auth/admin/{list}?limit=1", admin.Access);
            var good = Gen.Const(page.Json.GetProperty("next_cursor").GetString() ?? "7");
            await Hostile.Texts(good).TryAsync(async cursor =>
            {
                var reply = await server.GetAsync(
                    $"/api/auth/admin/{list}?limit=2&cursor={Uri.EscapeDataString(cursor)}", admin.Access);
                Assert.True(reply.Status is 200 or 400, $"{list} {cursor}: {reply.Status} {reply.Text}");
            }, 80, threads: 4);
        }
    }

    private async Task IsAnsweredAsync(HttpMethod method, string path, HttpContent? body)
    {
        using var answer = await _app.SendAsync(method, path, _token, body);
        var (status, text) = ((int)answer.StatusCode, await answer.Content.ReadAsStringAsync());
        if (status is 200 or 201)
        {
            return;
        }
        Assert.True(status is 400 or 404, $"{status}: {text}");
        await answer.ProblemAsync(status, (await answer.JsonAsync()).GetProperty("code").GetString()!);
    }
}
