using System.Text;

namespace Rescind.Server.Audit;

/// <summary>Events as CSV (RFC 4180) that is opened in spreadsheets: a cell that would start a formula gets
/// an apostrophe in front, because the texts come from outside.</summary>
internal static class AuditCsv
{
    private static readonly string[] Columns =
    [
        "timestamp", "event_type", "user_id", "jti", "token_type", "reason", "actor", "actor_type", "ip",
        "user_agent", "request_id", "note", "count", "node", "number",
    ];

    public static string Of(IEnumerable<AuditRow> rows)
    {
        var text = new StringBuilder();
        Line(text, Columns);
        foreach (var row in rows)
        {
            Line(text,
            [
                row.Timestamp.ToString("yyyy-MM-dd'T'HH:mm:ss.ffffff'Z'"), row.EventType, row.UserId, row.Jti,
                row.TokenType, row.Reason, row.Actor, row.ActorType, row.Ip, row.UserAgent, row.RequestId,
                row.Note, $"{row.Count}", row.Chain, $"{row.Number}",
            ]);
        }
        return text.ToString();
    }

    private static void Line(StringBuilder text, IEnumerable<string?> cells) =>
        text.AppendJoin(',', cells.Select(Cell)).Append("\r\n");

    private static string Cell(string? value)
    {
        value ??= "";
        if (value.TrimStart() is ['=' or '+' or '-' or '@', ..] || value is ['\t' or '\r' or '\n', ..])
        {
            value = "'" + value;
        }
        return value.AsSpan().IndexOfAny(",\"\r\n") < 0
            ? value
            : $"\"{value.Replace("\"", "\"\"", StringComparison.Ordinal)}\"";
    }
}
