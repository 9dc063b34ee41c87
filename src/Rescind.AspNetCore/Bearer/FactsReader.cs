using System.Globalization;
using System.Text.Json;
using Microsoft.IdentityModel.JsonWebTokens;
using Microsoft.IdentityModel.Tokens;

namespace Rescind.AspNetCore;

/// <summary>
/// From a validated token to the facts a revocation can name. Guarantees that every token has an identity
/// that can be revoked, whatever its issuer wrote: a claim of an odd type counts by its raw JSON text, and an
/// id that no revocation could carry (too long, control characters) counts as absent, so the next identity in
/// line is used. The subject counts as the application sees it: the library takes a number there too, and
/// rounds one that is not whole. Runs on every request, therefore the usual shapes are taken without
/// allocation; only odd ones are read again.
/// </summary>
internal static class FactsReader
{
    /// <summary>The longest text a revocation takes, see <see cref="Blacklist.Validate"/>.</summary>
    public const int LongestText = 1024;

    public static TokenFacts Read(JsonWebToken token)
    {
        // Of an encrypted token the inner one is meant: its key signed, its parts were verified.
        var signed = token.InnerToken as JsonWebToken ?? token;
        return new TokenFacts
        {
            Issuer = Issuer(signed.Issuer),
            TokenId = Usable(signed.Id) ?? Text(signed, "uti") ?? IdentityOf(signed),
            Subject = Usable(signed.Subject),
            Session = Text(signed, "sid"),
            Client = Text(signed, "client_id") ?? Usable(signed.Azp),
            // The key that verified it, because a thief who has one key writes the name of another.
            KeyId = Usable(signed.SigningKey?.KeyId) ?? Usable(signed.Kid),
            IssuedAt = Time(signed.IssuedAt),
            AuthenticatedAt = AuthenticatedAt(signed),
            ExpiresAt = Time(signed.ValidTo),
        };
    }

    /// <summary>A text that a revocation could carry, or null.</summary>
    public static string? Usable(string? text)
    {
        if (string.IsNullOrEmpty(text) || text.Length > LongestText)
        {
            return null;
        }
        foreach (var letter in text)
        {
            if (char.IsControl(letter))
            {
                return null;
            }
        }
        return text;
    }

    /// <summary>An issuer that no revocation could carry counts by its hash: its tokens must be revocable,
    /// and must not be taken for those of another, or of none.</summary>
    private static string Issuer(string? issuer) =>
        string.IsNullOrEmpty(issuer) ? "" : Usable(issuer) ?? TokenFacts.IdentityOf(issuer);

    private static string IdentityOf(JsonWebToken token)
    {
        var encoded = token.EncodedToken.AsSpan();
        return TokenFacts.IdentityOf(encoded[..encoded.LastIndexOf('.')]);
    }

    private static string? Text(JsonWebToken token, string claim)
    {
        if (!token.TryGetPayloadValue<object>(claim, out var value))
        {
            return null;
        }
        return value switch
        {
            null => null,
            string text => Usable(text),
            bool flag => flag ? "true" : "false",
            int number and not 0 => number.ToString(CultureInfo.InvariantCulture),
            long number and not 0 => number.ToString(CultureInfo.InvariantCulture),
            JsonElement { ValueKind: JsonValueKind.Null or JsonValueKind.Undefined } => null,
            JsonElement element => Usable(element.GetRawText()),
            // 1.50 has become the number 1.5 by now, and -0 may be 0; what the issuer wrote is in the
            // payload.
            _ => Usable(RawText(token, claim)),
        };
    }

    private static string? RawText(JsonWebToken token, string claim)
    {
        // Not Parse: the library that validated the token does not look behind the closing brace either.
        var reader = new Utf8JsonReader(Base64UrlEncoder.DecodeBytes(token.EncodedPayload));
        using var payload = JsonDocument.ParseValue(ref reader);
        return payload.RootElement.TryGetProperty(claim, out var element) ? element.GetRawText() : null;
    }

    private static DateTimeOffset? Time(DateTime time) =>
        time == DateTime.MinValue ? null : new DateTimeOffset(DateTime.SpecifyKind(time, DateTimeKind.Utc));

    /// <summary>An <c>auth_time</c> that cannot be read counts as the oldest: otherwise a token could outrun
    /// a cutoff by carrying nonsense.</summary>
    private static DateTimeOffset? AuthenticatedAt(JsonWebToken token)
    {
        if (!token.TryGetPayloadValue<object>("auth_time", out var value) || value is null)
        {
            return null;
        }
        return value switch
        {
            int seconds => Seconds(seconds),
            long seconds => Seconds(seconds),
            double seconds => double.IsFinite(seconds)
                ? Seconds(Math.Floor(seconds))
                : DateTimeOffset.UnixEpoch,
            string text when double.TryParse(
                text, NumberStyles.AllowDecimalPoint, CultureInfo.InvariantCulture, out var seconds) =>
                Seconds(Math.Floor(seconds)),
            _ => DateTimeOffset.UnixEpoch,
        };
    }

    private static DateTimeOffset Seconds(double seconds) => seconds switch
    {
        <= 0 => DateTimeOffset.UnixEpoch,
        >= 253_402_300_799 => DateTimeOffset.MaxValue,
        _ => DateTimeOffset.FromUnixTimeSeconds((long)seconds),
    };
}
