using System.Text.Json;
using CsCheck;
using Microsoft.IdentityModel.JsonWebTokens;
using Microsoft.IdentityModel.Tokens;
using Rescind.AspNetCore;
using Rescind.Tests.AspNetCore;

namespace Rescind.Tests.Fuzz;

/// <summary>Whatever an issuer signs, and whatever somebody sends instead.</summary>
public sealed class TokenFuzzTests
{
    private static readonly TestTokens Tokens = new();
    private static readonly Blacklist Blacklist = new();
    private static readonly JsonWebTokenHandler Handler = new();
    private static readonly TokenValidationParameters Rules = new()
    {
        IssuerSigningKey = Tokens.Key, ValidateIssuer = false, ValidateAudience = false, ValidateLifetime = false,
    };

    /// <summary>A value of a claim, as JSON, and the text that it counts as; null: as absent.</summary>
    private sealed record Claim(string Json, string? Text);

    private static readonly Gen<Claim?> OddClaims = Gen.Frequency(
        (3, Hostile.OneOf<Claim?>([null])),
        (6, Hostile.Text.Select(text => (Claim?)new Claim(JsonSerializer.Serialize(text), FactsReader.Usable(Read(text))))),
        (1, Gen.Int[1020, 1030].Select(length => (Claim?)new Claim(
            $"\"{new string('j', length)}\"", length <= FactsReader.LongestText ? new string('j', length) : null))),
        (1, Gen.Int.Select(number => (Claim?)new Claim($"{number}", $"{number}"))),
        (1, Hostile.OneOf("1.50", "1e3", "99999999999999999999", "[1, \"a\"]", "{\"a\": 1}", "[]", "{}", "-0.0")
            .Select(raw => (Claim?)new Claim(raw, raw))),
        (1, Hostile.OneOf<Claim?>(new Claim("null", null))),
        (1, Gen.Bool.Select(flag => (Claim?)new Claim(flag ? "true" : "false", flag ? "true" : "false"))));

    /// <summary>An id of its own kind: the library takes texts and numbers for <c>jti</c>, nothing else.</summary>
    private static readonly Gen<Claim?> Ids = OddClaims.Where(claim => claim is null || claim.Json[0] is '"' or 'n');

    private static readonly Gen<string> Payloads = Gen.Select(
        Ids, OddClaims, OddClaims, Gen.Int[0, 1_000_000], (jti, uti, sid, salt) =>
            $"{{{Field("jti", jti)}{Field("uti", uti)}{Field("sid", sid)}\"iss\":\"i\",\"salt\":{salt}}}");

    [Fact]
    public void A_token_is_known_by_its_jti_else_its_uti_else_its_signing_input() => Gen.Select(Ids, OddClaims, Gen.Int)
        .Try((jti, uti, salt) =>
        {
            var token = Tokens.MakeRaw($"{{{Field("jti", jti)}{Field("uti", uti)}\"salt\":{salt}}}");
            var expected = jti?.Text ?? uti?.Text ?? TokenFacts.IdentityOf(token.AsSpan(0, token.LastIndexOf('.')));
            Assert.Equal(expected, FactsReader.Read(new JsonWebToken(token)).TokenId);
        }, 4_000);

    [Fact]
    public void Another_signature_is_the_same_token() => Gen.Select(Payloads, Hostile.Texts(Gen.Const("AAAA-_09")))
        .Try((payload, signature) =>
        {
            var token = Tokens.MakeRaw(payload);
            var other = $"{token[..token.LastIndexOf('.')]}.{signature.Replace(".", "", StringComparison.Ordinal)}";
            if (TokenVerifier.Read(other) is { } read)
            {
                Assert.Equal(FactsReader.Read(new JsonWebToken(token)), FactsReader.Read(read));
            }
        }, 4_000);

    /// <summary>Any text of somebody who has the key, and any change to it by somebody who has not.</summary>
    [Fact]
    public async Task A_token_that_validates_has_an_identity_that_can_be_revoked()
    {
        var validated = 0;
        var good = Gen.Frequency(
            (2, Payloads), (3, Hostile.Texts(Payloads)),
            (2, OddClaims.Select(issuer => $"{{{Field("iss", issuer)}\"sub\":\"s\",\"exp\":4000000000}}")),
            (1, Gen.Select(OddClaims, OddClaims, OddClaims, (exp, sub, time) =>
                $"{{{Field("exp", exp)}{Field("sub", sub)}{Field("auth_time", time)}{Field("iat", time)}\"iss\":\"i\"}}")));
        await Gen.Frequency((3, good.Select(Tokens.MakeRaw)), (1, Hostile.Texts(good.Select(Tokens.MakeRaw))))
            .TryAsync(async token =>
            {
                var result = await Handler.ValidateTokenAsync(token, Rules);
                var read = TokenVerifier.Read(token);
                if (read is not null)
                {
                    FactsReader.Read(read);
                }
                if (result.IsValid)
                {
                    var facts = FactsReader.Read((JsonWebToken)result.SecurityToken);
                    Assert.Null(Blacklist.Validate(Revocation.OfToken(facts.Issuer, facts.TokenId, facts.ExpiresAt)));
                    Interlocked.Increment(ref validated);
                }
            }, 4_000);
        Assert.True(validated > 1_000, $"Only {validated} tokens were valid.");
    }

    private static string Field(string name, Claim? claim) => claim is null ? "" : $"\"{name}\":{claim.Json},";

    /// <summary>The text as JSON carries it: half a surrogate pair becomes U+FFFD.</summary>
    private static string Read(string text) => JsonElement.Parse(JsonSerializer.Serialize(text)).GetString()!;
}
