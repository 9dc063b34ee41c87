using Microsoft.AspNetCore.Authentication.JwtBearer;
using Microsoft.Extensions.Options;
using Microsoft.IdentityModel.JsonWebTokens;
using Microsoft.IdentityModel.Tokens;

namespace Rescind.AspNetCore;

/// <summary>
/// Reads a token that somebody asks about. Its claims are taken as they are; beside them stands whether one
/// of the bearer schemes would vouch for its signature, issuer and audience. Its lifetime is not looked at:
/// why an expired token was refused is a fair question.
/// </summary>
internal sealed class TokenVerifier(GuardCheck schemes, IOptionsMonitor<JwtBearerOptions> monitor)
{
    private const int LongestToken = 256 * 1024;

    /// <summary>The token, not verified, or null when it is none.</summary>
    public static JsonWebToken? Read(string text)
    {
        if (text.Length > LongestToken)
        {
            return null;
        }
        try
        {
            return new JsonWebToken(text);
        }
        catch (Exception fault) when (fault is ArgumentException or SecurityTokenException or FormatException
            or InvalidOperationException or System.Text.Json.JsonException)
        {
            return null;
        }
    }

    /// <summary>The token as a scheme verified it (decrypted, when it was encrypted), or null when none does.
    /// </summary>
    public async Task<JsonWebToken?> VerifyAsync(string text, CancellationToken cancel)
    {
        foreach (var scheme in await schemes.SchemesAsync())
        {
            var options = monitor.Get(scheme);
            var rules = options.TokenValidationParameters.Clone();
            rules.ValidateLifetime = false;
            if (options.ConfigurationManager is BaseConfigurationManager manager)
            {
                rules.ConfigurationManager = manager;
            }
            else if (options.ConfigurationManager is { } other)
            {
                var keys = (await other.GetConfigurationAsync(cancel)).SigningKeys;
                rules.IssuerSigningKeys = (rules.IssuerSigningKeys ?? []).Concat(keys);
            }
            foreach (var handler in options.TokenHandlers)
            {
                var result = await handler.ValidateTokenAsync(text, rules);
                if (result is { IsValid: true, SecurityToken: JsonWebToken token })
                {
                    return token;
                }
            }
        }
        return null;
    }
}
