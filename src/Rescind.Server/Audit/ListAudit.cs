using System.Buffers.Text;
using System.Globalization;
using System.Text;
using Microsoft.EntityFrameworkCore;
using Rescind.AspNetCore;
using Rescind.Server.Answers;
using Rescind.Server.Database;

namespace Rescind.Server.Audit;

/// <summary>The answer of <see cref="ListAudit"/>.</summary>
internal sealed record ListAuditAnswer : Answers.Answer
{
    public required IReadOnlyList<AuditBody> Items { get; init; }

    public required string? NextCursor { get; init; }
}

/// <summary><c>GET /api/auth/admin/audit</c>: events, newest first, as JSON pages or as CSV.</summary>
internal sealed class ListAudit(AccountStore store, AuditShipper shipper)
{
    private const int LongestPage = 1_000;
    private const int UsualPage = 100;

    private sealed record Place(DateTime Timestamp, string Chain, long Number);

    public async Task<IResult> AnswerAsync(HttpContext context)
    {
        var fields = new Fields(context.Request.Query);
        var (type, user, actor) = (
            fields.Text("event_type"), AuditEvent.OfUser(fields.Text("user_id")), fields.Text("actor"));
        var (since, until) = (fields.Time("since")?.UtcDateTime, fields.Time("until")?.UtcDateTime);
        var limit = fields.Number("limit", 1, LongestPage, UsualPage);
        var cursor = fields.Text("cursor");
        var after = cursor is null ? null : Read(cursor);
        if (cursor is not null && after is null)
        {
            fields.Add("cursor", "is not one that a page gave");
        }
        if (fields.Fault is { } fault)
        {
            return fault;
        }

        // What this node has not carried over yet belongs into the answer too.
        await shipper.ShipAsync(context.RequestAborted);
        var rows = await store.ReadAsync(
            db => After(db.AuditEvents, after)
                .Where(row => (type == null || row.EventType == type)
                    && (user == null || row.UserId == user)
                    && (actor == null || row.Actor == actor)
                    && (since == null || row.Timestamp >= since)
                    && (until == null || row.Timestamp < until))
                .OrderByDescending(row => row.Timestamp).ThenByDescending(row => row.Chain)
                .ThenByDescending(row => row.Number)
                .Take(limit + 1).ToListAsync(context.RequestAborted),
            context.RequestAborted);
        var page = rows.Take(limit).ToList();
        return Answer(context, page, rows.Count > limit ? Write(page[^1]) : null);
    }

    private static IResult Answer(HttpContext context, List<AuditRow> page, string? next)
    {
        var request = context.Request;
        if (Accepting.Names(request, Accepting.Csv) || !Accepting.Takes(request, Accepting.Json))
        {
            if (next is not null)
            {
                var query = request.Query.Where(one => one.Key != "cursor")
                    .SelectMany(one => one.Value, (one, value) => KeyValuePair.Create(one.Key, value))
                    .Append(KeyValuePair.Create("cursor", (string?)next));
                context.Response.Headers["Link"] = $"<{QueryString.Create(query)}>; rel=\"next\"";
            }
            return TypedResults.Text(AuditCsv.Of(page), Accepting.Csv, Encoding.UTF8);
        }
        return TypedResults.Json(new ListAuditAnswer
        {
            Message = $"{page.Count} event(s).", Items = [.. page.Select(AuditBody.Of)], NextCursor = next,
        });
    }

    private static IQueryable<AuditRow> After(IQueryable<AuditRow> rows, Place? place) => place is null
        ? rows
        : rows.Where(row => row.Timestamp < place.Timestamp
            || (row.Timestamp == place.Timestamp && (string.Compare(row.Chain, place.Chain) < 0
                || (row.Chain == place.Chain && row.Number < place.Number))));

    private static string Write(AuditRow row) => Base64Url.EncodeToString(
        Encoding.UTF8.GetBytes($"{row.Timestamp.Ticks} {row.Number} {row.Chain}"));

    private static Place? Read(string cursor)
    {
        if (!Base64Url.IsValid(cursor))
        {
            return null;
        }
        var parts = Encoding.UTF8.GetString(Base64Url.DecodeFromChars(cursor)).Split(' ', 3);
        return parts.Length == 3
            && long.TryParse(parts[0], NumberStyles.None, CultureInfo.InvariantCulture, out var ticks)
            && ticks <= DateTime.MaxValue.Ticks
            && long.TryParse(parts[1], NumberStyles.None, CultureInfo.InvariantCulture, out var number)
            && !parts[2].Any(char.IsControl)
                ? new Place(new DateTime(ticks, DateTimeKind.Utc), parts[2], number)
                : null;
    }
}
