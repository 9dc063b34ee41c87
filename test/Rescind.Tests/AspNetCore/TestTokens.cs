using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using Microsoft.AspNetCore.Authentication.JwtBearer;
using Microsoft.IdentityModel.Tokens;

namespace Rescind.Tests.AspNetCore;

/// <summary>Mints signed tokens with exactly the claims a test writes, whatever their shape.</summary>
internal sealed class TestTokens
{
    public const string Issuer = "https://issuer.test";

    private readonly SymmetricSecurityKey _key;

    public TestTokens(string secret = "a secret of a test, at least 32 bytes long", string keyId = "key-1") =>
        _key = new SymmetricSecurityKey(Encoding.UTF8.GetBytes(secret)) { KeyId = keyId };

    public SecurityKey Key => _key;

    public string KeyId => _key.KeyId;

    public static long Now => DateTimeOffset.UtcNow.ToUnixTimeSeconds();

    /// <summary>A plain token; <paramref name="change"/> adds, replaces or (with null) removes
    /// claims.</summary>
    public string Make(params (string Name, object? Value)[] change)
    {
        var claims = new Dictionary<string, object?>(StringComparer.Ordinal)
        {
            ["iss"] = Issuer, ["sub"] = "user-1", ["sid"] = "session-1",
            ["jti"] = Guid.NewGuid().ToString("N"),
            ["iat"] = Now, ["exp"] = Now + 600,
        };
        foreach (var (name, value) in change)
        {
            claims[name] = value;
        }
        var present = claims.Where(claim => claim.Value is not null).ToDictionary();
        return MakeRaw(JsonSerializer.Serialize(present));
    }

    /// <summary>A token with this payload, byte for byte; a library would set it right.</summary>
    public string MakeRaw(string payload)
    {
        var header = $$"""{"alg":"HS256","typ":"JWT","kid":"{{KeyId}}"}""";
        var input = $"{Base64UrlEncoder.Encode(header)}.{Base64UrlEncoder.Encode(payload)}";
        var signature = HMACSHA256.HashData(_key.Key, Encoding.UTF8.GetBytes(input));
        return $"{input}.{Base64UrlEncoder.Encode(signature)}";
    }

    /// <summary>What a bearer scheme needs to accept them.</summary>
    public void Accept(JwtBearerOptions options)
    {
        options.MapInboundClaims = false;
        options.TokenValidationParameters = new TokenValidationParameters
        {
            ValidIssuer = Issuer, ValidateAudience = false, IssuerSigningKey = _key,
        };
    }
}
