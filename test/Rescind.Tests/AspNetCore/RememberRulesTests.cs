using System.Text;
using System.Text.Json;
using Microsoft.AspNetCore.Authentication.JwtBearer;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Options;
using Microsoft.Extensions.Time.Testing;
using Microsoft.IdentityModel.JsonWebTokens;
using Microsoft.IdentityModel.Protocols;
using Microsoft.IdentityModel.Protocols.OpenIdConnect;
using Microsoft.IdentityModel.Tokens;
using Rescind.AspNetCore;

namespace Rescind.Tests.AspNetCore;

/// <summary>Keys, rules, clocks and options that change are heeded at the next request, however well a token
/// is remembered.</summary>
public sealed class RememberRulesTests
{
    private readonly TestTokens _tokens = new();

    [Fact]
    public async Task Key_that_is_taken_out_of_the_list_ends_what_it_signed()
    {
        var keys = new List<SecurityKey> { new TestTokens("another secret, also of 32 bytes", "key-2").Key, _tokens.Key };
        await using var app = await RememberApps.StartAsync(_tokens, options =>
        {
            options.TokenValidationParameters.IssuerSigningKey = null;
            options.TokenValidationParameters.IssuerSigningKeys = keys;
        });
        using var counted = RememberApps.Counts(app);
        var token = _tokens.Make();
        await RememberApps.RememberAsync(app, token, token);
        Assert.Equal(1, counted["memory"]);
        keys.Remove(_tokens.Key);
        Assert.Equal(401, await RememberApps.StatusAsync(app, token));
    }

    [Fact]
    public async Task New_key_of_the_same_name_ends_what_the_old_one_signed()
    {
        await using var app = await RememberApps.StartAsync(_tokens);
        using var counted = RememberApps.Counts(app);
        var token = _tokens.Make();
        await RememberApps.RememberAsync(app, token, token);
        var rules = app.Services.GetBearer().TokenValidationParameters;
        rules.IssuerSigningKey = new TestTokens("a new secret, of the same name as before").Key;
        Assert.Equal(401, await RememberApps.StatusAsync(app, token));
        rules.IssuerSigningKey = new TestTokens().Key;
        await RememberApps.RememberAsync(app, token, token);
        Assert.Equal((2L, 2L), (counted["signature"], counted["memory"]));
    }

    [Fact]
    public async Task Provider_that_turns_its_keys_is_heeded_at_the_next_request()
    {
        var provider = new Provider(_tokens.Key);
        await using var app = await RememberApps.StartAsync(_tokens, options =>
        {
            options.TokenValidationParameters.IssuerSigningKey = null;
            options.TokenValidationParameters.ValidIssuer = null;
            options.ConfigurationManager = provider;
        });
        using var counted = RememberApps.Counts(app);
        var token = _tokens.Make();
        await RememberApps.RememberAsync(app, token, token);
        Assert.Equal((1L, 1L), (counted["signature"], counted["memory"]));

        provider.Publish(TestTokens.Issuer, _tokens.Key);
        await RememberApps.RememberAsync(app, token, token);
        Assert.Equal((2L, 2L), (counted["signature"], counted["memory"]));

        var next = new TestTokens("the provider's next secret, long enough", "key-2");
        provider.Publish(TestTokens.Issuer, next.Key);
        Assert.Equal(401, await RememberApps.StatusAsync(app, token));
        await RememberApps.RememberAsync(app, next.Make());

        provider.Publish("https://other.test", next.Key);
        Assert.Equal(401, await RememberApps.StatusAsync(app, next.Make()));
    }

    [Fact]
    public async Task Provider_that_removes_a_key_in_place_or_fails_is_heeded()
    {
        var provider = new Provider(_tokens.Key);
        await using var app = await RememberApps.StartAsync(_tokens, options =>
        {
            options.TokenValidationParameters.IssuerSigningKey = null;
            options.ConfigurationManager = provider;
        });
        var token = _tokens.Make();
        await RememberApps.RememberAsync(app, token, token);
        provider.Fault = new IOException("the provider is away");
        Assert.Equal(401, await RememberApps.StatusAsync(app, token));
        provider.Fault = null;
        await RememberApps.RememberAsync(app, token);
        provider.Current.SigningKeys.Clear();
        Assert.Equal(401, await RememberApps.StatusAsync(app, token));
    }

    [Fact]
    public async Task Options_that_are_made_anew_begin_with_nothing()
    {
        var audience = "first";
        await using var app = await RememberApps.StartAsync(_tokens, options =>
        {
            options.TokenValidationParameters.ValidateAudience = true;
            options.TokenValidationParameters.ValidAudience = audience;
        });
        using var counted = RememberApps.Counts(app);
        var (first, both) = (_tokens.Make(("aud", "first")), _tokens.Make(("aud", new[] { "first", "second" })));
        await RememberApps.RememberAsync(app, first, both, first, both);
        Assert.Equal((2L, 2L), (counted["signature"], counted["memory"]));
        audience = "second";
        app.Services.GetRequiredService<IOptionsMonitorCache<JwtBearerOptions>>().TryRemove("Bearer");
        Assert.Equal(401, await RememberApps.StatusAsync(app, first));
        await RememberApps.RememberAsync(app, both, both);
        Assert.Equal((3L, 3L), (counted["signature"], counted["memory"]));
    }

    [Theory]
    [InlineData("audience")]
    [InlineData("issuer")]
    [InlineData("algorithm")]
    [InlineData("type")]
    [InlineData("replaced")]
    [InlineData("type validator")]
    [InlineData("key validator")]
    [InlineData("issuer validator")]
    [InlineData("audience validator")]
    [InlineData("algorithm validator")]
    public async Task Rule_that_changes_in_place_is_heeded_at_the_next_request(string which)
    {
        await using var app = await RememberApps.StartAsync(_tokens);
        using var counted = RememberApps.Counts(app);
        var token = _tokens.Make(("aud", "sample"));
        await RememberApps.RememberAsync(app, token, token);
        Assert.Equal(1, counted["memory"]);
        var options = app.Services.GetBearer();
        var rules = options.TokenValidationParameters;
        Action change = which switch
        {
            "audience" => () => (rules.ValidateAudience, rules.ValidAudience) = (true, "other"),
            "issuer" => () => rules.ValidIssuer = "https://other.test",
            "algorithm" => () => rules.ValidAlgorithms = ["RS256"],
            "type" => () => rules.ValidTypes = ["at+jwt"],
            "replaced" => () => options.TokenValidationParameters = new TokenValidationParameters(),
            "type validator" => () => rules.TypeValidator =
                (_, jwt, _) => jwt is JsonWebToken { Id.Length: > 0 } ? throw new SecurityTokenInvalidTypeException("no") : "",
            "key validator" => () => rules.IssuerSigningKeyValidator = (_, jwt, _) => jwt is not JsonWebToken,
            "issuer validator" => () => rules.IssuerValidatorUsingConfiguration =
                (_, _, _, _) => throw new SecurityTokenInvalidIssuerException("no"),
            "audience validator" => () => rules.AudienceValidator = (_, jwt, _) => jwt is not JsonWebToken,
            _ => () => rules.AlgorithmValidator = (_, _, jwt, _) => jwt is not JsonWebToken,
        };
        change();
        Assert.Equal(401, await RememberApps.StatusAsync(app, token));
        Assert.Equal(1, counted["memory"]);
    }

    [Fact]
    public async Task Clock_that_goes_past_exp_or_back_before_nbf_is_heeded()
    {
        var clock = new FakeTimeProvider(DateTimeOffset.UtcNow);
        await using var app = await RememberApps.StartAsync(_tokens, options =>
            options.TokenValidationParameters.LifetimeValidator = (from, to, token, rules) =>
                token is JsonWebToken && from <= clock.GetUtcNow().UtcDateTime + rules.ClockSkew
                && to > clock.GetUtcNow().UtcDateTime - rules.ClockSkew);
        using var counted = RememberApps.Counts(app);
        var token = _tokens.Make(("nbf", TestTokens.Now));
        await RememberApps.RememberAsync(app, token, token);
        Assert.Equal(1, counted["memory"]);
        clock.AdjustTime(clock.GetUtcNow() + TimeSpan.FromSeconds(600 + 290));
        await RememberApps.RememberAsync(app, token);
        clock.AdjustTime(clock.GetUtcNow() + TimeSpan.FromSeconds(20));
        Assert.Equal(401, await RememberApps.StatusAsync(app, token));
        clock.AdjustTime(DateTimeOffset.UtcNow - TimeSpan.FromSeconds(310));
        Assert.Equal(401, await RememberApps.StatusAsync(app, token));
        Assert.Equal(2, counted["memory"]);
    }

    [Theory]
    [InlineData(-310, null, false)]
    [InlineData(-290, null, true)]
    [InlineData(600, 310, false)]
    [InlineData(600, 290, true)]
    public void Lifetime_is_judged_as_the_scheme_judges_it(int expires, int? begins, bool isGood)
    {
        var token = new JsonWebToken(_tokens.Make(
            ("exp", TestTokens.Now + expires), ("nbf", TestTokens.Now + begins)))
        {
            SigningKey = _tokens.Key,
        };
        var known = VerifiedTableTests.Remembered(token);
        var rules = new TokenValidationParameters
        {
            ValidIssuer = TestTokens.Issuer, ValidateAudience = false, IssuerSigningKey = _tokens.Key,
        };
        if (isGood)
        {
            Assert.True(known.IsStillGood(rules, null, known));
            return;
        }
        Assert.ThrowsAny<SecurityTokenValidationException>(() => known.IsStillGood(rules, null, known));
    }

    [Fact]
    public async Task Signature_is_verified_again_after_five_minutes()
    {
        var clock = new FakeTimeProvider(DateTimeOffset.UtcNow);
        await using var app = await RememberApps.StartAsync(_tokens, options => options.TimeProvider = clock);
        using var counted = RememberApps.Counts(app);
        var token = _tokens.Make();
        await RememberApps.RememberAsync(app, token, token);
        clock.Advance(VerifiedMemory.LongestMemory);
        await RememberApps.RememberAsync(app, token);
        Assert.Equal((1L, 2L), (counted["signature"], counted["memory"]));
        clock.Advance(TimeSpan.FromMilliseconds(1));
        await RememberApps.RememberAsync(app, token, token);
        Assert.Equal((2L, 3L), (counted["signature"], counted["memory"]));
    }

    [Theory]
    [InlineData("token handler", "TokenHandlers")]
    [InlineData("signature validator", "SignatureValidator")]
    [InlineData("signature validator with metadata", "SignatureValidator")]
    [InlineData("key resolver", "IssuerSigningKeyResolver")]
    [InlineData("key resolver with metadata", "IssuerSigningKeyResolver")]
    [InlineData("replay", "replayed")]
    [InlineData("replay cache", "replayed")]
    [InlineData("no replay", "replayed")]
    [InlineData("crypto", "CryptoProviderFactory")]
    [InlineData("reader", "TokenReader")]
    [InlineData("transform", "TransformBeforeSignatureValidation")]
    [InlineData("claims", "TryReadJwtClaim")]
    [InlineData("name", "NameClaimTypeRetriever")]
    [InlineData("role", "RoleClaimTypeRetriever")]
    [InlineData("actor", "ValidateActor")]
    [InlineData("own rules", "of a type of its own")]
    public async Task Scheme_that_does_more_is_left_alone_and_the_log_says_why_once(string what, string why)
    {
        var lines = new LogLines();
        await using var app = await RememberApps.StartAsync(
            _tokens, options => DoMore(options, what),
            services => services.AddSingleton<ILoggerProvider>(lines));
        using var counted = RememberApps.Counts(app);
        var token = _tokens.Make();
        await RememberApps.RememberAsync(app, token, token, token);
        Assert.Equal((3L, 0L), (counted["signature"], counted["memory"]));
        Assert.Contains(why, Assert.Single(lines.Of(2002)), StringComparison.Ordinal);
    }

    private void DoMore(JwtBearerOptions options, string what)
    {
        var rules = options.TokenValidationParameters;
        switch (what)
        {
            case "token handler":
                options.TokenHandlers.Add(new OpaqueHandler());
                break;
            case "signature validator":
                rules.SignatureValidator = (text, _) => new JsonWebToken(text);
                break;
            case "signature validator with metadata":
                rules.SignatureValidatorUsingConfiguration = (text, _, _) => new JsonWebToken(text);
                break;
            case "key resolver with metadata":
                rules.IssuerSigningKeyResolverUsingConfiguration = (_, _, _, _, _) => [_tokens.Key];
                break;
            case "key resolver":
                rules.IssuerSigningKeyResolver = (_, _, _, _) => [_tokens.Key];
                break;
            case "replay":
                rules.TokenReplayValidator = (_, _, _) => true;
                break;
            case "replay cache":
                rules.TokenReplayCache = new NoReplays();
                break;
            case "no replay":
                rules.ValidateTokenReplay = true;
                break;
            case "crypto":
                rules.CryptoProviderFactory = new CryptoProviderFactory();
                break;
            case "reader":
                rules.TokenReader = (text, _) => new JsonWebToken(text);
                break;
            case "transform":
                rules.TransformBeforeSignatureValidation = (token, _) => token;
                break;
            case "name":
                rules.NameClaimTypeRetriever = (_, _) => "sub";
                break;
            case "role":
                rules.RoleClaimTypeRetriever = (_, _) => "role";
                break;
            case "claims":
                rules.TryReadJwtClaim = Unread;
                break;
            case "actor":
                rules.ValidateActor = true;
                break;
            default:
                options.TokenValidationParameters = new OwnRules(rules);
                break;
        }
    }

    private static bool Unread(ref Utf8JsonReader reader, JwtSegmentType segment, string name, out object value)
    {
        value = name;
        return false;
    }

    /// <summary>Has never seen a token.</summary>
    private sealed class NoReplays : ITokenReplayCache
    {
        public bool TryAdd(string securityToken, DateTime expiresOn) => true;

        public bool TryFind(string securityToken) => false;
    }

    private sealed class OwnRules : TokenValidationParameters
    {
        public OwnRules(TokenValidationParameters other) : base(other)
        {
        }

        public override TokenValidationParameters Clone() => new OwnRules(this);
    }

    /// <summary>An identity provider whose metadata a test turns over.</summary>
    private sealed class Provider : BaseConfigurationManager, IConfigurationManager<OpenIdConnectConfiguration>
    {
        public Provider(SecurityKey key) => Publish(TestTokens.Issuer, key);

        public OpenIdConnectConfiguration Current { get; private set; } = new();

        public Exception? Fault { get; set; }

        public void Publish(string issuer, SecurityKey key)
        {
            // What was good before must not be taken instead.
            UseLastKnownGoodConfiguration = false;
            Current = new OpenIdConnectConfiguration { Issuer = issuer };
            Current.SigningKeys.Add(key);
        }

        public Task<OpenIdConnectConfiguration> GetConfigurationAsync(CancellationToken cancel) =>
            Fault is null ? Task.FromResult(Current) : Task.FromException<OpenIdConnectConfiguration>(Fault);

        public override async Task<BaseConfiguration> GetBaseConfigurationAsync(CancellationToken cancel) =>
            await GetConfigurationAsync(cancel);

        public override void RequestRefresh()
        {
        }
    }
}
