using System.Text.Json;
using Microsoft.AspNetCore.Authorization;
using Microsoft.AspNetCore.Builder;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.IdentityModel.JsonWebTokens;

namespace Rescind.Tests.AspNetCore;

/// <summary>What administrators ask: why a token is refused, how the blacklist does; and what they hear when
/// its store is away.</summary>
public sealed class AdminReadingTests
{
    private const string Root = "/token-blacklist/";
    private readonly TestTokens _tokens = new();

    private string Admin => _tokens.Make(("sub", "admin-1"), ("admin", true));

    [Fact]
    public async Task Explain_says_which_rule_who_and_when()
    {
        await using var app = await StartAsync();
        var token = _tokens.Make();
        using var before = await PostAsync(app, "explain", new { token });
        Assert.Equal("accepted", (await before.JsonAsync()).GetProperty("verdict").GetString());
        await PostAsync(app, "revocations", Rule("subject", "user-1", "suspicious_activity"));

        using var after = await PostAsync(app, "explain", new { token });
        var body = await after.JsonAsync();
        Assert.Equal("revoked", body.GetProperty("verdict").GetString());
        Assert.True(body.GetProperty("verified").GetBoolean());
        var rule = Assert.Single(body.GetProperty("rules").EnumerateArray());
        Assert.Equal("subject", rule.GetProperty("target").GetProperty("type").GetString());
        Assert.Equal("admin-1", rule.GetProperty("actor").GetString());
        Assert.Equal("suspicious_activity", rule.GetProperty("reason").GetString());
        Assert.Equal(JsonValueKind.String, rule.GetProperty("made_at").ValueKind);
        Assert.DoesNotContain(
            new JsonWebToken(token).Id, await after.Content.ReadAsStringAsync(), StringComparison.Ordinal);
    }

    [Fact]
    public async Task Explain_takes_a_forged_token_and_says_that_it_is_not_verified()
    {
        await using var app = await StartAsync();
        var forged = new TestTokens("a key that nobody here knows, long enough").Make();
        using var answer = await PostAsync(app, "explain", new { token = forged });
        Assert.Equal(200, (int)answer.StatusCode);
        Assert.False((await answer.JsonAsync()).GetProperty("verified").GetBoolean());
    }

    [Fact]
    public async Task Explain_by_jti_judges_what_is_given()
    {
        await using var app = await StartAsync();
        await PostAsync(app, "revocations", Rule("token", "a"));
        var issuer = Uri.EscapeDataString(TestTokens.Issuer);
        Assert.Equal("revoked", await VerdictAsync($"explain?jti=a&issuer={issuer}"));
        Assert.Equal("unknown", await VerdictAsync($"explain?jti=b&issuer={issuer}"));
        await (await app.GetAsync(Root + "explain?jti=a", Admin)).ProblemAsync(400, "validation_failed");

        async Task<string?> VerdictAsync(string path) =>
            (await (await app.GetAsync(Root + path, Admin)).JsonAsync()).GetProperty("verdict").GetString();
    }

    [Fact]
    public async Task Metrics_and_cleanup_answer_as_the_contract_says()
    {
        await using var app = await StartAsync();
        await PostAsync(app, "revocations", Rule("token", "a"));
        await app.GetAsync("/me", _tokens.Make(("jti", "a")));
        using var cleaned = await PostAsync(app, "cleanup", new { });
        var cleanup = await cleaned.JsonAsync();
        string[] names = ["entries_dropped", "log_bytes_before", "log_bytes_after", "duration_ms"];
        Assert.All(names, name => Assert.True(cleanup.GetProperty(name).GetDouble() >= 0));
        var body = await (await app.GetAsync(Root + "blacklist-metrics", Admin)).JsonAsync();
        var metrics = body.GetProperty("blacklist_metrics");
        Assert.Equal(1, metrics.GetProperty("total_blacklisted").GetInt32());
        Assert.Equal(1, metrics.GetProperty("rules").GetProperty("token").GetInt32());
        Assert.Equal(1, metrics.GetProperty("refused").GetInt32());
        Assert.Equal(100, metrics.GetProperty("cache_hit_ratio").GetDouble());
        Assert.Equal(JsonValueKind.Object, metrics.GetProperty("last_cleanup").ValueKind);
        var health = body.GetProperty("service_health");
        Assert.Equal("degraded", health.GetProperty("status").GetString());
        Assert.Equal("memory", health.GetProperty("store").GetString());
        Assert.Contains(
            "memory only", health.GetProperty("warnings")[0].GetString(), StringComparison.Ordinal);
        Assert.Equal(JsonValueKind.Null, health.GetProperty("redis_connected").ValueKind);
        Assert.Equal(1, body.GetProperty("nodes").GetArrayLength());
        Assert.Equal("admin-1", body.GetProperty("requested_by").GetString());
    }

    [Fact]
    public async Task Store_that_is_away_answers_503_on_every_call_that_writes()
    {
        var log = new SilentLog { IsShared = false };
        await using var app = await TestApp.StartAsync(
            services =>
            {
                Services(services);
                services.AddSingleton<IRevocationLog>(log);
            },
            app => app.MapTokenBlacklistAdmin("admin"));
        using var made = await PostAsync(app, "revocations", Rule("token", "a"));
        var id = (await made.JsonAsync()).GetProperty("id").GetString();
        log.Appends = SilentLog.Mood.Failing;
        await (await PostAsync(app, "revocations", Rule("token", "b")))
            .ProblemAsync(503, "store_unavailable");
        using var batch = await PostAsync(
            app, "revocations/batch", new { revocations = new[] { Rule("token", "c") } });
        await batch.ProblemAsync(503, "store_unavailable");
        using var lift = await app.SendAsync(HttpMethod.Delete, $"{Root}revocations/{id}?reason=x", Admin);
        await lift.ProblemAsync(503, "store_unavailable");
        await (await PostAsync(app, "cleanup", new { })).ProblemAsync(503, "store_unavailable");
        Assert.Equal(1, app.Blacklist.GetStatus().Rules[RuleKind.Token]);
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
}
