using System.Security.Cryptography;
using System.Text;
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
    private const int LongestId = 1024;
    private static readonly JsonWebTokenHandler Handler = new();
    private static readonly TokenValidationParameters Rules = new()
    {
        IssuerSigningKey = Tokens.Key, ValidateIssuer = false, ValidateAudience = false, ValidateLifetime = false,
    };

    /// <summary>A value of a claim, as JSON, and the text that it counts as; null: as absent.</summary>
    private sealed record Claim(string Json, string? Text);

    private static readonly Gen<Claim?> OddClaims = Gen.Frequency(
        (3, Hostile.OneOf<Claim?>([null])),
        (6, Hostile.Text.Select(text => (Claim?)new Claim(JsonSerializer.Serialize(text), Counted(Read(text))))),
        (1, Gen.Int[1020, 1030].Select(length => (Claim?)new Claim(
            $"\"{new string('j', length)}\"", length <= LongestId ? new string('j', length) : null))),
        (1, Gen.Int.Select(number => (Claim?)new Claim($"{number}", $"{number}"))),
        (1, Hostile.OneOf(
            "1.50", "1e3", "99999999999999999999", "99999999999999999998", "1e400", "-0", "-0.0", "123456789012345678901234567890",
            "[1, \"a\"]", "{\"a\": 1}", "[]", "{}")
            .Select(raw => (Claim?)new Claim(raw, raw))),
        (1, Hostile.OneOf<Claim?>(new Claim("null", null))),
        (1, Gen.Bool.Select(flag => (Claim?)new Claim(flag ? "true" : "false", flag ? "true" : "false"))));

    /// <summary>RFC 7519 (4.1.7) wants a text for <c>jti</c>, and the library that validates takes nothing else.</summary>
    private static readonly Gen<Claim?> Ids = OddClaims.Where(claim => claim is null || claim.Json[0] is '"' or 'n');

    /// <summary>A token and what it must be known by.</summary>
    private static readonly Gen<(string Token, string? Identity)> Known = Gen.Select(
        Ids, OddClaims, OddClaims, Gen.Int[0, 1_000_000], (jti, uti, sid, salt) =>
        {
            var token = Tokens.MakeRaw($"{{{Field("jti", jti)}{Field("uti", uti)}{Field("sid", sid)}\"iss\":\"i\",\"salt\":{salt}}}");
            return (token, (string?)(jti?.Text ?? uti?.Text ?? HashOf(token)));
        });

    private static readonly Gen<string> Payloads = Known.Select(one => Base64UrlEncoder.Decode(one.Token.Split('.')[1]));

    [Fact]
    public void A_token_is_known_by_its_jti_else_its_uti_else_its_signing_input() => Known
        .Try((token, identity) => Assert.Equal(identity, FactsReader.Read(new JsonWebToken(token)).TokenId), 4_000);

    /// <summary>If the library took one some day, it would have to count by what is written, not by what it is rounded
    /// to.</summary>
    [Fact]
    public async Task A_token_whose_jti_is_no_text_is_never_valid() => await Gen.Select(
            OddClaims.Where(claim => claim is not null && claim.Json[0] is not ('"' or 'n')), OddClaims)
        .TryAsync(async (jti, uti) =>
        {
            var token = Tokens.MakeRaw($"{{{Field("jti", jti)}{Field("uti", uti)}\"iss\":\"i\"}}");
            Assert.Null(TokenVerifier.Read(token));
            Assert.Null(await ValidAsync(token));
        }, 500);

    [Theory]
    [InlineData("5", "5")]
    [InlineData("1.50", "1.5")]
    [InlineData("99999999999999999999", "1E+20")]
    public async Task A_number_as_subject_counts_as_the_application_sees_it(string number, string subject)
    {
        var result = await Handler.ValidateTokenAsync(Tokens.MakeRaw($$"""{"sub":{{number}},"iss":"i"}"""), Rules);
        Assert.Equal(subject, result.ClaimsIdentity.FindFirst("sub")?.Value);
        Assert.Equal(subject, FactsReader.Read((JsonWebToken)result.SecurityToken).Subject);
    }

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
    public async Task A_token_that_validates_is_revoked_by_its_identity_and_no_other_is()
    {
        var revoked = 0;
        var good = Gen.Frequency(
            (3, Hostile.Texts(Payloads)),
            (2, OddClaims.Select(issuer => $"{{{Field("iss", issuer)}\"sub\":\"s\",\"exp\":4000000000}}")),
            (1, Gen.Select(OddClaims, OddClaims, OddClaims, (exp, sub, time) =>
                $"{{{Field("exp", exp)}{Field("sub", sub)}{Field("auth_time", time)}{Field("iat", time)}\"iss\":\"i\"}}")));
        await Gen.Frequency(
            (2, Known), (4, good.Select(Tokens.MakeRaw).Select(Unknown)),
            (2, Hostile.Texts(good.Select(Tokens.MakeRaw)).Select(Unknown)))
            .Array[30].TryAsync(async drawn =>
            {
                var valid = new List<(TokenFacts Facts, (string Issuer, string Id) Identity)>();
                foreach (var (token, identity) in drawn)
                {
                    if (await ValidAsync(token) is { } facts)
                    {
                        valid.Add((facts, (facts.Issuer, identity ?? facts.TokenId)));
                    }
                }
                var blacklist = new Blacklist();
                Assert.All(valid, one => Assert.NotEqual(Verdict.Revoked, blacklist.Check(one.Facts)));
                var ended = valid.Take((valid.Count + 1) / 2).ToList();
                await blacklist.RevokeAsync([.. ended.Select(one => Revocation.OfToken(
                    one.Identity.Issuer, one.Identity.Id, one.Facts.ExpiresAt))]);
                var dead = ended.Select(one => one.Identity).ToHashSet();
                Assert.All(valid, one => Assert.Equal(
                    dead.Contains(one.Identity), blacklist.Check(one.Facts) == Verdict.Revoked));
                Interlocked.Add(ref revoked, ended.Count);
            }, 150);
        Assert.True(revoked > 1_000, $"Only {revoked} tokens were revoked.");
    }

    private static (string Token, string? Identity) Unknown(string token) => (token, null);

    private static async Task<TokenFacts?> ValidAsync(string token)
    {
        if (TokenVerifier.Read(token) is { } read)
        {
            FactsReader.Read(read);
        }
        var result = await Handler.ValidateTokenAsync(token, Rules);
        return result.IsValid ? FactsReader.Read((JsonWebToken)result.SecurityToken) : null;
    }

    private static string Field(string name, Claim? claim) => claim is null ? "" : $"\"{name}\":{claim.Json},";

    /// <summary>The text as JSON carries it: half a surrogate pair becomes U+FFFD.</summary>
    private static string Read(string text) => JsonElement.Parse(JsonSerializer.Serialize(text)).GetString()!;

    /// <summary>An id that a revocation can carry: 1 to 1,024 letters, none of them a control character.</summary>
    private static string? Counted(string text) =>
        text.Length is 0 or > LongestId || text.Any(letter => letter is <= '\u001f' or (>= '\u007f' and <= '\u009f')) ? null : text;

    private static string HashOf(string token) => "sha256:" + Convert.ToHexStringLower(
        SHA256.HashData(Encoding.ASCII.GetBytes(token[..token.LastIndexOf('.')])));
}
