using System.Security.Cryptography;
using Microsoft.IdentityModel.JsonWebTokens;
using Microsoft.IdentityModel.Tokens;

namespace Rescind.Benchmarks.Pipeline;

/// <summary>The issuer of a run: its key, in a file that the servers read, and its tokens.</summary>
internal static class SigningWorld
{
    public const string Issuer = "https://issuer.example";
    public const string Audience = "sample";

    public static void MakeKey(string folder, string algorithm)
    {
        var key = algorithm switch
        {
            "HS256" => Convert.ToHexString(RandomNumberGenerator.GetBytes(32)),
            "RS256" => RSA.Create(2048).ExportPkcs8PrivateKeyPem(),
            "ES256" => ECDsa.Create(ECCurve.NamedCurves.nistP256).ExportPkcs8PrivateKeyPem(),
            _ => throw new ArgumentException("It is not HS256, RS256 or ES256.", nameof(algorithm)),
        };
        File.WriteAllText(Path.Combine(folder, "key"), key);
        File.WriteAllText(Path.Combine(folder, "algorithm"), algorithm);
    }

    public static SigningCredentials ReadKey(string folder)
    {
        var text = File.ReadAllText(Path.Combine(folder, "key"));
        var algorithm = File.ReadAllText(Path.Combine(folder, "algorithm"));
        SecurityKey key;
        if (algorithm == "HS256")
        {
            key = new SymmetricSecurityKey(Convert.FromHexString(text));
        }
        else if (algorithm == "RS256")
        {
            var rsa = RSA.Create();
            rsa.ImportFromPem(text);
            key = new RsaSecurityKey(rsa);
        }
        else
        {
            var curve = ECDsa.Create();
            curve.ImportFromPem(text);
            key = new ECDsaSecurityKey(curve);
        }
        key.KeyId = "key-1";
        return new SigningCredentials(key, algorithm);
    }

    /// <summary>A token as identity providers make them: ten claims, about 500 letters.</summary>
    public static string MakeToken(SigningCredentials key, int user) =>
        new JsonWebTokenHandler().CreateToken(new SecurityTokenDescriptor
        {
            Issuer = Issuer,
            Audience = Audience,
            Claims = new Dictionary<string, object>(StringComparer.Ordinal)
            {
                ["sub"] = $"user-{user}", ["jti"] = Guid.NewGuid().ToString(),
                ["sid"] = Guid.NewGuid().ToString("N"), ["client_id"] = "web", ["scope"] = "read write",
                ["role"] = "editor", ["email"] = $"user-{user}@example.com",
            },
            Expires = DateTime.UtcNow.AddHours(1),
            SigningCredentials = key,
        });
}
