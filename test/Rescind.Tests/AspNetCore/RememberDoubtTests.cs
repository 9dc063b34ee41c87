using System.Security.Claims;
using System.Text;
using Microsoft.AspNetCore.Authentication;
using Microsoft.AspNetCore.Authentication.JwtBearer;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Logging.Abstractions;
using Microsoft.IdentityModel.JsonWebTokens;
using Microsoft.IdentityModel.Protocols;
using Microsoft.IdentityModel.Protocols.OpenIdConnect;
using Microsoft.IdentityModel.Tokens;
using Rescind.AspNetCore;

namespace Rescind.Tests.AspNetCore;

/// <summary>What is not exactly as the handler leaves it is not remembered, and what is not exactly as it was is not
/// found: then the scheme validates as if nothing were remembered.</summary>
public sealed class RememberDoubtTests
{
    private readonly TestTokens _tokens = new();
    private readonly VerifiedMemory _memory = new(new VerifiedLimits(1_000, 1_000_000), NullLogger.Instance);
    private readonly JwtBearerOptions _options = new();

    public RememberDoubtTests() => _tokens.Accept(_options);

    [Theory]
    [InlineData("nothing", true)]
    [InlineData("plain identity", true)]
    [InlineData("metadata at hand", true)]
    [InlineData("own identity", false)]
    [InlineData("two identities", false)]
    [InlineData("nobody", false)]
    [InlineData("token in the identity", false)]
    [InlineData("unsigned", false)]
    [InlineData("encrypted", false)]
    [InlineData("no exp", false)]
    [InlineData("too long", false)]
    [InlineData("another key of the same name", false)]
    [InlineData("metadata under way", false)]
    [InlineData("own handler", false)]
    public void Only_what_is_as_the_handler_leaves_it_is_remembered(string odd, bool isRemembered)
    {
        var token = Read(_tokens.Make(odd switch
        {
            "no exp" => [("exp", null)],
            "too long" => [("text", new string('x', TokenDigest.LongestToken))],
            _ => [],
        }));
        switch (odd)
        {
            case "metadata at hand" or "metadata under way":
                _options.ConfigurationManager = new Metadata { IsUnderWay = odd == "metadata under way" };
                break;
            case "unsigned":
                token = new JsonWebToken(token.EncodedToken[..(token.EncodedToken.LastIndexOf('.') + 1)]);
                break;
            case "encrypted":
                var key = new SymmetricSecurityKey(Encoding.UTF8.GetBytes("0123456789abcdef0123456789abcdef"));
                token = Read(new JsonWebTokenHandler().EncryptToken(token.EncodedToken, new EncryptingCredentials(
                    key, JwtConstants.DirectKeyUseAlg, SecurityAlgorithms.Aes128CbcHmacSha256)));
                break;
            case "another key of the same name":
                token.SigningKey = new TestTokens().Key;
                break;
        }
        Remember(token, Caller(odd, token), odd == "own handler" ? typeof(OwnHandler) : typeof(JwtBearerHandler));
        Assert.Equal(isRemembered ? 1 : 0, _memory.Count);
    }

    [Theory]
    [InlineData("the same", true, 1)]
    [InlineData("others", false, 0)]
    [InlineData("none", false, 1)]
    public async Task Metadata_that_take_their_time_are_awaited_and_heeded(string which, bool isFound, int left)
    {
        var metadata = new Metadata();
        _options.ConfigurationManager = metadata;
        var token = Read(_tokens.Make());
        Remember(token, Caller("nothing", token));
        metadata.IsUnderWay = true;
        var find = _memory.FindAsync(Received(), token.EncodedToken);
        Assert.False(find.IsCompleted);
        switch (which)
        {
            case "the same":
                metadata.Asked.SetResult(metadata.Current);
                break;
            case "others":
                metadata.Asked.SetResult(new OpenIdConnectConfiguration());
                break;
            default:
                metadata.Asked.SetException(new IOException("the provider is away"));
                break;
        }
        Assert.Equal(isFound, await find is not null);
        Assert.Equal(left, _memory.Count);
    }

    [Fact]
    public async Task Remembered_token_is_found_by_all_of_its_letters_and_by_nothing_else()
    {
        var token = Read(_tokens.Make());
        Assert.Null(await _memory.FindAsync(Received(), token.EncodedToken));
        Remember(token, Caller("nothing", token));
        var found = await _memory.FindAsync(Received(), token.EncodedToken);
        Assert.Equal((token.Id, token.Issuer), (found!.Id, found.Issuer));
        Assert.Null(await _memory.FindAsync(Received(), token.EncodedToken + "x"));
        Assert.Null(await _memory.FindAsync(Received(), null));
    }

    [Fact]
    public async Task Nobody_changes_the_key_of_a_remembered_token_or_is_shown_another()
    {
        var token = Read(_tokens.Make());
        Remember(token, Caller("nothing", token));
        var found = await _memory.FindAsync(Received(), token.EncodedToken);
        Assert.Throws<NotSupportedException>(() => found!.SigningKey = new TestTokens().Key);
        Assert.Same(_tokens.Key, found!.SigningKey);
        Assert.Null(found.SecurityKey);
    }

    private static ClaimsPrincipal? Caller(string odd, JsonWebToken token)
    {
        Claim[] claims = [new("jti", token.Id)];
        return odd switch
        {
            "nobody" => null,
            "plain identity" => new ClaimsPrincipal(new ClaimsIdentity(claims, "test")),
            "own identity" => new ClaimsPrincipal(new OwnIdentity(claims)),
            "two identities" => new ClaimsPrincipal([new ClaimsIdentity(claims, "test"), new ClaimsIdentity()]),
            _ => new ClaimsPrincipal(new CaseSensitiveClaimsIdentity(claims, "test")
            {
                BootstrapContext = odd == "token in the identity" ? token.EncodedToken : null,
            }),
        };
    }

    private JsonWebToken Read(string text) => new(text) { SigningKey = _tokens.Key };

    private void Remember(JsonWebToken token, ClaimsPrincipal? caller, Type? handler = null) => _memory.Remember(
        new TokenValidatedContext(new DefaultHttpContext(), Scheme(handler), _options)
        {
            Principal = caller, SecurityToken = token,
        },
        token, FactsReader.Read(token));

    private MessageReceivedContext Received() => new(new DefaultHttpContext(), Scheme(), _options);

    private static AuthenticationScheme Scheme(Type? handler = null) =>
        new("Bearer", null, handler ?? typeof(JwtBearerHandler));

    private sealed class OwnIdentity(IEnumerable<Claim> claims) : ClaimsIdentity(claims, "test");

    private sealed class OwnHandler(
        Microsoft.Extensions.Options.IOptionsMonitor<JwtBearerOptions> options,
        Microsoft.Extensions.Logging.ILoggerFactory logger, System.Text.Encodings.Web.UrlEncoder encoder)
        : JwtBearerHandler(options, logger, encoder);

    /// <summary>The metadata of a provider, which are at hand or under way.</summary>
    private sealed class Metadata : IConfigurationManager<OpenIdConnectConfiguration>
    {
        public OpenIdConnectConfiguration Current { get; } = new();

        public TaskCompletionSource<OpenIdConnectConfiguration> Asked { get; } = new();

        public bool IsUnderWay { get; set; }

        public Task<OpenIdConnectConfiguration> GetConfigurationAsync(CancellationToken cancel) =>
            IsUnderWay ? Asked.Task : Task.FromResult(Current);

        public void RequestRefresh()
        {
        }
    }
}
