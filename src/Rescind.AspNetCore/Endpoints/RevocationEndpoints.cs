using System.Text.Json.Nodes;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Routing;
using Microsoft.Extensions.Logging;

namespace Rescind.AspNetCore;

/// <summary>Administration of revocations: make one, make many, list, lift. Each reads its whole request
/// before it writes anything, so a refused request leaves nothing behind.</summary>
internal sealed class RevocationEndpoints(
    Blacklist blacklist, Clock clock, ILogger<RevocationEndpoints> logger, CountHits? count = null)
{
    private const int LargestBatch = 10_000;
    private const int LongestPage = 1_000;
    private const int UsualPage = 100;

    public async Task<IResult> MakeAsync(HttpContext context, string? defaultIssuer)
    {
        var body = await JsonBody.ReadAsync(context, JsonBody.UsualLimit);
        if (body.Fault is not null)
        {
            return body.Fault;
        }
        var fields = new Fields(body.Root);
        var isDryRun = fields.Flag("dry_run");
        var revocation = RuleReader.Read(fields, blacklist, Given(context, defaultIssuer));
        if (fields.Fault is { } fault)
        {
            return fault;
        }
        if (isDryRun)
        {
            var preview = Answer.Of(revocation!);
            preview["dry_run"] = true;
            preview["would_revoke"] = await WouldRevokeAsync(revocation!, context.RequestAborted);
            return Answer.Of(preview, "Nothing was revoked: this was a dry run");
        }
        var stored = await StoreCall.TryAsync(
            context, logger, cancel => blacklist.RevokeAsync(revocation!, cancel));
        return stored.Fault ?? Answer.Of(
            Answer.Of(await RecordOf(stored.Result!.Id, revocation!)), "Revoked", stored.Result!,
            StatusCodes.Status201Created);
    }

    public async Task<IResult> MakeManyAsync(HttpContext context, string? defaultIssuer)
    {
        var body = await JsonBody.ReadAsync(context, JsonBody.BatchLimit);
        if (body.Fault is not null)
        {
            return body.Fault;
        }
        var fields = new Fields(body.Root);
        var rules = fields.Many("revocations", Math.Min(LargestBatch, blacklist.Options.LargestBatch));
        if (fields.Fault is { } fault)
        {
            return fault;
        }
        var (good, rejected) = (new List<Revocation>(), new JsonArray());
        var given = Given(context, defaultIssuer);
        for (var index = 0; index < rules!.Count; index++)
        {
            var rule = new Fields(rules[index]);
            var revocation = RuleReader.Read(rule, blacklist, given);
            if (rule.Fault is { } wrong)
            {
                rejected.Add(Rejection(index, wrong));
            }
            else
            {
                good.Add(revocation!);
            }
        }
        return await StoreManyAsync(context, good, rejected);
    }

    public async Task<IResult> ListAsync(HttpContext context)
    {
        var fields = new Fields(context.Request.Query);
        var query = new RevocationQuery
        {
            Kind = RuleReader.Kind(fields, isRequired: false),
            Issuer = fields.Text("issuer"),
            Value = fields.Text("value"),
            Reason = fields.Text("reason"),
            Since = fields.Time("since"),
            Until = fields.Time("until"),
            Cursor = fields.Text("cursor"),
            Limit = fields.Number("limit", 1, LongestPage, UsualPage),
        };
        if (fields.Fault is { } fault)
        {
            return fault;
        }
        try
        {
            var page = await blacklist.Records.ListAsync(query, context.RequestAborted);
            var items = new JsonArray([.. page.Items.Select(Answer.Of)]);
            return Answer.Of(
                new JsonObject { ["items"] = items, ["next_cursor"] = page.Next },
                $"{items.Count} revocation(s)");
        }
        catch (ArgumentException) when (query.Cursor is not null)
        {
            fields.Add("cursor", "is not one that a page gave");
            return fields.Fault!;
        }
        catch (IOException unreadable)
        {
            Log.StoreUnavailable(logger, "GET revocations", unreadable.Message);
            return Problem.StoreUnavailable;
        }
    }

    public async Task<IResult> LiftAsync(HttpContext context)
    {
        var body = await JsonBody.ReadAsync(context, JsonBody.UsualLimit, isOptional: true);
        if (body.Fault is not null)
        {
            return body.Fault;
        }
        var fields = new Fields(body.Root, context.Request.Query);
        var reason = RuleReader.Reason(fields);
        if (!RevocationId.TryParse(context.GetRouteValue("id") as string, out var known))
        {
            fields.Add("id", "is not the id of a revocation");
        }
        if (fields.Fault is { } fault)
        {
            return fault;
        }
        var actor = RuleReader.Actor(context);
        var stored = await StoreCall.TryAsync(
            context, logger, cancel => blacklist.LiftAsync([known], reason!, actor, cancel));
        if (stored.Fault is not null)
        {
            return stored.Fault;
        }
        return stored.Result is not { } receipt
            ? Problem.NotFound("No live revocation has this id here: it never was, has ended or is lifted.")
            : Answer.Of(
                new JsonObject { ["id"] = known.ToString(), ["lifted_by"] = actor, ["reason"] = reason },
                "Lifted", receipt);
    }

    private RuleContext Given(HttpContext context, string? defaultIssuer) =>
        new(defaultIssuer, RuleReader.Actor(context), clock.Now);

    private async Task<IResult> StoreManyAsync(HttpContext context, List<Revocation> good, JsonArray rejected)
    {
        var answer = new JsonObject
        {
            ["accepted"] = good.Count, ["rejected"] = rejected, ["receipt"] = null,
        };
        var message = $"{good.Count} revoked, {rejected.Count} rejected";
        if (good.Count == 0)
        {
            return Answer.Of(answer, message);
        }
        var stored = await StoreCall.TryAsync(context, logger, cancel => blacklist.RevokeAsync(good, cancel));
        return stored.Fault ?? Answer.Of(answer, message, stored.Result!);
    }

    /// <summary>The revocation with the cutoff that the blacklist chose. Its record may be missing, the
    /// revocation stands all the same.</summary>
    private async ValueTask<Revocation> RecordOf(RevocationId id, Revocation asked)
    {
        try
        {
            var found = await blacklist.Records.FindAsync([id], CancellationToken.None);
            return found.Count == 1 ? found[0] : asked with { Id = id };
        }
        catch (IOException fault)
        {
            Log.RecordNotRead(logger, fault.Message);
            return asked with { Id = id };
        }
    }

    private static JsonObject Rejection(int index, Problem wrong) => new()
    {
        ["index"] = index,
        ["reason"] = wrong.Detail,
        ["errors"] = new JsonObject(wrong.Errors!.Select(field => KeyValuePair.Create(
            field.Key, (JsonNode?)new JsonArray([.. field.Value.Select(error => (JsonNode?)error)])))),
    };

    /// <summary>How many sessions and users a rule is known to hit. A library knows no accounts: only what
    /// the rule itself says; null is "not known".</summary>
    private async Task<JsonObject> WouldRevokeAsync(Revocation revocation, CancellationToken cancel)
    {
        var known = count is not null
            ? await count(revocation, cancel)
            : new KnownHits(
                revocation.Kind == RuleKind.Session ? 1 : null,
                revocation.Kind == RuleKind.Subject ? 1 : null);
        return new JsonObject { ["sessions"] = known.Sessions, ["users"] = known.Users };
    }
}

/// <summary>Whom a rule would hit; null is "not known".</summary>
internal readonly record struct KnownHits(int? Sessions, int? Users);

/// <summary>Counts whom a rule would hit, for a server that knows its accounts.</summary>
internal delegate Task<KnownHits> CountHits(Revocation revocation, CancellationToken cancel);
