using Microsoft.AspNetCore.Authentication;
using Microsoft.AspNetCore.Authentication.JwtBearer;
using Microsoft.AspNetCore.Authorization;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.IdentityModel.JsonWebTokens;
using Microsoft.IdentityModel.Tokens;

namespace Rescind.Tests.AspNetCore;

/// <summary>The guard stands in every way an application may bring, order or replace its own parts.</summary>
public sealed class GuardTests
{
    private readonly TestTokens _tokens = new();

    [Fact]
    public async Task Revoked_token_is_refused_and_another_of_the_same_user_is_not()
    {
        await using var app = await TestApp.StartAsync(_tokens);
        await AssertGuardedAsync(app);
    }

    [Fact]
    public async Task Own_OnTokenValidated_that_succeeds_cannot_let_a_revoked_token_in()
    {
        var calls = 0;
        await using var app = await StartAsync(options => options.Events = new JwtBearerEvents
        {
            OnTokenValidated = context =>
            {
                calls++;
                context.Success();
                return Task.CompletedTask;
            },
        });
        await AssertGuardedAsync(app);
        Assert.Equal(2, calls);
    }

    [Fact]
    public async Task Own_EventsType_is_made_for_each_request_and_cannot_let_a_revoked_token_in()
    {
        var journal = new EventJournal();
        await using var app = await StartAsync(
            options => options.EventsType = typeof(ScopedEvents),
            services => services.AddSingleton(journal).AddScoped<ScopedEvents>());
        await AssertGuardedAsync(app);

        journal.Clear();
        Assert.Equal(200, (int)(await app.GetAsync("/me", _tokens.Make())).StatusCode);
        Assert.Equal(["made", "received", "validated"], journal.Lines);
        journal.Clear();
        Assert.Equal(401, (int)(await app.GetAsync("/me", "nonsense")).StatusCode);
        Assert.Equal(["made", "received", "failed", "challenge"], journal.Lines);
        journal.Clear();
        Assert.Equal(403, (int)(await app.GetAsync("/never", _tokens.Make())).StatusCode);
        Assert.Equal(["made", "received", "validated", "forbidden"], journal.Lines);
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task Order_of_registration_does_not_matter(bool isBlacklistFirst)
    {
        var calls = 0;
        void Count(JwtBearerOptions options) => options.Events = new JwtBearerEvents
        {
            OnTokenValidated = _ =>
            {
                calls++;
                return Task.CompletedTask;
            },
        };
        await using var app = await TestApp.StartAsync(services =>
        {
            if (isBlacklistFirst)
            {
                services.AddTokenBlacklist();
            }
            services.AddAuthentication("Bearer").AddJwtBearer(_tokens.Accept);
            services.Configure<JwtBearerOptions>("Bearer", Count);
            if (!isBlacklistFirst)
            {
                services.AddTokenBlacklist();
            }
        });
        await AssertGuardedAsync(app);
        Assert.Equal(2, calls);
    }

    [Fact]
    public async Task PostConfigure_before_the_blacklist_is_wrapped()
    {
        var calls = 0;
        await using var app = await TestApp.StartAsync(services =>
        {
            services.AddAuthentication("Bearer").AddJwtBearer(_tokens.Accept);
            services.PostConfigure<JwtBearerOptions>("Bearer", options => options.Events = new JwtBearerEvents
            {
                OnTokenValidated = _ =>
                {
                    calls++;
                    return Task.CompletedTask;
                },
            });
            services.AddTokenBlacklist();
        });
        await AssertGuardedAsync(app);
        Assert.Equal(2, calls);
    }

    [Fact]
    public async Task Library_that_chains_OnTokenValidated_later_keeps_its_say()
    {
        var order = new List<string>();
        await using var app = await StartAsync(
            options => options.Events = new JwtBearerEvents
            {
                OnTokenValidated = _ =>
                {
                    order.Add("own");
                    return Task.CompletedTask;
                },
            },
            services => services.PostConfigureAll<JwtBearerOptions>(options =>
            {
                var chained = options.Events.OnTokenValidated;
                options.Events.OnTokenValidated = async context =>
                {
                    await chained(context);
                    order.Add("library");
                    if (context.Principal!.HasClaim("sub", "locked"))
                    {
                        context.Fail("The account is locked.");
                    }
                };
            }));
        await AssertGuardedAsync(app);
        Assert.Equal(["own", "library", "own", "library"], order);
        using var rejected = await app.GetAsync("/me", _tokens.Make(("sub", "locked")));
        Assert.Equal(401, (int)rejected.StatusCode);
    }

    [Fact]
    public async Task Every_bearer_scheme_is_guarded_and_the_header_is_not_written_twice()
    {
        var others = new TestTokens("another secret of a test, long enough too", "key-2");
        await using var app = await TestApp.StartAsync(
            services =>
            {
                services.AddAuthentication("First").AddJwtBearer("First", _tokens.Accept)
                    .AddJwtBearer("Second", others.Accept);
                services.AddTokenBlacklist();
            },
            app => app.MapGet("/both", () => "ok").RequireAuthorization(
                new AuthorizeAttribute { AuthenticationSchemes = "First,Second" }));
        foreach (var minted in new[] { _tokens, others })
        {
            var token = minted.Make();
            Assert.Equal(200, (int)(await app.GetAsync("/both", token)).StatusCode);
            await RevokeAsync(app, token);
            await (await app.GetAsync("/both", token)).AssertRevokedAsync();
        }
    }

    [Fact]
    public async Task Scheme_that_is_added_while_the_application_runs_is_guarded()
    {
        await using var app = await TestApp.StartAsync(
            services =>
            {
                Plain(services);
                services.Configure<JwtBearerOptions>("Late", _tokens.Accept);
            },
            app => app.MapGet("/late", () => "ok").RequireAuthorization(
                new AuthorizeAttribute { AuthenticationSchemes = "Late" }));
        app.Services.GetRequiredService<IAuthenticationSchemeProvider>().AddScheme(
            new AuthenticationScheme("Late", null, typeof(JwtBearerHandler)));
        await AssertGuardedAsync(app, "/late");
    }

    [Theory]
    [InlineData("nonsense")]
    [InlineData("a.b.c")]
    [InlineData("eyJhbGciOiJub25lIn0.eyJzdWIiOiJ1c2VyLTEifQ.")]
    public async Task Unreadable_token_is_refused(string token)
    {
        await using var app = await TestApp.StartAsync(_tokens);
        using var answer = await app.GetAsync("/me", token);
        Assert.Equal(401, (int)answer.StatusCode);
        Assert.StartsWith(
            "Bearer error=\"invalid_token\"", answer.Headers.WwwAuthenticate.ToString(),
            StringComparison.Ordinal);
    }

    [Fact]
    public async Task Token_of_a_kind_the_blacklist_cannot_read_is_refused()
    {
        await using var app = await StartAsync(options =>
        {
            options.TokenHandlers.Clear();
            options.TokenHandlers.Add(new OpaqueHandler());
        });
        using var counted = new Counted(app.Services, "rescind.guard.decisions", "decision");
        using var answer = await app.GetAsync("/me", "whatever");
        Assert.Equal(401, (int)answer.StatusCode);
        Assert.Equal(1, counted["unreadable"]);
    }

    [Fact]
    public async Task Adding_the_blacklist_twice_does_no_harm()
    {
        await using var app = await TestApp.StartAsync(services =>
        {
            Plain(services);
            services.AddTokenBlacklist(options => options.LargestBatch = 5);
        });
        using var counted = new Counted(app.Services, "rescind.guard.decisions", "decision");
        await AssertGuardedAsync(app);
        Assert.Equal(5, app.Blacklist.Options.LargestBatch);
        Assert.Equal((2L, 1L), (counted["accepted"], counted["revoked"]));
    }

    [Fact]
    public async Task Revoked_token_on_an_open_endpoint_is_no_caller_and_no_error()
    {
        await using var app = await TestApp.StartAsync(_tokens);
        var token = _tokens.Make();
        Assert.Equal("none", await (await app.GetAsync("/open")).Content.ReadAsStringAsync());
        Assert.Equal("Accepted", await (await app.GetAsync("/open", token)).Content.ReadAsStringAsync());
        await RevokeAsync(app, token);
        using var answer = await app.GetAsync("/open", token);
        Assert.Equal("Revoked", await answer.Content.ReadAsStringAsync());
        Assert.Equal(200, (int)answer.StatusCode);
    }

    [Fact]
    public async Task Application_that_answers_challenges_itself_keeps_its_answer()
    {
        await using var app = await StartAsync(options => options.Events = new JwtBearerEvents
        {
            OnChallenge = async context =>
            {
                context.HandleResponse();
                context.Response.StatusCode = 401;
                await context.Response.WriteAsync($"own: {context.ErrorDescription}");
            },
        });
        var token = _tokens.Make();
        await RevokeAsync(app, token);
        using var answer = await app.GetAsync("/me", token);
        Assert.Equal("own: The token has been revoked", await answer.Content.ReadAsStringAsync());
    }

    private void Plain(IServiceCollection services)
    {
        services.AddAuthentication("Bearer").AddJwtBearer(_tokens.Accept);
        services.AddTokenBlacklist();
    }

    private Task<TestApp> StartAsync(
        Action<JwtBearerOptions> configure, Action<IServiceCollection>? more = null) =>
        TestApp.StartAsync(
            services =>
            {
                services.AddAuthentication("Bearer").AddJwtBearer(options =>
                {
                    _tokens.Accept(options);
                    configure(options);
                });
                services.AddTokenBlacklist();
                more?.Invoke(services);
            },
            app => app.MapGet("/never", () => "ok").RequireAuthorization(
                policy => policy.RequireAuthenticatedUser().RequireAssertion(_ => false)));

    private async Task AssertGuardedAsync(TestApp app, string path = "/me")
    {
        var token = _tokens.Make();
        Assert.Equal(200, (int)(await app.GetAsync(path, token)).StatusCode);
        await RevokeAsync(app, token);
        await (await app.GetAsync(path, token)).AssertRevokedAsync();
        Assert.Equal(200, (int)(await app.GetAsync(path, _tokens.Make())).StatusCode);
    }

    private static async Task RevokeAsync(TestApp app, string token) =>
        await app.Blacklist.RevokeAsync(Revocation.OfToken(TestTokens.Issuer, new JsonWebToken(token).Id));
}
