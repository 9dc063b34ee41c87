using Microsoft.AspNetCore.Authentication.JwtBearer;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.IdentityModel.JsonWebTokens;
using Microsoft.IdentityModel.Protocols;
using Microsoft.IdentityModel.Protocols.OpenIdConnect;
using Microsoft.IdentityModel.Tokens;

namespace Rescind.Tests.AspNetCore;

/// <summary>What the application brings of its own (validators, events, a provider that takes its time, a log that
/// does) is asked about a remembered token as about any other.</summary>
public sealed class RememberOwnRulesTests
{
    private readonly TestTokens _tokens = new();

    [Theory]
    [InlineData("algorithm")]
    [InlineData("audience")]
    [InlineData("issuer")]
    [InlineData("issuer with metadata")]
    [InlineData("key")]
    [InlineData("key with metadata")]
    [InlineData("lifetime")]
    [InlineData("type")]
    public async Task Own_validator_is_shown_the_token_at_each_request_and_has_the_last_word(string which)
    {
        var (seen, isGood) = (0, true);
        bool Judge(SecurityToken token)
        {
            Assert.IsType<JsonWebToken>(token);
            seen++;
            return isGood;
        }
        await using var app = await RememberApps.StartAsync(
            _tokens, options => SetValidator(options.TokenValidationParameters, which, Judge));
        using var counted = RememberApps.Counts(app);
        var token = _tokens.Make(("aud", "sample"));
        await RememberApps.RememberAsync(app, token, token, token);
        Assert.Equal((1L, 2L), (counted["signature"], counted["memory"]));
        Assert.Equal(3, seen);
        isGood = false;
        Assert.Equal(401, await RememberApps.StatusAsync(app, token));
        Assert.Equal(2, counted["memory"]);
    }

    [Fact]
    public async Task Issuer_of_the_metadata_is_enough_and_another_is_judged_by_the_rules()
    {
        var metadata = new OpenIdConnectConfiguration { Issuer = TestTokens.Issuer };
        metadata.SigningKeys.Add(_tokens.Key);
        await using var app = await RememberApps.StartAsync(_tokens, options =>
        {
            options.TokenValidationParameters.IssuerSigningKey = null;
            options.TokenValidationParameters.ValidIssuer = "https://second.test";
            options.ConfigurationManager = new Provider(metadata);
        });
        using var counted = RememberApps.Counts(app);
        var (first, second) = (_tokens.Make(), _tokens.Make(("iss", "https://second.test")));
        await RememberApps.RememberAsync(app, first, first, second, second);
        Assert.Equal((2L, 2L), (counted["signature"], counted["memory"]));
        app.Services.GetBearer().TokenValidationParameters.ValidIssuer = "https://third.test";
        await RememberApps.RememberAsync(app, first);
        Assert.Equal(401, await RememberApps.StatusAsync(app, second));
        Assert.Equal(3, counted["memory"]);
    }

    [Fact]
    public async Task Provider_that_takes_its_time_is_awaited_by_the_request()
    {
        var metadata = new OpenIdConnectConfiguration { Issuer = TestTokens.Issuer };
        metadata.SigningKeys.Add(_tokens.Key);
        var provider = new Provider(metadata);
        await using var app = await RememberApps.StartAsync(_tokens, options => options.ConfigurationManager = provider);
        using var counted = RememberApps.Counts(app);
        var token = _tokens.Make();
        await RememberApps.RememberAsync(app, token);
        provider.IsSlow = true;
        await RememberApps.RememberAsync(app, token, token);
        Assert.Equal((1L, 2L), (counted["signature"], counted["memory"]));

        // Another object that says the same: this one is verified, and nothing is remembered while it takes time.
        provider.Current = new OpenIdConnectConfiguration { Issuer = TestTokens.Issuer };
        provider.Current.SigningKeys.Add(_tokens.Key);
        await RememberApps.RememberAsync(app, token, token);
        Assert.Equal((3L, 2L), (counted["signature"], counted["memory"]));
    }

    [Fact]
    public async Task Check_that_takes_its_time_is_awaited_and_its_policy_holds()
    {
        var log = new SilentLog();
        await using var app = await RememberApps.StartAsync(_tokens, services: services => services
            .AddSingleton<IRevocationLog>(log)
            .Configure<BlacklistOptions>(options =>
                (options.RefuseWhenUnknown, options.Freshness) = (true, TimeSpan.FromSeconds(2))));
        using var counted = RememberApps.Counts(app);
        var token = _tokens.Make();
        await RememberApps.RememberAsync(app, token, token);
        log.Reads = SilentLog.Mood.Hanging;
        await Redis.Eventually.TrueAsync(() => !app.Blacklist.GetStatus().Fresh, "not fresh");
        Assert.Equal(503, await RememberApps.StatusAsync(app, token));
        Assert.Equal((1L, 2L), (counted["signature"], counted["memory"]));
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task Own_events_in_a_class_or_chained_later_see_the_token_each_time(bool isChained)
    {
        var seen = new List<string>();
        await using var app = await RememberApps.StartAsync(
            _tokens, options => options.Events = isChained ? new JwtBearerEvents() : new Watching(seen),
            services => services.PostConfigureAll<JwtBearerOptions>(options =>
            {
                var before = options.Events.OnTokenValidated;
                if (isChained)
                {
                    options.Events.OnTokenValidated = async context =>
                    {
                        await before(context);
                        seen.Add(context.SecurityToken.Id);
                    };
                }
            }));
        using var counted = RememberApps.Counts(app);
        var token = _tokens.Make(("jti", "one"));
        await RememberApps.RememberAsync(app, token, token);
        Assert.Equal((1L, 1L), (counted["signature"], counted["memory"]));
        Assert.Equal(["one", "one"], seen);
    }

    [Fact]
    public async Task Scheme_that_does_not_save_tokens_does_not_for_a_remembered_one()
    {
        await using var app = await RememberApps.StartAsync(_tokens, options => options.SaveToken = false);
        using var counted = RememberApps.Counts(app);
        var token = _tokens.Make();
        using var first = await app.GetAsync("/seen", token);
        using var second = await app.GetAsync("/seen", token);
        Assert.Equal(1, counted["memory"]);
        var seen = await second.Content.ReadAsStringAsync();
        Assert.Equal(await first.Content.ReadAsStringAsync(), seen);
        Assert.Contains("no token", seen, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("Basic ")]
    [InlineData("bearer")]
    [InlineData("")]
    public async Task Token_in_a_header_of_another_scheme_is_nobodys(string scheme)
    {
        await using var app = await RememberApps.StartAsync(_tokens);
        var token = _tokens.Make();
        await RememberApps.RememberAsync(app, token);
        using var request = new HttpRequestMessage(HttpMethod.Get, "/me");
        request.Headers.TryAddWithoutValidation("Authorization", scheme + token);
        Assert.Equal(401, (int)(await app.Client.SendAsync(request)).StatusCode);
    }

    private static void SetValidator(TokenValidationParameters rules, string which, Func<SecurityToken, bool> judge)
    {
        switch (which)
        {
            case "algorithm":
                rules.AlgorithmValidator = (_, _, token, _) => judge(token);
                break;
            case "audience":
                (rules.ValidateAudience, rules.AudienceValidator) = (true, (_, token, _) => judge(token));
                break;
            case "issuer":
                rules.IssuerValidator = (issuer, token, _) => judge(token) ? issuer : throw new SecurityTokenInvalidIssuerException("no");
                break;
            case "issuer with metadata":
                rules.IssuerValidatorUsingConfiguration = (issuer, token, _, _) =>
                    judge(token) ? issuer : throw new SecurityTokenInvalidIssuerException("no");
                break;
            case "key":
                (rules.ValidateIssuerSigningKey, rules.IssuerSigningKeyValidator) = (true, (_, token, _) => judge(token));
                break;
            case "key with metadata":
                (rules.ValidateIssuerSigningKey, rules.IssuerSigningKeyValidatorUsingConfiguration) =
                    (true, (_, token, _, _) => judge(token));
                break;
            case "lifetime":
                rules.LifetimeValidator = (_, _, token, _) => judge(token);
                break;
            default:
                rules.TypeValidator = (type, token, _) => judge(token) ? type : throw new SecurityTokenInvalidTypeException("no");
                break;
        }
    }

    /// <summary>Events of an application, in a class of its own.</summary>
    private sealed class Watching(List<string> seen) : JwtBearerEvents
    {
        public override Task TokenValidated(TokenValidatedContext context)
        {
            seen.Add(context.SecurityToken.Id);
            return Task.CompletedTask;
        }
    }

    /// <summary>An identity provider that answers at once or not.</summary>
    private sealed class Provider(OpenIdConnectConfiguration first)
        : BaseConfigurationManager, IConfigurationManager<OpenIdConnectConfiguration>
    {
        public OpenIdConnectConfiguration Current { get; set; } = first;

        public bool IsSlow { get; set; }

        public async Task<OpenIdConnectConfiguration> GetConfigurationAsync(CancellationToken cancel)
        {
            if (IsSlow)
            {
                await Task.Yield();
            }
            return Current;
        }

        public override async Task<BaseConfiguration> GetBaseConfigurationAsync(CancellationToken cancel) =>
            await GetConfigurationAsync(cancel);

        public override void RequestRefresh()
        {
        }
    }
}
