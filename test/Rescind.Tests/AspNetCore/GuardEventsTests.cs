using System.Security.Claims;
using System.Text.Encodings.Web;
using Microsoft.AspNetCore.Authentication;
using Microsoft.AspNetCore.Authentication.JwtBearer;
using Microsoft.AspNetCore.Authorization;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Options;
using Microsoft.IdentityModel.JsonWebTokens;
using Microsoft.IdentityModel.Tokens;
using Rescind.AspNetCore;

namespace Rescind.Tests.AspNetCore;

/// <summary>The guard beside events that take their time, options that say little, and validators that say several
/// things at once.</summary>
public sealed class GuardEventsTests
{
    private readonly TestTokens _tokens = new();

    [Fact]
    public async Task Caller_let_in_by_events_that_take_their_time_counts_as_unknown()
    {
        await using var app = await StartAsync(
            options => options.Events = new JwtBearerEvents
            {
                OnMessageReceived = async context =>
                {
                    await Task.Yield();
                    context.Principal = new ClaimsPrincipal(new ClaimsIdentity([new("sub", "x")], "own"));
                    context.Success();
                },
            },
            refuse: true);
        await (await app.GetAsync("/me", _tokens.Make())).ProblemAsync(503, "revocation_unknown");
    }

    [Fact]
    public async Task Without_error_details_a_revoked_token_is_refused_and_the_header_says_no_more()
    {
        await using var app = await StartAsync(options => options.IncludeErrorDetails = false);
        var token = _tokens.Make();
        await app.Blacklist.RevokeAsync(Revocation.OfToken(TestTokens.Issuer, new JsonWebToken(token).Id));
        using var answer = await app.GetAsync("/me", token);
        await answer.ProblemAsync(401, "token_revoked");
        Assert.Equal("Bearer", Assert.Single(answer.Headers.GetValues("WWW-Authenticate")));
    }

    [Fact]
    public async Task Options_that_are_configured_again_are_guarded_once_and_a_later_EventsType_is_wrapped()
    {
        await using var app = await StartAsync(_ => { });
        var guard = Assert.Single(app.Services.GetServices<IPostConfigureOptions<JwtBearerOptions>>().OfType<GuardSetup>());
        var options = app.Services.GetBearer();
        var events = options.Events;
        guard.PostConfigure("Bearer", options);
        Assert.Same(events, options.Events);
        options.EventsType = typeof(ScopedEvents);
        guard.PostConfigure("Bearer", options);
        Assert.NotSame(events, options.Events);
        Assert.Null(options.EventsType);
        Assert.True(guard.Validate("Bearer", options).Succeeded);
    }

    [Fact]
    public async Task Group_and_endpoint_that_both_require_known_tokens_work_as_one()
    {
        await using var app = await TestApp.StartAsync(_tokens, app => app.MapGroup("/group").RequireKnownTokens()
            .MapGet("/known", () => "ok").RequireAuthorization().RequireKnownTokens());
        using var answer = await app.GetAsync("/group/known", _tokens.Make());
        Assert.Equal("ok", await answer.Content.ReadAsStringAsync());
    }

    [Fact]
    public async Task Scheme_that_writes_its_own_page_cannot_turn_a_503_into_a_401()
    {
        var log = new SilentLog { Reads = SilentLog.Mood.Failing };
        await using var app = await TestApp.StartAsync(
            services =>
            {
                services.AddAuthentication("First").AddJwtBearer("First", _tokens.Accept)
                    .AddScheme<AuthenticationSchemeOptions, Talkative>("Last", null);
                services.AddTokenBlacklist(options => options.RefuseWhenUnknown = true);
                services.AddSingleton<IRevocationLog>(log);
            },
            app => app.MapGet("/all", () => "ok").RequireAuthorization(
                new AuthorizeAttribute { AuthenticationSchemes = "First,Last" }));
        using var answer = await app.GetAsync("/all", _tokens.Make());
        Assert.Equal(503, (int)answer.StatusCode);
        Assert.Equal("1", Assert.Single(answer.Headers.GetValues("Retry-After")));
        Assert.Equal("log in, please", await answer.Content.ReadAsStringAsync());
        using var stranger = await app.GetAsync("/all");
        Assert.Equal(401, (int)stranger.StatusCode);
    }

    [Theory]
    [InlineData(Verdict.Accepted, Verdict.Accepted, Verdict.Accepted)]
    [InlineData(Verdict.Accepted, Verdict.Unknown, Verdict.Unknown)]
    [InlineData(Verdict.Unknown, Verdict.Accepted, Verdict.Unknown)]
    [InlineData(Verdict.Unknown, Verdict.Revoked, Verdict.Revoked)]
    [InlineData(Verdict.Revoked, Verdict.Accepted, Verdict.Revoked)]
    public void Of_several_tokens_the_worst_verdict_counts(Verdict first, Verdict second, Verdict worst)
    {
        var context = new DefaultHttpContext();
        Assert.Null(PresentedToken.Worst(context));
        PresentedToken.Remember(context, token: null, first);
        PresentedToken.Remember(context, token: null, second);
        Assert.Equal(worst, PresentedToken.Worst(context));
    }

    [Theory]
    [InlineData(Verdict.Accepted, Verdict.Accepted)]
    [InlineData(Verdict.Accepted, Verdict.Unknown)]
    [InlineData(Verdict.Unknown, Verdict.Accepted)]
    public void Of_several_tokens_each_is_kept_the_latest_first(Verdict first, Verdict second)
    {
        var context = new DefaultHttpContext();
        PresentedToken.Remember(context, new JsonWebToken(_tokens.Make(("jti", "one"))), first);
        Assert.Equal("one", Assert.Single(PresentedToken.Facts(context)).TokenId);
        Assert.Equal(first, PresentedToken.Worst(context));
        Assert.Equal(first == Verdict.Unknown, PresentedToken.HasUnknown(context));
        PresentedToken.Remember(context, new JsonWebToken(_tokens.Make(("jti", "two"))), second);
        Assert.Equal(["two", "one"], PresentedToken.Facts(context).Select(token => token.TokenId));
        Assert.Equal([second, first], PresentedToken.All(context).Select(token => token.Verdict));
        Assert.Equal(
            first == Verdict.Unknown || second == Verdict.Unknown, PresentedToken.HasUnknown(context));
    }

    [Fact]
    public void Expiry_among_the_faults_of_several_validators_is_called_expiry()
    {
        var expired = new SecurityTokenExpiredException();
        Assert.Same(TokenRefusal.Expired, TokenRefusal.From(expired));
        Assert.Same(TokenRefusal.Expired, TokenRefusal.From(new AggregateException(new SecurityTokenException(), expired)));
        Assert.Same(TokenRefusal.Invalid, TokenRefusal.From(new AggregateException(new SecurityTokenException())));
        Assert.Same(TokenRefusal.Invalid, TokenRefusal.From(null));
    }

    private Task<TestApp> StartAsync(Action<JwtBearerOptions> configure, bool refuse = false) =>
        TestApp.StartAsync(services =>
        {
            services.AddAuthentication("Bearer").AddJwtBearer(options =>
            {
                _tokens.Accept(options);
                configure(options);
            });
            services.AddTokenBlacklist(options => options.RefuseWhenUnknown = refuse);
        });

    /// <summary>A scheme that knows nobody and challenges with a page of its own.</summary>
    private sealed class Talkative(
        IOptionsMonitor<AuthenticationSchemeOptions> options, ILoggerFactory logger, UrlEncoder encoder)
        : AuthenticationHandler<AuthenticationSchemeOptions>(options, logger, encoder)
    {
        protected override Task<AuthenticateResult> HandleAuthenticateAsync() =>
            Task.FromResult(AuthenticateResult.NoResult());

        protected override async Task HandleChallengeAsync(AuthenticationProperties properties)
        {
            Response.StatusCode = StatusCodes.Status401Unauthorized;
            await Response.WriteAsync("log in, please");
        }
    }
}
