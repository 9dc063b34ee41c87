using System.Security.Claims;
using System.Text.Encodings.Web;
using Microsoft.AspNetCore.Authentication;
using Microsoft.AspNetCore.Authentication.JwtBearer;
using Microsoft.AspNetCore.Authorization;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Mvc;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Options;

namespace Rescind.Tests.AspNetCore;

/// <summary>A node that cannot know says so, and a policy decides; it never says 401 for it, and it still
/// refuses what it knew.</summary>
public sealed class UnknownTests
{
    private readonly TestTokens _tokens = new();
    private readonly SilentLog _log = new();

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task By_default_the_token_passes_and_is_counted(bool isHanging)
    {
        await using var app = await StartAsync();
        using var counted = new Counted(app.Services, "rescind.guard.decisions", "decision");
        await CutOffAsync(app, isHanging);
        using var answer = await app.GetAsync("/me", _tokens.Make());
        Assert.Equal(200, (int)answer.StatusCode);
        Assert.Equal((1L, 0L), (counted["unknown_accepted"], counted["unknown_refused"]));
        using var open = await app.GetAsync("/open", _tokens.Make());
        Assert.Equal("Unknown", await open.Content.ReadAsStringAsync());
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task Policy_refuse_answers_503_and_never_401(bool isHanging)
    {
        await using var app = await StartAsync(refuse: true);
        using var counted = new Counted(app.Services, "rescind.guard.decisions", "decision");
        Assert.Equal(200, (int)(await app.GetAsync("/me", _tokens.Make())).StatusCode);
        await CutOffAsync(app, isHanging);
        await AssertUnknownAsync(await app.GetAsync("/me", _tokens.Make()));
        Assert.Equal((0L, 1L), (counted["unknown_accepted"], counted["unknown_refused"]));
    }

    [Fact]
    public async Task What_was_known_to_be_revoked_stays_refused_with_401()
    {
        await using var app = await StartAsync(refuse: true);
        var token = _tokens.Make(("jti", "known"));
        await app.Blacklist.RevokeAsync(Revocation.OfToken(TestTokens.Issuer, "known"));
        await CutOffAsync(app);
        await (await app.GetAsync("/me", token)).AssertRevokedAsync();
    }

    [Fact]
    public async Task Token_passes_again_once_the_log_is_back()
    {
        await using var app = await StartAsync(refuse: true);
        await CutOffAsync(app);
        await AssertUnknownAsync(await app.GetAsync("/me", _tokens.Make()));
        _log.Reads = SilentLog.Mood.Well;
        await WaitUntil(async () => (int)(await app.GetAsync("/me", _tokens.Make())).StatusCode == 200);
    }

    [Theory]
    [InlineData("/known", false)]
    [InlineData("/group/known", false)]
    [InlineData("/controller/known", false)]
    [InlineData("/known", true)]
    [InlineData("/group/known", true)]
    [InlineData("/controller/known", true)]
    public async Task RequireKnownTokens_refuses_whatever_the_policy_and_the_order_of_middleware(
        string path, bool isRoutingLast)
    {
        await using var app = await StartAsync(refuse: false, isRoutingLast);
        Assert.Equal(200, (int)(await app.GetAsync(path, _tokens.Make())).StatusCode);
        using var counted = new Counted(app.Services, "rescind.guard.decisions", "decision");
        await CutOffAsync(app);
        await AssertUnknownAsync(await app.GetAsync(path, _tokens.Make()));
        Assert.Equal(1, counted["unknown_refused"]);
        Assert.Equal(200, (int)(await app.GetAsync("/me", _tokens.Make())).StatusCode);
        Assert.Equal(401, (int)(await app.GetAsync(path)).StatusCode);
    }

    [Fact]
    public async Task RequireKnownTokens_on_an_open_endpoint_refuses_a_caller_it_cannot_know()
    {
        await using var app = await StartAsync();
        await CutOffAsync(app);
        await AssertUnknownAsync(await app.GetAsync("/known-open", _tokens.Make()));
        Assert.Equal(200, (int)(await app.GetAsync("/known-open")).StatusCode);
    }

    [Fact]
    public async Task Other_schemes_that_challenge_too_cannot_turn_it_into_401()
    {
        await using var app = await TestApp.StartAsync(
            services =>
            {
                services.AddAuthentication("First").AddJwtBearer("First", _tokens.Accept)
                    .AddJwtBearer("Second", new TestTokens("another secret that is long enough").Accept)
                    .AddScheme<AuthenticationSchemeOptions, Stubborn>("Last", null);
                services.AddTokenBlacklist(Refuse);
                services.AddSingleton<IRevocationLog>(_log);
            },
            app => app.MapGet("/all", () => "ok").RequireAuthorization(
                new AuthorizeAttribute { AuthenticationSchemes = "First,Second,Last" }));
        await CutOffAsync(app);
        await AssertUnknownAsync(await app.GetAsync("/all", _tokens.Make()));
    }

    [Fact]
    public async Task Open_endpoint_that_answers_401_for_its_own_reasons_is_left_alone()
    {
        await using var app = await StartAsync(refuse: true);
        await CutOffAsync(app);
        using var answer = await app.GetAsync("/wrong-password", _tokens.Make());
        Assert.Equal(401, (int)answer.StatusCode);
        Assert.Equal("", await answer.Content.ReadAsStringAsync());
    }

    [Theory]
    [InlineData(false, 200)]
    [InlineData(true, 503)]
    public async Task Caller_whom_the_application_lets_in_itself_counts_as_unknown(bool refuse, int status)
    {
        await using var app = await TestApp.StartAsync(services =>
        {
            services.AddAuthentication("Bearer").AddJwtBearer(options =>
            {
                _tokens.Accept(options);
                options.Events = new JwtBearerEvents
                {
                    OnMessageReceived = context =>
                    {
                        if (context.Request.Query.ContainsKey("let-me-in"))
                        {
                            context.Principal = new ClaimsPrincipal(
                                new ClaimsIdentity([new("sub", "x")], "own"));
                            context.Success();
                        }
                        return Task.CompletedTask;
                    },
                    OnAuthenticationFailed = context =>
                    {
                        context.Principal = new ClaimsPrincipal(new ClaimsIdentity([new("sub", "x")], "own"));
                        context.Success();
                        return Task.CompletedTask;
                    },
                };
            });
            services.AddTokenBlacklist(options => options.RefuseWhenUnknown = refuse);
        });
        using var counted = new Counted(app.Services, "rescind.guard.decisions", "decision");
        Assert.Equal(status, (int)(await app.GetAsync("/me?let-me-in")).StatusCode);
        Assert.Equal(status, (int)(await app.GetAsync("/me", "nonsense")).StatusCode);
        Assert.Equal(2, counted[refuse ? "unknown_refused" : "unknown_accepted"]);
        Assert.Equal(200, (int)(await app.GetAsync("/me", _tokens.Make())).StatusCode);
    }

    [Fact]
    public async Task Token_that_lives_longer_than_allowed_is_unknown()
    {
        await using var app = await StartAsync(refuse: true);
        var token = _tokens.Make(("exp", TestTokens.Now + (8 * 24 * 3600)));
        await AssertUnknownAsync(await app.GetAsync("/me", token));
    }

    [Fact]
    public async Task Revoking_while_the_log_is_away_answers_503_and_revokes_nothing()
    {
        await using var app = await StartAsync();
        _log.Appends = SilentLog.Mood.Failing;
        var token = _tokens.Make();
        await (await app.PostAsync("/logout", token)).ProblemAsync(503, "store_unavailable");
        Assert.Equal(200, (int)(await app.GetAsync("/me", token)).StatusCode);
        _log.Appends = SilentLog.Mood.Well;
        Assert.Equal(200, (int)(await app.PostAsync("/logout", token)).StatusCode);
        await (await app.GetAsync("/me", token)).AssertRevokedAsync();
    }

    [Fact]
    public async Task Log_of_this_process_that_cannot_be_read_refuses_the_start()
    {
        var message = await TestApp.RefusedStartAsync(services =>
        {
            services.AddAuthentication("Bearer").AddJwtBearer(_tokens.Accept);
            services.AddTokenBlacklist();
            services.AddSingleton<IRevocationLog>(
                new SilentLog { IsShared = false, Reads = SilentLog.Mood.Failing });
        });
        Assert.Contains("The log is away", message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Shared_log_that_is_away_at_the_start_is_no_reason_to_stay_down()
    {
        _log.Reads = SilentLog.Mood.Failing;
        await using var app = await StartAsync();
        var blacklist = app.Services.GetRequiredService<Blacklist>();
        Assert.False(blacklist.GetStatus().Loaded);
        _log.Reads = SilentLog.Mood.Well;
        await Redis.Eventually.TrueAsync(() => blacklist.GetStatus() is { Loaded: true, Fresh: true }, "fresh");
    }

    private static void Refuse(BlacklistOptions options)
    {
        options.RefuseWhenUnknown = true;
        Quick(options);
    }

    private static void Quick(BlacklistOptions options) => options.Freshness = TimeSpan.FromSeconds(1);

    private Task<TestApp> StartAsync(bool refuse = false, bool isRoutingLast = false) => TestApp.StartAsync(
        services =>
        {
            services.AddAuthentication("Bearer").AddJwtBearer(_tokens.Accept);
            services.AddTokenBlacklist(refuse ? Refuse : Quick);
            services.AddSingleton<IRevocationLog>(_log);
            services.AddControllers().AddApplicationPart(typeof(KnownController).Assembly);
        },
        app =>
        {
            if (isRoutingLast)
            {
                app.UseAuthentication();
                app.UseRouting();
                app.UseAuthorization();
            }
            app.MapLogout();
            app.MapGet("/known", () => "ok").RequireAuthorization().RequireKnownTokens();
            app.MapGet("/known-open", () => "ok").RequireKnownTokens();
            app.MapGroup("/group").RequireKnownTokens().MapGet("/known", () => "ok").RequireAuthorization();
            app.MapControllers().RequireKnownTokens();
            app.MapGet("/wrong-password", () => Results.Unauthorized());
        });

    private async Task CutOffAsync(TestApp app, bool isHanging = false)
    {
        _log.Reads = isHanging ? SilentLog.Mood.Hanging : SilentLog.Mood.Failing;
        await WaitUntil(() => Task.FromResult(!app.Blacklist.GetStatus().Fresh));
    }

    private static async Task AssertUnknownAsync(HttpResponseMessage answer)
    {
        await answer.ProblemAsync(503, "revocation_unknown");
        Assert.Equal("1", Assert.Single(answer.Headers.GetValues("Retry-After")));
        Assert.False(answer.Headers.Contains("WWW-Authenticate"));
    }

    private static async Task WaitUntil(Func<Task<bool>> isSo)
    {
        using var giveUp = new CancellationTokenSource(TimeSpan.FromSeconds(20));
        while (!await isSo())
        {
            giveUp.Token.ThrowIfCancellationRequested();
            await Task.Yield();
        }
    }

    /// <summary>A scheme that knows nobody and challenges with a plain 401.</summary>
    private sealed class Stubborn(
        IOptionsMonitor<AuthenticationSchemeOptions> options, ILoggerFactory logger, UrlEncoder encoder)
        : AuthenticationHandler<AuthenticationSchemeOptions>(options, logger, encoder)
    {
        protected override Task<AuthenticateResult> HandleAuthenticateAsync() =>
            Task.FromResult(AuthenticateResult.NoResult());
    }
}

/// <summary>A controller of an application.</summary>
[ApiController]
[Route("controller")]
public sealed class KnownController : ControllerBase
{
    /// <summary>Needs a caller.</summary>
    [HttpGet("known")]
    [Authorize]
    public string Known() => "ok";
}
