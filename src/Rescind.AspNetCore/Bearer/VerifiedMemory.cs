using System.Security.Claims;
using Microsoft.AspNetCore.Authentication;
using Microsoft.AspNetCore.Authentication.JwtBearer;
using Microsoft.Extensions.Logging;
using Microsoft.IdentityModel.JsonWebTokens;
using Microsoft.IdentityModel.Protocols.OpenIdConnect;
using Microsoft.IdentityModel.Tokens;

namespace Rescind.AspNetCore;

/// <summary>
/// Spares a bearer scheme the signature of a token that it has verified before. One object belongs to one
/// options object of one scheme: other schemes, and the same scheme after its options changed, begin with
/// nothing. Guarantees that a token is only found here when this scheme, by its own validation, found that
/// one of its keys had signed exactly these letters, and that this key and everything else that may change
/// are good now. In every case of doubt it finds nothing, and the scheme validates as if this did not exist.
/// A scheme whose validation does more than this knows of is left alone, with one line in the log.
/// </summary>
internal sealed class VerifiedMemory(VerifiedLimits limits, ILogger logger)
{
    /// <summary>However well a token does, its signature is verified anew after this time. It bounds what
    /// nobody thought of, and keeps the provider's last good metadata as fresh as without us.</summary>
    public static readonly TimeSpan LongestMemory = TimeSpan.FromMinutes(5);

    private readonly VerifiedTable _table = new(limits);
    private int _hasSaid;

    public int Count => _table.Count;

    public long Bytes => _table.Bytes;

    /// <summary>The remembered token, when the request carries one that is still good.</summary>
    /// <param name="context">The request.</param>
    /// <param name="text">The token as received.</param>
    public ValueTask<VerifiedToken?> FindAsync(MessageReceivedContext context, string? text)
    {
        if (!Serves(context.Scheme, context.Options)
            || !TokenDigest.TryCompute(text, out var digest) || _table.Find(digest) is not { } known)
        {
            return default;
        }
        if (Clock(context.Options).GetElapsedTime(known.RememberedAt) > LongestMemory)
        {
            _table.Remove(known);
            return default;
        }
        var asked = ConfigurationAsync(context.Options, context.HttpContext.RequestAborted);
        return asked is null || asked.IsCompletedSuccessfully
            ? new ValueTask<VerifiedToken?>(Judge(context.Options, known, text!, asked?.Result))
            : JudgeAfter(asked, context.Options, known, text!);
    }

    /// <summary>Remembers a token that the scheme has just validated, before anybody else could touch the
    /// caller.</summary>
    public void Remember(TokenValidatedContext context, JsonWebToken token, in TokenFacts facts)
    {
        var options = context.Options;
        if (!Serves(context.Scheme, options)
            || !token.IsSigned || token.IsEncrypted || token.SigningKey is null
            || token.ValidTo == DateTime.MinValue
            || CallerOf(context) is not { } identity
            || !TokenDigest.TryCompute(token.EncodedToken, out var digest))
        {
            return;
        }
        var asked = ConfigurationAsync(options, context.HttpContext.RequestAborted);
        if (asked is { IsCompletedSuccessfully: false }
            || !VerifiedToken.IsKeyOf(options.TokenValidationParameters, asked?.Result, token.SigningKey))
        {
            return;
        }
        var clock = Clock(options);
        var over = clock.GetUtcNow().UtcDateTime - options.TokenValidationParameters.ClockSkew;
        _table.Add(
            new VerifiedToken(digest, token, facts, identity, asked?.Result, clock.GetTimestamp()), over);
    }

    /// <summary>Whether the scheme's rules call functions of the application, which are shown the
    /// token.</summary>
    public static bool ShowsToken(TokenValidationParameters rules) =>
        rules.AlgorithmValidator is not null || rules.AudienceValidator is not null
        || rules.IssuerValidator is not null || rules.IssuerValidatorUsingConfiguration is not null
        || rules.IssuerSigningKeyValidator is not null
        || rules.IssuerSigningKeyValidatorUsingConfiguration is not null
        || rules.LifetimeValidator is not null || rules.TypeValidator is not null;

    private async ValueTask<VerifiedToken?> JudgeAfter(
        Task<OpenIdConnectConfiguration> asked, JwtBearerOptions options, VerifiedToken known, string text)
    {
        try
        {
            return Judge(options, known, text, await asked);
        }
        catch (Exception fault) when (fault is not OutOfMemoryException)
        {
            // The scheme asks for the metadata again, and knows what to do without them.
            return null;
        }
    }

    private VerifiedToken? Judge(
        JwtBearerOptions options, VerifiedToken known, string text, BaseConfiguration? configuration)
    {
        try
        {
            var rules = options.TokenValidationParameters;
            SecurityToken token = known;
            if (ShowsToken(rules))
            {
                rules = rules.Clone();
                rules.ConfigurationManager = options.ConfigurationManager as BaseConfigurationManager;
                token = known.Read(text);
            }
            if (known.IsStillGood(rules, configuration, token))
            {
                return known;
            }
        }
        catch (Exception fault) when (fault is not OutOfMemoryException)
        {
            // Not good any more. The scheme finds the same and says why, to the caller and to the log.
        }
        _table.Remove(known);
        return null;
    }

    private bool Serves(AuthenticationScheme scheme, JwtBearerOptions options)
    {
        if (WhyNot(scheme, options) is not { } reason)
        {
            return true;
        }
        if (Interlocked.Exchange(ref _hasSaid, 1) == 0)
        {
            Log.NotRemembered(logger, scheme.Name, reason);
        }
        return false;
    }

    /// <summary>What a scheme does that could make it judge the same letters differently the next
    /// time.</summary>
    private static string? WhyNot(AuthenticationScheme scheme, JwtBearerOptions options)
    {
        if (scheme.HandlerType != typeof(JwtBearerHandler))
        {
            return "its handler is not JwtBearerHandler";
        }
        foreach (var handler in options.TokenHandlers)
        {
            if (handler.GetType() != typeof(JsonWebTokenHandler))
            {
                return "TokenHandlers holds more than JsonWebTokenHandler";
            }
        }
        var rules = options.TokenValidationParameters;
        return rules switch
        {
            _ when rules.GetType() != typeof(TokenValidationParameters) =>
                "TokenValidationParameters is of a type of its own",
            { SignatureValidator: not null } or { SignatureValidatorUsingConfiguration: not null } =>
                "SignatureValidator is set",
            { IssuerSigningKeyResolver: not null }
                or { IssuerSigningKeyResolverUsingConfiguration: not null } =>
                "IssuerSigningKeyResolver is set, and may answer differently for each request",
            { TokenReplayCache: not null } or { TokenReplayValidator: not null }
                or { ValidateTokenReplay: true } =>
                "it looks for replayed tokens",
            { CryptoProviderFactory: not null } => "CryptoProviderFactory is set",
            { TokenReader: not null } or { TryReadJwtClaim: not null } =>
                "TokenReader or TryReadJwtClaim is set",
            { TransformBeforeSignatureValidation: not null } => "TransformBeforeSignatureValidation is set",
            { NameClaimTypeRetriever: not null } or { RoleClaimTypeRetriever: not null } =>
                "NameClaimTypeRetriever or RoleClaimTypeRetriever is set",
            { ValidateActor: true } => "ValidateActor is set",
            _ => null,
        };
    }

    private static ClaimsIdentity? CallerOf(TokenValidatedContext context)
    {
        var identities = context.Principal?.Identities.Take(2).ToArray() ?? [];
        return identities is [{ BootstrapContext: null } one]
            && (one.GetType() == typeof(CaseSensitiveClaimsIdentity)
                || one.GetType() == typeof(ClaimsIdentity))
                ? one
                : null;
    }

    private static Task<OpenIdConnectConfiguration>? ConfigurationAsync(
        JwtBearerOptions options, CancellationToken cancel) =>
        options.ConfigurationManager?.GetConfigurationAsync(cancel);

    private static TimeProvider Clock(JwtBearerOptions options) =>
        options.TimeProvider ?? TimeProvider.System;
}
