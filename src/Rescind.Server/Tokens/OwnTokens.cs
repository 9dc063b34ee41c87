// Reads tokens that arrive in bodies, and the bearer token where its time may be over (logout). The bearer
// scheme reads all others, by the same TokenRules. What it guarantees: what comes out is genuine and has been
// looked up in the blacklist; everything else is a named refusal.
using Microsoft.IdentityModel.JsonWebTokens;
using Microsoft.IdentityModel.Tokens;
using Rescind.AspNetCore;
using Rescind.Server.Answers;
using Rescind.Server.Settings;

namespace Rescind.Server.Tokens;

/// <summary>A genuine token of ours.</summary>
internal sealed record OwnToken(TokenKind Kind, TokenFacts Facts)
{
    public string Subject => Facts.Subject!;
}

/// <summary>A token that was read.</summary>
/// <param name="Token">The token; null when it is not genuine.</param>
/// <param name="Refusal">Why it does not count; null when it does. A revoked token may come with
/// both.</param>
internal readonly record struct Reading(OwnToken? Token, Refusal? Refusal)
{
    public bool IsRevoked => Refusal == Refusals.Revoked;
}

internal sealed class OwnTokens(
    ServerSettings settings, Blacklist blacklist, OlderTokens older, TimeProvider clock)
{
    private readonly JsonWebTokenHandler _handler = new()
    {
        MapInboundClaims = false,
        MaximumTokenSizeInBytes = TokenRules.LongestToken,
    };

    private readonly TokenValidationParameters _access =
        TokenRules.Of(settings, clock, blacklist, TokenKind.Access);
    private readonly TokenValidationParameters _refresh =
        TokenRules.Of(settings, clock, blacklist, TokenKind.Refresh);
    private readonly TokenValidationParameters _any =
        TokenRules.Of(settings, clock, blacklist, kind: null);

    /// <summary>Reads a token that must be good in every respect.</summary>
    public async ValueTask<Reading> ReadAsync(string raw, TokenKind kind, CancellationToken cancel)
    {
        var rules = kind == TokenKind.Access ? _access : _refresh;
        var reading = await ReadAsync(raw, rules);
        if (reading.Refusal is not null || reading.Token is not { } token)
        {
            return reading;
        }
        return await blacklist.CheckAsync(token.Facts, cancel) switch
        {
            Verdict.Accepted => reading,
            Verdict.Unknown when !blacklist.Options.RefuseWhenUnknown => reading,
            Verdict.Unknown => new Reading(null, Refusals.RevocationUnknown),
            _ => new Reading(token, Refusals.Revoked),
        };
    }

    /// <summary>Reads a token that is about to be revoked: its time may be over, and not knowing whether it
    /// has been revoked already is no reason to keep it alive.</summary>
    /// <param name="raw">The token.</param>
    /// <param name="kind">What it must be; null: either.</param>
    /// <param name="cancel">Gives up.</param>
    public async ValueTask<Reading> ReadToRevokeAsync(string raw, TokenKind? kind, CancellationToken cancel)
    {
        var rules = kind switch { TokenKind.Access => _access, TokenKind.Refresh => _refresh, _ => _any };
        var reading = await ReadAsync(raw, rules.ToRevoke(clock));
        if (reading.Token is not { } token)
        {
            return reading;
        }
        if (await blacklist.CheckAsync(token.Facts, cancel) == Verdict.Revoked)
        {
            return new Reading(token, Refusals.Revoked);
        }
        return reading.Refusal == Refusals.RevocationUnknown ? new Reading(token, null) : reading;
    }

    private async ValueTask<Reading> ReadAsync(string raw, TokenValidationParameters rules)
    {
        if (raw.Length > TokenRules.LongestToken)
        {
            return new Reading(null, Refusals.Invalid);
        }
        var result = await _handler.ValidateTokenAsync(raw, rules);
        if (!result.IsValid)
        {
            return new Reading(null, result.Exception switch
            {
                SecurityTokenExpiredException => Refusals.Expired,
                UnheardCutoffException => Refusals.RevocationUnknown,
                _ => Refusals.Invalid,
            });
        }
        var token = (JsonWebToken)result.SecurityToken;
        if (TokenRules.KindOf(token) is not { } kind || string.IsNullOrEmpty(token.Subject))
        {
            return new Reading(null, Refusals.Invalid);
        }
        var facts = FactsReader.Read(token);
        return new Reading(
            new OwnToken(kind, kind == TokenKind.Refresh ? OlderTokens.InSession(token, facts) : facts),
            await older.RefusalAsync(token, CancellationToken.None));
    }
}
