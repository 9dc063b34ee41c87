using System.Text;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.IdentityModel.JsonWebTokens;
using Microsoft.IdentityModel.Tokens;
using Rescind.AspNetCore;

namespace Rescind.Tests.AspNetCore;

/// <summary>Every token has an identity that can be revoked, whatever its issuer wrote into it.</summary>
public sealed class FactsReaderTests
{
    private readonly TestTokens _tokens = new();

    [Fact]
    public void Plain_token_gives_all_its_facts()
    {
        var facts = Read("""
            {"iss":"i","sub":"u","jti":"not-a-uuid","sid":"s","client_id":"c","azp":"a",
             "iat":1700000000,"auth_time":1600000000,"exp":1700000600}
            """);
        Assert.Equal(
            new TokenFacts
            {
                Issuer = "i", Subject = "u", TokenId = "not-a-uuid", Session = "s", Client = "c",
                KeyId = "key-1",
                IssuedAt = DateTimeOffset.FromUnixTimeSeconds(1_700_000_000),
                AuthenticatedAt = DateTimeOffset.FromUnixTimeSeconds(1_600_000_000),
                ExpiresAt = DateTimeOffset.FromUnixTimeSeconds(1_700_000_600),
            },
            facts);
    }

    [Fact]
    public void Bare_token_has_an_empty_issuer_and_the_identity_of_its_signing_input()
    {
        var token = _tokens.MakeRaw("{}");
        var facts = FactsReader.Read(new JsonWebToken(token));
        Assert.Equal("", facts.Issuer);
        Assert.Equal(TokenFacts.IdentityOf(token.AsSpan(0, token.LastIndexOf('.'))), facts.TokenId);
        Assert.Null(facts.Subject);
        Assert.Null(facts.Session);
        Assert.Null(facts.Client);
        Assert.Null(facts.IssuedAt);
        Assert.Null(facts.AuthenticatedAt);
        Assert.Null(facts.ExpiresAt);
    }

    [Fact]
    public void Identity_does_not_change_with_the_signature()
    {
        var token = _tokens.MakeRaw("{}");
        var other = token[..token.LastIndexOf('.')] + ".AAAA";
        Assert.Equal(FactsReader.Read(new JsonWebToken(token)), FactsReader.Read(new JsonWebToken(other)));
    }

    [Theory]
    [InlineData("""{"jti":"j","uti":"u"}""", "j")]
    [InlineData("""{"jti":"","uti":"u"}""", "u")]
    [InlineData("""{"jti":null,"uti":"u"}""", "u")]
    [InlineData("""{"uti":7}""", "7")]
    [InlineData("""{"uti":7.50}""", "7.50")]
    [InlineData("""{"uti":99999999999999999999}""", "99999999999999999999")]
    [InlineData("""{"uti":[1, "a"]}""", """[1, "a"]""")]
    [InlineData("""{"uti":{"a": 1}}""", """{"a": 1}""")]
    [InlineData("""{"uti":true}""", "true")]
    [InlineData("""{"uti":false}""", "false")]
    [InlineData("""{"uti":5000000000}""", "5000000000")]
    [InlineData("""{"jti":"a","jti":"b"}""", "b")]
    [InlineData("""{"jti":"2026-01-01T00:00:00Z"}""", "2026-01-01T00:00:00Z")]
    [InlineData("""{"jti":"\u00fc\u4e2d \ud83d\ude00"}""", "\u00fc\u4e2d \ud83d\ude00")]
    public void Odd_ids_count_by_what_the_issuer_wrote(string payload, string identity) =>
        Assert.Equal(identity, Read(payload).TokenId);

    [Theory]
    [InlineData("""{"jti":"\u0000"}""")]
    [InlineData("""{"jti":"a\nb","uti":null}""")]
    [InlineData("""{"jti":"","uti":""}""")]
    [InlineData("""{"uti":null}""")]
    public void Id_that_no_revocation_could_carry_gives_way_to_the_signing_input(string payload) =>
        Assert.StartsWith("sha256:", Read(payload).TokenId, StringComparison.Ordinal);

    [Theory]
    [InlineData("a\\nb")]
    [InlineData("\\u0000")]
    public void Issuer_that_no_revocation_could_carry_counts_by_its_hash(string issuer)
    {
        var facts = Read($$"""{"iss":"{{issuer}}","jti":"j"}""");
        Assert.StartsWith("sha256:", facts.Issuer, StringComparison.Ordinal);
        Assert.Null(new Blacklist().Validate(Revocation.OfToken(facts.Issuer, facts.TokenId)));
        Assert.NotEqual(facts.Issuer, Read("""{"iss":"another\n","jti":"j"}""").Issuer);
    }

    [Fact]
    public void Identity_can_always_be_revoked()
    {
        var blacklist = new Blacklist();
        string[] ids = [new string('x', 1024), new string('x', 1025), "a\u0085b", "\u007f", "\ufffd"];
        foreach (var id in ids)
        {
            var facts = Read($$"""{"iss":"i","jti":{{System.Text.Json.JsonSerializer.Serialize(id)}}}""");
            Assert.Null(blacklist.Validate(Revocation.OfToken(facts.Issuer, facts.TokenId)));
        }
        Assert.Equal(1024, Read($$"""{"jti":"{{new string('x', 1024)}}"}""").TokenId.Length);
        Assert.Equal("\ufffd", Read("""{"jti":"\ufffd"}""").TokenId);
    }

    [Theory]
    [InlineData("""{"sid":5}""", "5")]
    [InlineData("""{"sid":["s"]}""", """["s"]""")]
    [InlineData("""{"sid":null}""", null)]
    [InlineData("""{"sid":""}""", null)]
    public void Odd_sessions_count_by_what_the_issuer_wrote(string payload, string? session) =>
        Assert.Equal(session, Read(payload).Session);

    [Theory]
    [InlineData("""{"client_id":"c","azp":"a"}""", "c")]
    [InlineData("""{"client_id":"","azp":"a"}""", "a")]
    [InlineData("""{"client_id":9}""", "9")]
    [InlineData("""{"azp":"a"}""", "a")]
    public void Client_is_client_id_or_else_azp(string payload, string client) =>
        Assert.Equal(client, Read(payload).Client);

    [Theory]
    [InlineData("-5", 0L)]
    [InlineData("0", 0L)]
    [InlineData("1700000000.4", 1_700_000_000L)]
    [InlineData("\"1700000000\"", 1_700_000_000L)]
    [InlineData("9223372036854775807", 253_402_300_799L)]
    public void Odd_issue_times_neither_throw_nor_vanish(string iat, long seconds) =>
        Assert.Equal(seconds, Read($$"""{"iat":{{iat}}}""").IssuedAt!.Value.ToUnixTimeSeconds());

    [Theory]
    [InlineData("1700000000", 1_700_000_000L)]
    [InlineData("1700000000.9", 1_700_000_000L)]
    [InlineData("\"1700000000\"", 1_700_000_000L)]
    [InlineData("-1", 0L)]
    [InlineData("1e300", 253_402_300_799L)]
    [InlineData("5000000000", 5_000_000_000L)]
    [InlineData("\"1e400\"", 0L)]
    [InlineData("1e400", 0L)]
    [InlineData("\"yesterday\"", 0L)]
    [InlineData("[1]", 0L)]
    [InlineData("true", 0L)]
    public void Auth_time_that_cannot_be_read_counts_as_the_oldest(string value, long seconds)
    {
        var facts = Read($$"""{"auth_time":{{value}}}""");
        Assert.Equal(seconds, facts.AuthenticatedAt!.Value.ToUnixTimeSeconds());
    }

    /// <summary>Found by generated tokens: the library takes it as valid.</summary>
    [Fact]
    public void A_token_with_something_behind_its_payload_has_an_identity() =>
        Assert.Equal("1e3", Read("""{"uti":1e3}}""").TokenId);

    [Fact]
    public void Claims_that_are_null_are_absent()
    {
        var facts = Read("""{"iss":null,"auth_time":null,"client_id":null,"azp":null,"sub":null}""");
        Assert.Equal("", facts.Issuer);
        Assert.Null(facts.AuthenticatedAt);
        Assert.Null(facts.Client);
        Assert.Null(facts.Subject);
    }

    [Fact]
    public void Plain_token_is_read_without_allocation()
    {
        var token = new JsonWebToken(_tokens.Make());
        var letters = 0;
        Assert.Equal(0, Allocation.LeastOf(() =>
        {
            letters = 0;
            for (var i = 0; i < 100; i++)
            {
                letters += FactsReader.Read(token).TokenId.Length;
            }
        }));
        Assert.Equal(100 * 32, letters);
    }

    [Theory]
    [InlineData("""{"jti":5}""")]
    [InlineData("""{"jti":["a"]}""")]
    [InlineData("""{"jti":{}}""")]
    [InlineData("""{"jti":""}""")]
    [InlineData("""{"jti":null}""")]
    [InlineData("""{"sid":[[[]]]}""")]
    [InlineData("""{"sub":[1]}""")]
    [InlineData("""{"sub":5.5}""")]
    [InlineData("""{"iat":"x"}""")]
    [InlineData("""{"iat":1e300}""")]
    [InlineData("""{"iat":null}""")]
    [InlineData("""{"auth_time":{}}""")]
    [InlineData("""{"exp":"never"}""")]
    [InlineData("""{"exp":-1}""")]
    [InlineData("""{"azp":5}""")]
    [InlineData("""{"iss":5}""")]
    [InlineData("""{"iss":"\u0007"}""")]
    [InlineData("""{"iss":"\u4e2d\u200b"}""")]
    [InlineData("""{"iss":"a\", error=\"none"}""")]
    [InlineData("""{"sid":"\ud800"}""")]
    public async Task Hostile_token_never_ends_in_500_and_can_be_logged_out(string odd)
    {
        await using var app = await TestApp.StartAsync(_tokens, app => app.MapLogout());
        var usual = $$"""{"iss":"{{TestTokens.Issuer}}","exp":{{TestTokens.Now + 600}},""";
        var token = _tokens.MakeRaw(usual + odd[1..]);
        var before = (int)(await app.GetAsync("/me", token)).StatusCode;
        Assert.True(before is 200 or 401, $"{odd} gave {before}");
        if (before == 200)
        {
            Assert.Equal(200, (int)(await app.PostAsync("/logout", token)).StatusCode);
            await (await app.GetAsync("/me", token)).AssertRevokedAsync();
        }
    }

    [Fact]
    public async Task Token_without_any_id_is_logged_out_and_its_twin_is_not()
    {
        await using var app = await TestApp.StartAsync(_tokens, app => app.MapLogout());
        var token = _tokens.Make(("jti", null), ("sid", null));
        var twin = _tokens.Make(("jti", null), ("sid", null), ("twin", true));
        Assert.Equal(200, (int)(await app.PostAsync("/logout", token)).StatusCode);
        await (await app.GetAsync("/me", token)).AssertRevokedAsync();
        Assert.Equal(200, (int)(await app.GetAsync("/me", twin)).StatusCode);
    }

    [Fact]
    public async Task Encrypted_token_is_known_by_the_token_inside()
    {
        var secret = new SymmetricSecurityKey(Encoding.UTF8.GetBytes("0123456789abcdef0123456789abcdef"));
        var outer = new EncryptingCredentials(
            secret, JwtConstants.DirectKeyUseAlg, SecurityAlgorithms.Aes128CbcHmacSha256);
        var inner = _tokens.Make(("jti", null), ("sid", "session-9"));
        var token = new JsonWebTokenHandler().EncryptToken(inner, outer);
        await using var app = await TestApp.StartAsync(_tokens, app =>
        {
            app.MapLogout();
            app.MapGet("/facts", (HttpContext context) =>
                $"{context.GetTokenFacts()!.Value.TokenId} {context.GetTokenFacts()!.Value.KeyId}");
            app.Services.GetBearer().TokenValidationParameters.TokenDecryptionKey = secret;
        });
        var expected = FactsReader.Read(new JsonWebToken(inner));
        using var facts = await app.GetAsync("/facts", token);
        Assert.Equal($"{expected.TokenId} {_tokens.KeyId}", await facts.Content.ReadAsStringAsync());
        Assert.Equal(200, (int)(await app.PostAsync("/logout", token)).StatusCode);
        await (await app.GetAsync("/me", token)).AssertRevokedAsync();
        await (await app.GetAsync("/me", inner)).AssertRevokedAsync();
    }

    private TokenFacts Read(string payload) => FactsReader.Read(new JsonWebToken(_tokens.MakeRaw(payload)));
}
