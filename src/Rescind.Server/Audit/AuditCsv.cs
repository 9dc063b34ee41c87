using System.Globalization;
using System.Text;

namespace Rescind.Server.Audit;

/// <summary>Events as CSV (RFC 4180) that is opened in spreadsheets: what would start a formula gets an
/// apostrophe in front, because the texts come from outside. Also inside a text, after a semicolon, tab or
/// line end: by the language of its user, a spreadsheet cuts there and not at commas.</summary>
internal static class AuditCsv
{
    private const char Guard = '\'';

    /// <summary>What formulas start with; the last four as they are written in East Asia.</summary>
    private const string Signs = "=+-@\uFF1D\uFF0B\uFF0D\uFF20";

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

    /// <summary>The text of a cell as it was before <see cref="Of"/> made it safe.</summary>
    internal static string TextOf(string cell)
    {
        var text = new StringBuilder(cell);
        foreach (var at in Formulas(cell).Where(at => cell[at] == Guard))
        {
            text.Remove(at, 1);
        }
        return text.ToString();
    }

    private static string Cell(string? value)
    {
        var text = new StringBuilder(value);
        foreach (var at in Formulas(value ?? ""))
        {
            text.Insert(at, Guard);
        }
        var safe = text.ToString();
        return safe.AsSpan().IndexOfAny(",\"\r\n") < 0
            ? safe
            : $"\"{safe.Replace("\"", "\"\"", StringComparison.Ordinal)}\"";
    }

    /// <summary>Where a cell could begin that starts a formula, from the last such place to the first.
    /// </summary>
    private static IEnumerable<int> Formulas(string text)
    {
        var isFormula = false;
        for (var i = text.Length - 1; i >= 0; i--)
        {
            isFormula = Signs.Contains(text[i]) || (isFormula && IsPassedOver(text[i]));
            if (isFormula && (i == 0 || text[i - 1] is ';' or '\t' or '\r' or '\n'))
            {
                yield return i;
            }
        }
    }

    /// <summary>What spreadsheets do not see in front of a formula.</summary>
    private static bool IsPassedOver(char letter) =>
        letter is Guard or '"' || char.IsWhiteSpace(letter)
        || char.GetUnicodeCategory(letter) is UnicodeCategory.Control or UnicodeCategory.Format;
}
