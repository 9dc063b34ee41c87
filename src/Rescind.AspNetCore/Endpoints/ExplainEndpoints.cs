using System.Text.Json.Nodes;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Logging;

namespace Rescind.AspNetCore;

/// <summary>Why is this token accepted or not: by the token itself, or by what is known of it.</summary>
internal sealed class ExplainEndpoints(
    Blacklist blacklist, TokenVerifier verifier, Clock clock, ILogger<ExplainEndpoints> logger)
{
    private const int ShownOfId = 8;

    /// <summary>An id alone says nothing of the rules that name its user or session, so "accepted" would be a
    /// guess.</summary>
    private const string NothingNamesIt =
        "No live rule names what was given. Rules for a session, user, client or key are seen only when "
        + "these are given too: send the token itself.";

    /// <summary>By query: <c>jti</c> and, if known, <c>issuer</c>, <c>subject</c>, <c>session</c>,
    /// <c>client</c>, <c>key_id</c> and <c>issued_at</c>. What is not given is not judged.</summary>
    public async Task<IResult> ByFactsAsync(HttpContext context, string? defaultIssuer)
    {
        var fields = new Fields(context.Request.Query);
        var now = clock.Now;
        var facts = new TokenFacts
        {
            TokenId = fields.Text("jti", isRequired: true) ?? "",
            Issuer = fields.Text("issuer") ?? defaultIssuer ?? "",
            Subject = fields.Text("subject"),
            Session = fields.Text("session"),
            Client = fields.Text("client"),
            KeyId = fields.Text("key_id"),
            // A token that is known by its id alone is judged as one issued now, so that only what was named
            // counts.
            IssuedAt = fields.Time("issued_at") ?? now,
            ExpiresAt = now + TimeSpan.FromMinutes(1),
        };
        if (facts.Issuer.Length == 0 && defaultIssuer is null)
        {
            fields.Add("issuer", "is required, because no default issuer is set");
        }
        return fields.Fault ?? await ExplainAsync(context, facts, isVerified: null);
    }

    public async Task<IResult> ByTokenAsync(HttpContext context)
    {
        var body = await JsonBody.ReadAsync(context, JsonBody.UsualLimit);
        if (body.Fault is not null)
        {
            return body.Fault;
        }
        var fields = new Fields(body.Root);
        var text = fields.Text("token", longest: JsonBody.UsualLimit, isRequired: true);
        var claimed = text is null ? null : TokenVerifier.Read(text);
        if (text is not null && claimed is null)
        {
            fields.Add("token", "is not a JWT");
        }
        if (fields.Fault is { } fault)
        {
            return fault;
        }
        var verified = await StoreCall.TryAsync(
            context, logger, async cancel => await verifier.VerifyAsync(text!, cancel));
        return await ExplainAsync(
            context, FactsReader.Read(verified.Result ?? claimed!), isVerified: verified.Result is not null);
    }

    private async Task<IResult> ExplainAsync(HttpContext context, TokenFacts facts, bool? isVerified)
    {
        var explained = await StoreCall.TryAsync(
            context, logger, cancel => blacklist.ExplainAsync(facts, cancel));
        if (explained.Fault is not null)
        {
            return explained.Fault;
        }
        var explanation = explained.Result!;
        if (isVerified is null && explanation.Verdict == Verdict.Accepted)
        {
            explanation = explanation with { Verdict = Verdict.Unknown, Because = NothingNamesIt };
        }
        var answer = new JsonObject
        {
            ["verdict"] = Answer.Word(explanation.Verdict),
            ["because"] = explanation.Because,
            ["rules"] = new JsonArray([.. explanation.Rules.Select(Answer.Of)]),
            ["verified"] = isVerified,
            ["token"] = Describe(facts, isOfToken: isVerified is not null),
        };
        return Answer.Of(answer, isVerified == false
            ? explanation.Because + " No bearer scheme vouches for this token; its claims are only claims."
            : explanation.Because);
    }

    private static JsonObject Describe(TokenFacts facts, bool isOfToken) => new()
    {
        ["jti"] = facts.TokenId.Length <= ShownOfId ? facts.TokenId : facts.TokenId[..ShownOfId] + "...",
        ["issuer"] = facts.Issuer,
        ["subject"] = facts.Subject,
        ["session"] = facts.Session,
        ["client"] = facts.Client,
        ["key_id"] = facts.KeyId,
        ["issued_at"] = Answer.Time(facts.IssuedAt),
        ["auth_time"] = Answer.Time(facts.AuthenticatedAt),
        ["expires_at"] = isOfToken ? Answer.Time(facts.ExpiresAt) : null,
    };
}
