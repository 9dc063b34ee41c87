using Microsoft.AspNetCore.Http.HttpResults;
using Rescind.Server.Answers;
using Rescind.Server.Audit;
using Rescind.Server.Revoking;
using Rescind.Server.Sessions;
using Rescind.Server.Settings;
using Rescind.Server.Tokens;

namespace Rescind.Server.Administration;

/// <summary>Whom an incident is about.</summary>
internal sealed class IncidentScope
{
    public IReadOnlyList<string?>? UserIds { get; init; }

    public string? ClientId { get; init; }

    public string? KeyId { get; init; }

    public bool? Everyone { get; init; }
}

/// <summary>The body of <see cref="SecurityIncident"/>.</summary>
internal sealed class SecurityIncidentBody
{
    public IncidentScope? Scope { get; init; }

    public string? Reason { get; init; }

    public string? Note { get; init; }

    public bool? DryRun { get; init; }

    public string? Confirm { get; init; }
}

/// <summary>What an incident did, or would do, to one of its targets.</summary>
internal sealed record IncidentTarget(string Type, string Value, int? Sessions, int? Users, bool Revoked);

/// <summary>The answer of <see cref="SecurityIncident"/>.</summary>
internal sealed record SecurityIncidentAnswer : Answer
{
    public required bool DryRun { get; init; }

    /// <summary>Sessions and users known to be hit, by target; null when the database could not
    /// say.</summary>
    public required IReadOnlyList<IncidentTarget> Targets { get; init; }

    /// <summary>Null for a dry run.</summary>
    public required ReceiptBody? Receipt { get; init; }
}

/// <summary><c>POST /api/auth/admin/security-incident</c>: ends many things at once, all of them or none.
/// </summary>
internal sealed class SecurityIncident(
    Revoker revoker, Hits hits, SessionBook sessions, Blacklist blacklist, ServerSettings settings)
{
    private const string Confirmation = "revoke everything";
    private const int MostTargets = 1_000;

    public async Task<IResult> AnswerAsync(SecurityIncidentBody body, HttpContext context)
    {
        if (WrongWith(body) is { } wrong)
        {
            return wrong;
        }
        var rules = Rules(body, Caller.Of(context)).ToList();
        foreach (var rule in rules)
        {
            if (revoker.WrongWith(rule, "scope") is { } fault)
            {
                return fault;
            }
        }
        return body.DryRun == true
            ? Answer(
                "Nothing was revoked: this was a dry run.",
                await CountAsync(rules, isRevoked: false, context.RequestAborted), receipt: null)
            : await RevokeAsync(body, rules, context);
    }

    private async Task<List<IncidentTarget>> CountAsync(
        List<Revocation> rules, bool isRevoked, CancellationToken cancel)
    {
        var counts = await hits.CountAsync(rules, cancel);
        return [.. rules.Zip(counts, (rule, known) => new IncidentTarget(
            Word(rule.Kind), rule.Value, known.Sessions, known.Users, isRevoked))];
    }

    /// <summary>Revokes first: how many it hits is only for the answer, and whoever hung up still meant it.
    /// </summary>
    private async Task<IResult> RevokeAsync(
        SecurityIncidentBody body, List<Revocation> rules, HttpContext context)
    {
        var revoked = await revoker.RevokeAsync(rules);
        if (revoked.Receipt is not { } receipt)
        {
            return revoked.Refusal!;
        }
        AuditNotes.Add(context, new AuditEvent(AuditEvents.SecurityIncident)
        {
            Reason = body.Reason, Note = $"{rules.Count} target(s): {body.Note}",
        });
        var targets = await CountAsync(rules, isRevoked: true, CancellationToken.None);
        foreach (var rule in rules)
        {
            // Once one could not be noted the others could not either, and each would wait as long.
            if (await sessions.EndHitAsync(AuditNotes.Of(context).Made(rule)) is null)
            {
                break;
            }
        }
        return Answer("Revoked.", targets, ReceiptBody.Of(receipt));
    }

    private static JsonHttpResult<SecurityIncidentAnswer> Answer(
        string message, List<IncidentTarget> targets, ReceiptBody? receipt) =>
        TypedResults.Json(
            new SecurityIncidentAnswer
            {
                Message = message, DryRun = receipt is null, Targets = targets, Receipt = receipt,
            },
            statusCode: receipt?.State == "journaled" ? 202 : 200);

    private static Refusal? WrongWith(SecurityIncidentBody body)
    {
        if (Required.Missing(("reason", body.Reason), ("note", body.Note)) is { } missing)
        {
            return missing;
        }
        var scope = body.Scope ?? new IncidentScope();
        var isEmpty = scope is { UserIds: null or { Count: 0 }, Everyone: not true }
            && string.IsNullOrEmpty(scope.ClientId) && string.IsNullOrEmpty(scope.KeyId);
        return isEmpty
            ? Refusals.Invalidated("scope", "scope must name user_ids, client_id, key_id or everyone.")
            : scope.UserIds?.Count > MostTargets
                ? Refusals.Invalidated("scope", $"scope.user_ids may have at most {MostTargets} ids.")
                : scope.Everyone == true && body.DryRun != true && body.Confirm != Confirmation
                    ? Refusals.Invalidated("confirm", $"confirm must be \"{Confirmation}\".")
                    : null;
    }

    private IEnumerable<Revocation> Rules(SecurityIncidentBody body, Caller caller)
    {
        var (scope, issuer) = (body.Scope!, settings.Issuer);
        var rules = (scope.UserIds ?? []).Distinct(StringComparer.Ordinal)
            .Select(user => Revocation.OfSubject(issuer, user ?? ""));
        if (!string.IsNullOrEmpty(scope.ClientId))
        {
            rules = rules.Append(Revocation.OfClient(issuer, scope.ClientId));
        }
        if (!string.IsNullOrEmpty(scope.KeyId))
        {
            rules = rules.Append(Revocation.OfKey(issuer, scope.KeyId));
        }
        if (scope.Everyone == true)
        {
            rules = rules.Append(Revocation.OfIssuer(issuer));
        }
        return rules.Take(blacklist.Options.LargestBatch).Select(rule => rule with
        {
            Reason = body.Reason!, Note = body.Note, Actor = Revoker.ActorOf(caller.Subject),
        });
    }

    private static string Word(RuleKind kind) => kind.ToString().ToLowerInvariant();
}
