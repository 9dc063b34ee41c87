using System.Text.Json;
using Microsoft.AspNetCore.Authorization;
using Microsoft.AspNetCore.Builder;
using Microsoft.Extensions.DependencyInjection;

namespace Rescind.Tests.AspNetCore;

/// <summary>What administrators do: make, list, lift, explain, measure, clean up.</summary>
public sealed class AdminTests
{
    private const string Root = "/token-blacklist/";
    private readonly TestTokens _tokens = new();

    private string Admin => _tokens.Make(("sub", "admin-1"), ("admin", true));

    [Theory]
    [InlineData("GET", "revocations")]
    [InlineData("POST", "revocations")]
    [InlineData("POST", "revocations/batch")]
    [InlineData("DELETE", "revocations/x")]
    [InlineData("GET", "explain")]
    [InlineData("POST", "explain")]
    [InlineData("GET", "blacklist-metrics")]
    [InlineData("POST", "cleanup")]
    public async Task Administration_is_for_those_who_meet_the_policy(string method, string path)
    {
        await using var app = await StartAsync();
        Assert.Equal(401, (int)(await app.SendAsync(new(method), Root + path)).StatusCode);
        Assert.Equal(403, (int)(await app.SendAsync(new(method), Root + path, _tokens.Make())).StatusCode);
    }

    [Fact]
    public async Task Policy_that_does_not_exist_refuses_the_start()
    {
        var message = await TestApp.RefusedStartAsync(Services, app => app.MapTokenBlacklistAdmin("admni"));
        Assert.Contains("MapTokenBlacklistAdmin(\"admni\")", message, StringComparison.Ordinal);
        Assert.Contains("AddPolicy(\"admni\"", message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Policy_of_a_provider_of_the_applications_own_is_found()
    {
        await using var app = await TestApp.StartAsync(
            services =>
            {
                Services(services);
                services.AddSingleton<IAuthorizationPolicyProvider, OnlyMadeUp>();
            },
            app => app.MapTokenBlacklistAdmin("made-up"));
        Assert.Equal(200, (int)(await app.GetAsync(Root + "revocations", Admin)).StatusCode);
        Assert.Equal(403, (int)(await app.GetAsync(Root + "revocations", _tokens.Make())).StatusCode);
    }

    [Fact]
    public async Task In_a_group_the_endpoints_stand_below_its_prefix()
    {
        await using var app = await TestApp.StartAsync(
            Services, app => app.MapGroup("/api/auth/admin").MapTokenBlacklistAdmin("admin"));
        Assert.Equal(200, (int)(await app.GetAsync("/api/auth/admin/revocations", Admin)).StatusCode);
        Assert.Equal(404, (int)(await app.GetAsync(Root + "revocations", Admin)).StatusCode);
    }

    [Theory]
    [InlineData("token", "jti-1")]
    [InlineData("session", "session-1")]
    [InlineData("subject", "user-1")]
    [InlineData("client", "client-1")]
    [InlineData("key", "key-1")]
    [InlineData("issuer", TestTokens.Issuer)]
    public async Task Each_rule_ends_the_tokens_it_names(string type, string value)
    {
        await using var app = await StartAsync();
        var token = _tokens.Make(("jti", "jti-1"), ("client_id", "client-1"));
        using var answer = await PostAsync(app, "revocations", new
        {
            target = new { type, value, issuer = TestTokens.Issuer }, reason = "security_incident",
            note = "a note", unknown_field = new { ignored = true },
        });
        Assert.Equal(201, (int)answer.StatusCode);
        var body = await answer.JsonAsync();
        Assert.True(body.GetProperty("success").GetBoolean());
        Assert.Equal("Revoked", body.GetProperty("message").GetString());
        Assert.Equal(type, body.GetProperty("target").GetProperty("type").GetString());
        Assert.Equal(value, body.GetProperty("target").GetProperty("value").GetString());
        Assert.Equal("admin-1", body.GetProperty("actor").GetString());
        Assert.Equal("a note", body.GetProperty("note").GetString());
        Assert.Equal(
            body.GetProperty("id").GetString(), body.GetProperty("receipt").GetProperty("id").GetString());
        Assert.Equal(
            type is "subject" or "client" or "issuer",
            body.GetProperty("issued_before").ValueKind == JsonValueKind.String);
        await (await app.GetAsync("/me", token)).AssertRevokedAsync();
    }

    [Fact]
    public async Task Rule_names_the_default_issuer_when_it_names_none()
    {
        await using var app = await TestApp.StartAsync(
            Services, app => app.MapTokenBlacklistAdmin("admin", defaultIssuer: TestTokens.Issuer));
        using var made = await PostAsync(app, "revocations", new
        {
            target = new { type = "token", value = "a", issuer = "" }, reason = "revoked",
        });
        Assert.Equal(201, (int)made.StatusCode);
        await (await app.GetAsync("/me", _tokens.Make(("jti", "a")))).AssertRevokedAsync();
    }

    [Theory]
    [InlineData("session", "s", 1, null)]
    [InlineData("subject", "u", null, 1)]
    [InlineData("token", "t", null, null)]
    public async Task Dry_run_says_what_it_would_do_and_does_nothing(
        string type, string value, int? sessions, int? users)
    {
        await using var app = await StartAsync();
        using var answer = await PostAsync(app, "revocations", new
        {
            target = new { type, value, issuer = "i" }, reason = "revoked", dry_run = true,
        });
        Assert.Equal(200, (int)answer.StatusCode);
        var would = (await answer.JsonAsync()).GetProperty("would_revoke");
        Assert.Equal(sessions, would.GetProperty("sessions").Deserialize<int?>());
        Assert.Equal(users, would.GetProperty("users").Deserialize<int?>());
        await AssertNothingStoredAsync(app);
    }

    [Fact]
    public async Task Callers_word_for_the_end_of_a_token_does_not_shorten_its_revocation()
    {
        await using var app = await StartAsync();
        using var answer = await PostAsync(app, "revocations", new
        {
            target = new { type = "token", value = "t", issuer = "i" }, reason = "revoked",
            expires_at = DateTimeOffset.UtcNow.AddSeconds(30),
        });
        Assert.Equal(201, (int)answer.StatusCode);
        var page = await app.Blacklist.Records.ListAsync(new RevocationQuery(), CancellationToken.None);
        Assert.Null(Assert.Single(page.Items).ExpiresAt);
    }

    [Fact]
    public async Task Batch_keeps_the_good_and_lists_the_bad_by_index()
    {
        await using var app = await StartAsync();
        using var answer = await PostAsync(app, "revocations/batch", new
        {
            revocations = new object[]
            {
                Rule("token", "a"), Rule("nonsense", "b"), Rule("token", "c"), 7,
                Rule("token", "d", "NOT A WORD"),
            },
        });
        Assert.Equal(200, (int)answer.StatusCode);
        var body = await answer.JsonAsync();
        Assert.Equal(2, body.GetProperty("accepted").GetInt32());
        var rejected = body.GetProperty("rejected").EnumerateArray().ToList();
        Assert.Equal([1, 3, 4], rejected.Select(one => one.GetProperty("index").GetInt32()));
        Assert.All(rejected, one =>
            Assert.False(string.IsNullOrEmpty(one.GetProperty("reason").GetString())));
        Assert.True(rejected[0].GetProperty("errors").TryGetProperty("target.type", out _));
        Assert.Equal("everywhere", body.GetProperty("receipt").GetProperty("state").GetString());
        Assert.Equal(2, app.Blacklist.GetStatus().Rules[RuleKind.Token]);
    }

    [Fact]
    public async Task Batch_of_10_000_is_taken_and_one_more_is_not()
    {
        await using var app = await StartAsync();
        var rules = Enumerable.Range(0, 10_001).Select(number => Rule("token", $"jti-{number}")).ToList();
        using var tooMany = await PostAsync(app, "revocations/batch", new { revocations = rules });
        await tooMany.ProblemAsync(400, "validation_failed");
        await AssertNothingStoredAsync(app);
        using var taken = await PostAsync(app, "revocations/batch", new { revocations = rules.Take(10_000) });
        Assert.Equal(10_000, (await taken.JsonAsync()).GetProperty("accepted").GetInt32());
        Assert.Equal(10_000, app.Blacklist.GetStatus().Rules[RuleKind.Token]);
    }

    [Fact]
    public async Task Batch_in_which_nothing_is_good_revokes_nothing()
    {
        await using var app = await StartAsync();
        using var answer = await PostAsync(
            app, "revocations/batch", new { revocations = new[] { Rule("x", "a") } });
        var body = await answer.JsonAsync();
        Assert.Equal((200, 0), ((int)answer.StatusCode, body.GetProperty("accepted").GetInt32()));
        Assert.Equal(JsonValueKind.Null, body.GetProperty("receipt").ValueKind);
        await AssertNothingStoredAsync(app);
    }

    [Fact]
    public async Task List_gives_pages_newest_first_and_can_be_narrowed()
    {
        await using var app = await StartAsync();
        foreach (var value in new[] { "a", "b", "c" })
        {
            await PostAsync(app, "revocations", Rule("token", value));
        }
        await PostAsync(app, "revocations", Rule("session", "s", "logout"));
        Assert.Equal(["s", "c", "b", "a"], await ListAsync(app, ""));
        Assert.Equal(
            ["c", "b", "a"], await ListAsync(app, "?type=token&reason=revoked&until=2999-01-01T00:00:00Z"));
        Assert.Equal(["b"], await ListAsync(app, "?value=b&reason="));
        Assert.Equal([], await ListAsync(app, "?since=2999-01-01T00:00:00%2B01:00"));

        using var first = await app.GetAsync(Root + "revocations?limit=3", Admin);
        var page = await first.JsonAsync();
        var cursor = page.GetProperty("next_cursor").GetString();
        Assert.Equal(3, page.GetProperty("items").GetArrayLength());
        Assert.Equal(["a"], await ListAsync(app, $"?limit=3&cursor={Uri.EscapeDataString(cursor!)}"));
    }

    [Fact]
    public async Task Lift_undoes_one_revocation_and_keeps_both_on_record()
    {
        await using var app = await StartAsync();
        var token = _tokens.Make(("jti", "a"));
        using var made = await PostAsync(app, "revocations", Rule("token", "a"));
        var id = (await made.JsonAsync()).GetProperty("id").GetString();
        await (await app.GetAsync("/me", token)).AssertRevokedAsync();

        using var body = System.Net.Http.Json.JsonContent.Create(new { reason = "made_by_mistake" });
        using var lifted = await app.SendAsync(HttpMethod.Delete, $"{Root}revocations/{id}", Admin, body);
        Assert.Equal(200, (int)lifted.StatusCode);
        Assert.Equal(id, (await lifted.JsonAsync()).GetProperty("receipt").GetProperty("id").GetString());
        Assert.Equal(200, (int)(await app.GetAsync("/me", token)).StatusCode);
        var item = (await (await app.GetAsync(Root + "revocations", Admin)).JsonAsync())
            .GetProperty("items")[0];
        Assert.Equal("admin-1", item.GetProperty("lifted_by").GetString());
        Assert.Equal("made_by_mistake", item.GetProperty("lift_reason").GetString());
        Assert.Equal(JsonValueKind.String, item.GetProperty("lifted_at").ValueKind);

        using var again = await app.SendAsync(
            HttpMethod.Delete, $"{Root}revocations/{id}?reason=again", Admin);
        await again.ProblemAsync(404, "not_found");
    }

    private static object Rule(string type, string value, string reason = "revoked") =>
        new { target = new { type, value, issuer = TestTokens.Issuer }, reason };

    private static void Services(IServiceCollection services, TestTokens tokens)
    {
        services.AddAuthentication("Bearer").AddJwtBearer(tokens.Accept);
        services.AddAuthorizationBuilder().AddPolicy("admin", policy => policy.RequireClaim("admin"));
        services.AddTokenBlacklist();
    }

    private void Services(IServiceCollection services) => Services(services, _tokens);

    private Task<TestApp> StartAsync() =>
        TestApp.StartAsync(Services, app => app.MapTokenBlacklistAdmin("admin"));

    private Task<HttpResponseMessage> PostAsync(TestApp app, string path, object body) =>
        app.PostAsync(Root + path, Admin, body);

    private async Task<IEnumerable<string?>> ListAsync(TestApp app, string query)
    {
        using var answer = await app.GetAsync(Root + "revocations" + query, Admin);
        Assert.Equal(200, (int)answer.StatusCode);
        return (await answer.JsonAsync()).GetProperty("items").EnumerateArray()
            .Select(item => item.GetProperty("target").GetProperty("value").GetString()).ToList();
    }

    private static async Task AssertNothingStoredAsync(TestApp app)
    {
        Assert.Equal(0, app.Blacklist.GetStatus().Rules.Values.Sum());
        var page = await app.Blacklist.Records.ListAsync(new RevocationQuery(), CancellationToken.None);
        Assert.Empty(page.Items);
    }

    /// <summary>Makes policies up as they are asked for, as large applications do.</summary>
    private sealed class OnlyMadeUp : IAuthorizationPolicyProvider
    {
        private static readonly AuthorizationPolicy Caller =
            new AuthorizationPolicyBuilder().RequireAuthenticatedUser().Build();

        public Task<AuthorizationPolicy> GetDefaultPolicyAsync() => Task.FromResult(Caller);

        public Task<AuthorizationPolicy?> GetFallbackPolicyAsync() =>
            Task.FromResult<AuthorizationPolicy?>(null);

        public Task<AuthorizationPolicy?> GetPolicyAsync(string policyName) =>
            Task.FromResult(policyName == "made-up"
                ? new AuthorizationPolicyBuilder().RequireClaim("admin").Build()
                : null);
    }
}
