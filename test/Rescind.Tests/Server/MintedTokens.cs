using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using Microsoft.IdentityModel.Tokens;

namespace Rescind.Tests.Server;

/// <summary>Tokens made by hand, as another program with (or without) the key would make them.</summary>
internal static class MintedTokens
{
    public static Dictionary<string, object?> Claims(string subject, bool isAdmin = false)
    {
        var now = DateTimeOffset.UtcNow.ToUnixTimeSeconds();
        return new Dictionary<string, object?>(StringComparer.Ordinal)
        {
            ["iss"] = "rescind",
            ["aud"] = "rescind",
            ["sub"] = subject,
            ["iat"] = now - 10,
            ["nbf"] = now - 10,
            ["exp"] = now + 600,
            ["token_type"] = "access_token",
            ["is_admin"] = isAdmin,
        };
    }

    public static Dictionary<string, object?> Header(string algorithm = "HS256") =>
        new(StringComparer.Ordinal)
    {
        ["alg"] = algorithm,
        ["typ"] = "JWT",
    };

    public static string Sign(
        Dictionary<string, object?> claims, Dictionary<string, object?>? header = null,
        string secret = ServerUnderTest.Secret)
    {
        var input = $"{Encode(header ?? Header())}.{Encode(claims)}";
        var signature = HMACSHA256.HashData(Encoding.UTF8.GetBytes(secret), Encoding.ASCII.GetBytes(input));
        return $"{input}.{Base64UrlEncoder.Encode(signature)}";
    }

    public static Dictionary<string, object?> With(
        this Dictionary<string, object?> claims, string name, object? value)
    {
        claims[name] = value;
        return claims;
    }

    public static string Encode(Dictionary<string, object?> part) =>
        Base64UrlEncoder.Encode(JsonSerializer.SerializeToUtf8Bytes(part));

    /// <summary>The claims of a token, not verified.</summary>
    public static JsonElement Read(string token) =>
        JsonElement.Parse(Base64UrlEncoder.DecodeBytes(token.Split('.')[1]));

    public static JsonElement ReadHeader(string token) =>
        JsonElement.Parse(Base64UrlEncoder.DecodeBytes(token.Split('.')[0]));
}
