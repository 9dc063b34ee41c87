// The keys of our tokens. What it guarantees: a key is as strong as its algorithm asks for; only the
// algorithms that belong to these keys are ever accepted, so a token cannot choose (no "none", no HMAC with a
// public key).
using System.Security.Cryptography;
using System.Text;
using Microsoft.IdentityModel.Tokens;
using Rescind.Server.Settings;

namespace Rescind.Server.Tokens;

/// <param name="Signing">Signs new tokens.</param>
/// <param name="Accepted">Accepted on presented tokens: the signing key, and during a change the other one:
/// the new key until every node accepts it, the previous one after that.</param>
/// <param name="Algorithms">The algorithms of these keys.</param>
internal sealed record SigningKeys(
    SigningCredentials Signing, IReadOnlyList<SecurityKey> Accepted, IReadOnlyList<string> Algorithms)
{
    /// <summary>Whether the server drew the key itself, as it does in Development only.</summary>
    public bool IsOwnMade { get; private init; }

    private const int ShortestSecretBytes = 32;
    private const int ShortestRsaBits = 2048;

    public static SigningKeys Read(
        Variables variables, DataFolder data, bool development, List<string> warnings)
    {
        var algorithm = variables.Word("ALGORITHM", "HS256", "HS256", "RS256", "ES256");
        SecurityKey key = algorithm == "HS256"
            ? OfSecret(CurrentSecret(variables, data, development, warnings))
            : OfPrivateKeyFile(variables, algorithm, warnings);
        var accepted = new List<SecurityKey> { key };
        var algorithms = new List<string> { algorithm };
        if (PreviousSecret(variables) is { } previous)
        {
            accepted.Add(OfSecret(previous));
            algorithms.Add("HS256");
        }
        return new SigningKeys(new SigningCredentials(key, algorithm), accepted,
            [.. algorithms.Distinct(StringComparer.Ordinal)])
        {
            IsOwnMade = algorithm == "HS256" && !IsLongEnough(variables.Secret("JWT_SECRET")),
        };
    }

    /// <summary>A key id that follows from the key, so that every node and every restart names it alike, and
    /// that tells no more about the secret than a signed token does.</summary>
    public static SymmetricSecurityKey OfSecret(string secret)
    {
        var bytes = Encoding.UTF8.GetBytes(secret);
        var id = HMACSHA256.HashData(bytes, "rescind key id"u8);
        return new SymmetricSecurityKey(bytes) { KeyId = Base64UrlEncoder.Encode(id[..12]) };
    }

    private static string CurrentSecret(
        Variables variables, DataFolder data, bool development, List<string> warnings)
    {
        var secret = variables.Secret("JWT_SECRET");
        if (IsLongEnough(secret))
        {
            return secret!;
        }
        var wrong = secret is null ? "it is missing" : $"it is shorter than {ShortestSecretBytes} bytes";
        if (!development)
        {
            throw new StartRefusedException(
                "JWT_SECRET", wrong, $"write at least {ShortestSecretBytes} random bytes, "
                + "for example from: openssl rand -base64 48");
        }
        var own = data.ReadOrMakeSecret("jwt-secret", out var made);
        warnings.Add(
            $"JWT_SECRET: {wrong}; using the one {(made ? "just made" : "kept")} in RESCIND_DATA/jwt-secret. "
            + "Production does not start like this.");
        return own;
    }

    private static bool IsLongEnough(string? secret) =>
        secret is not null && Encoding.UTF8.GetByteCount(secret) >= ShortestSecretBytes;

    private static string? PreviousSecret(Variables variables)
    {
        var secret = variables.Secret("JWT_PREVIOUS_SECRET");
        return secret is null || Encoding.UTF8.GetByteCount(secret) >= ShortestSecretBytes
            ? secret
            : throw new StartRefusedException(
                "JWT_PREVIOUS_SECRET", $"it is shorter than {ShortestSecretBytes} bytes",
                "write the whole secret that is coming or going, or remove the variable");
    }

    private static AsymmetricSecurityKey OfPrivateKeyFile(
        Variables variables, string algorithm, List<string> warnings)
    {
        if (variables.Secret("JWT_SECRET") is not null)
        {
            warnings.Add($"JWT_SECRET: not used, because ALGORITHM is {algorithm}.");
        }
        const string Name = "JWT_PRIVATE_KEY_FILE";
        var path = variables.Text(Name)
            ?? throw new StartRefusedException(Name, $"it is missing, and ALGORITHM is {algorithm}",
                "name a PEM file with the private key");
        var pem = Variables.ReadFile(Name, path);
        try
        {
            AsymmetricSecurityKey key = algorithm == "RS256" ? Rsa(pem) : Elliptic(pem);
            key.KeyId = Base64UrlEncoder.Encode(key.ComputeJwkThumbprint());
            return key;
        }
        catch (Exception fault) when (fault is ArgumentException or CryptographicException)
        {
            throw new StartRefusedException(Name, $"the file holds no private key for {algorithm}",
                algorithm == "RS256"
                    ? $"make one with: openssl genrsa {ShortestRsaBits}"
                    : "make one with: openssl ecparam -genkey -noout -name prime256v1");
        }
    }

    private static RsaSecurityKey Rsa(string pem)
    {
        var rsa = RSA.Create();
        rsa.ImportFromPem(pem);
        var key = new RsaSecurityKey(rsa);
        return rsa.KeySize >= ShortestRsaBits && key.PrivateKeyStatus != PrivateKeyStatus.DoesNotExist
            ? key
            : throw new CryptographicException("The key is too short, or public only.");
    }

    private static ECDsaSecurityKey Elliptic(string pem)
    {
        var curve = ECDsa.Create();
        curve.ImportFromPem(pem);
        var hasPrivateKey = curve.ExportParameters(includePrivateParameters: true).D is not null;
        return curve.KeySize == 256 && hasPrivateKey
            ? new ECDsaSecurityKey(curve)
            : throw new CryptographicException("The key is not on P-256, or public only.");
    }
}
