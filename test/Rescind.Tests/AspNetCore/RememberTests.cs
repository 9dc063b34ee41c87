using System.Security.Claims;
using Microsoft.AspNetCore.Authentication;
using Microsoft.AspNetCore.Authentication.JwtBearer;
using Microsoft.AspNetCore.Authorization;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.IdentityModel.JsonWebTokens;
using Microsoft.IdentityModel.Tokens;

namespace Rescind.Tests.AspNetCore;

/// <summary>A remembered token is judged as any other, in all but its signature; and a request with it looks
/// to the application as any other.</summary>
public sealed class RememberTests
{
    private readonly TestTokens _tokens = new();

    [Fact]
    public async Task Second_request_with_a_token_is_not_verified_and_looks_the_same()
    {
        await using var app = await StartAsync();
        await using var without = await StartAsync(remember: null);
        using var counted = Counts(app);
        var token = _tokens.Make(("nbf", TestTokens.Now - 5), ("role", new[] { "a", "b" }), ("auth_time", 7));
        var first = await SeenAsync(app, token);
        var second = await SeenAsync(app, token);
        Assert.Equal((1L, 1L), (counted["signature"], counted["memory"]));
        Assert.Equal(first, second);
        Assert.Equal(await SeenAsync(without, token), second);
        Assert.Contains(token, second, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Revoked_token_is_refused_although_it_is_remembered()
    {
        await using var app = await StartAsync();
        using var counted = Counts(app);
        var (token, other) = (_tokens.Make(), _tokens.Make());
        await RememberAsync(app, token, other);
        await app.Blacklist.RevokeAsync(Revocation.OfToken(TestTokens.Issuer, new JsonWebToken(token).Id));
        await (await app.GetAsync("/me", token)).AssertRevokedAsync();
        Assert.Equal(200, await StatusAsync(app, other));
        await app.Blacklist.RevokeAsync(Revocation.OfKey(TestTokens.Issuer, _tokens.KeyId));
        await (await app.GetAsync("/me", other)).AssertRevokedAsync();
        Assert.Equal(3, counted["memory"]);
    }

    [Fact]
    public async Task Unknown_is_decided_by_the_policy_for_a_remembered_token_too()
    {
        await using var app = await StartAsync(
            map: app => app.MapGet("/known", () => "ok").RequireAuthorization().RequireKnownTokens());
        using var counted = Counts(app);
        var token = _tokens.Make(("iat", TestTokens.Now + 3600), ("exp", TestTokens.Now + 7200));
        await RememberAsync(app, token);
        Assert.Equal(200, await StatusAsync(app, token));
        Assert.Equal("Unknown", await (await app.GetAsync("/open", token)).Content.ReadAsStringAsync());
        Assert.Equal(503, await StatusAsync(app, token, "/known"));
        Assert.Equal(3, counted["memory"]);
    }

    [Fact]
    public async Task Token_of_another_scheme_is_not_known_here()
    {
        var others = new TestTokens("another secret of a test, long enough too", "key-1");
        await using var app = await StartAsync(
            services: services => services.AddAuthentication().AddJwtBearer("Other", others.Accept),
            map: app => app.MapGet("/other", () => "ok").RequireAuthorization(
                new AuthorizeAttribute { AuthenticationSchemes = "Other" }));
        var (ours, theirs) = (_tokens.Make(), others.Make());
        await RememberAsync(app, ours);
        Assert.Equal(200, await StatusAsync(app, theirs, "/other"));
        Assert.Equal(200, await StatusAsync(app, theirs, "/other"));
        Assert.Equal(401, await StatusAsync(app, ours, "/other"));
        Assert.Equal(401, await StatusAsync(app, theirs));
    }

    [Theory]
    [InlineData("signature")]
    [InlineData("last letter")]
    [InlineData("padding")]
    [InlineData("payload")]
    [InlineData("more letters")]
    public async Task Token_that_differs_in_one_letter_is_verified_by_itself(string where)
    {
        await using var app = await StartAsync();
        await using var without = await StartAsync(remember: null);
        using var counted = Counts(app);
        var token = _tokens.Make();
        await RememberAsync(app, token);
        var parts = token.Split('.');
        var last = token[^1];
        var changed = where switch
        {
            "signature" => $"{parts[0]}.{parts[1]}.{(parts[2][0] == 'A' ? 'B' : 'A')}{parts[2][1..]}",
            // The last two bits of 32 bytes in base64url say nothing: some readers take all four letters.
            "last letter" => token[..^1] + (char)(last is 'Z' or 'z' or '9' ? last - 1 : last + 1),
            "padding" => token + "=",
            "payload" => $"{parts[0]}.{parts[1][..^1]}{(parts[1][^1] == 'A' ? 'B' : 'A')}.{parts[2]}",
            _ => token + "A",
        };
        var before = counted["memory"];
        Assert.Equal(await StatusAsync(without, changed), await StatusAsync(app, changed));
        Assert.Equal(before, counted["memory"]);
        Assert.Equal(200, await StatusAsync(app, token));
    }

    [Fact]
    public async Task What_one_request_does_to_its_caller_no_later_one_sees()
    {
        await using var app = await StartAsync(
            options => options.Events = new JwtBearerEvents
            {
                OnTokenValidated = context =>
                {
                    Spoil(context.Principal!);
                    context.Properties.Items["spoiled"] = "yes";
                    ((JsonWebToken)context.SecurityToken).Claims.First().Properties["spoiled"] = "yes";
                    context.SecurityToken.SigningKey = null;
                    return Task.CompletedTask;
                },
            },
            services => services.AddTransient<IClaimsTransformation, Spoiler>());
        var token = _tokens.Make();
        var first = await SeenAsync(app, token);
        for (var again = 0; again < 3; again++)
        {
            Assert.Equal(first, await SeenAsync(app, token));
        }
        Assert.Equal(2, first.Split("spoiled=yes").Length - 1);
    }

    [Fact]
    public async Task Own_events_run_as_without_and_have_the_last_word()
    {
        var journal = new EventJournal();
        await using var app = await StartAsync(
            options => options.EventsType = typeof(ScopedEvents),
            services => services.AddSingleton(journal).AddScoped<ScopedEvents>());
        using var counted = Counts(app);
        var token = _tokens.Make();
        await RememberAsync(app, token);
        journal.Clear();
        Assert.Equal(200, await StatusAsync(app, token));
        Assert.Equal(["made", "received", "validated"], journal.Lines);
        Assert.Equal(1, counted["memory"]);
    }

    [Theory]
    [InlineData("fail", 401)]
    [InlineData("none", 401)]
    [InlineData("throw", 500)]
    [InlineData("other", 200)]
    public async Task What_own_OnTokenValidated_decides_holds_for_a_remembered_token(string what, int status)
    {
        var decide = false;
        await using var app = await StartAsync(options => options.Events = new JwtBearerEvents
        {
            OnTokenValidated = context =>
            {
                switch (decide ? what : "")
                {
                    case "fail":
                        context.Fail("locked");
                        break;
                    case "none":
                        context.NoResult();
                        break;
                    case "throw":
                        throw new InvalidOperationException("no database");
                    case "other":
                        context.Principal = new ClaimsPrincipal(
                            new ClaimsIdentity([new Claim("sub", "somebody else")], "own"));
                        context.Success();
                        break;
                }
                return Task.CompletedTask;
            },
        });
        using var counted = Counts(app);
        var token = _tokens.Make();
        await RememberAsync(app, token);
        decide = true;
        using var answer = await app.GetAsync("/me", token);
        Assert.Equal(status, (int)answer.StatusCode);
        if (what == "other")
        {
            Assert.Equal("somebody else", await answer.Content.ReadAsStringAsync());
        }
        Assert.Equal(1, counted["memory"]);
    }

    [Fact]
    public async Task Token_that_the_application_takes_from_elsewhere_is_remembered_too()
    {
        await using var app = await StartAsync(options => options.Events = new JwtBearerEvents
        {
            OnMessageReceived = context =>
            {
                context.Token = context.Request.Query["access_token"];
                return Task.CompletedTask;
            },
        });
        using var counted = Counts(app);
        var token = _tokens.Make();
        await RememberAsync(app, token);
        Assert.Equal(200, (int)(await app.GetAsync($"/me?access_token={token}")).StatusCode);
        Assert.Equal(401, (int)(await app.GetAsync($"/me?access_token={token}x", token)).StatusCode);
        Assert.Equal(1, counted["memory"]);
    }

    [Fact]
    public async Task Failed_validation_is_never_remembered()
    {
        await using var app = await StartAsync();
        using var counted = Counts(app);
        var forged = new TestTokens("a secret that nobody here accepts, at all").Make();
        var over = _tokens.Make(("exp", TestTokens.Now - 3600), ("iat", TestTokens.Now - 7200));
        foreach (var token in new[] { forged, over, forged, over })
        {
            Assert.Equal(401, await StatusAsync(app, token));
        }
        Assert.Equal((0L, 0L), (counted["signature"], counted["memory"]));
    }

    [Fact]
    public async Task Many_first_requests_at_once_are_all_right()
    {
        await using var app = await StartAsync();
        using var counted = Counts(app);
        var tokens = Enumerable.Range(0, 4).Select(user => _tokens.Make(("sub", $"user-{user}"))).ToList();
        await Task.WhenAll(Enumerable.Range(0, 200).Select(async number =>
        {
            using var answer = await app.GetAsync("/me", tokens[number % 4]);
            Assert.Equal($"user-{number % 4}", await answer.Content.ReadAsStringAsync());
        }));
        Assert.Equal(200, counted["signature"] + counted["memory"]);
        Assert.True(counted["memory"] > 100);
    }

    private static void Spoil(ClaimsPrincipal caller)
    {
        var identity = (ClaimsIdentity)caller.Identity!;
        identity.RemoveClaim(identity.FindFirst("sid"));
        identity.AddClaim(new Claim("role", "administrator"));
        identity.FindFirst("jti")!.Properties["spoiled"] = "yes";
        identity.Label = identity.Label is null ? "labelled" : "labelled twice";
        caller.AddIdentity(new ClaimsIdentity([new Claim("more", "of it")]));
    }

    private Task<TestApp> StartAsync(
        Action<JwtBearerOptions>? configure = null, Action<IServiceCollection>? services = null,
        Action<WebApplication>? map = null, int? remember = 1_000) =>
        RememberApps.StartAsync(_tokens, configure, services, map, remember);

    private static Counted Counts(TestApp app) => RememberApps.Counts(app);

    private static Task RememberAsync(TestApp app, params string[] tokens) =>
        RememberApps.RememberAsync(app, tokens);

    private static Task<int> StatusAsync(TestApp app, string token, string path = "/me") =>
        RememberApps.StatusAsync(app, token, path);

    private static async Task<string> SeenAsync(TestApp app, string token)
    {
        using var answer = await app.GetAsync("/seen", token);
        Assert.Equal(200, (int)answer.StatusCode);
        return await answer.Content.ReadAsStringAsync();
    }

    /// <summary>Changes the very object it is given, which is wrong and often done.</summary>
    private sealed class Spoiler : IClaimsTransformation
    {
        public Task<ClaimsPrincipal> TransformAsync(ClaimsPrincipal principal)
        {
            var identity = (ClaimsIdentity)principal.Identity!;
            identity.AddClaim(new Claim("transformed", "once"));
            return Task.FromResult(principal);
        }
    }
}
