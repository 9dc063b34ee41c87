using MimeKit;

namespace Rescind.Server.Settings;

/// <summary>How mail is sent.</summary>
/// <param name="Host">The SMTP server.</param>
/// <param name="Port">Its port.</param>
/// <param name="IsTlsFromStart">TLS before the first word; else STARTTLS where the server offers it.</param>
/// <param name="User">Who sends; null: nobody logs in.</param>
/// <param name="Password">The user's.</param>
/// <param name="From">The sender's address.</param>
internal sealed record MailSettings(
    string Host, int Port, bool IsTlsFromStart, string? User, string? Password, MailboxAddress From)
{
    /// <summary>Reads the variables; null: no mail is sent.</summary>
    public static MailSettings? Read(Variables variables)
    {
        var (text, from) = (variables.Secret("SMTP_URL"), variables.Text("MAIL_FROM"));
        if (text is null && from is null)
        {
            return null;
        }
        var url = text is null ? null : Address(text);
        if (url is null || from is null)
        {
            throw new StartRefusedException(
                url is null ? "SMTP_URL" : "MAIL_FROM", "it is missing, and the other is set",
                "set both or neither");
        }
        var user = url.UserInfo.Split(':', 2);
        var isTls = url.Scheme == "smtps";
        return new MailSettings(
            url.Host.Trim('[', ']'), url.Port > 0 ? url.Port : isTls ? 465 : 587, isTls,
            user[0].Length == 0 ? null : Uri.UnescapeDataString(user[0]),
            user.Length == 2 ? Uri.UnescapeDataString(user[1]) : null,
            MailboxAddress.TryParse(from, out var address)
                ? address
                : throw new StartRefusedException(
                    "MAIL_FROM", $"'{Variables.Shown(from)}' is not an address",
                    "write one, for example no-reply@example.com"));
    }

    private static Uri Address(string text) =>
        Uri.TryCreate(text, UriKind.Absolute, out var url) && url.Scheme is ("smtp" or "smtps")
        && url.Host.Length > 0
            ? url
            : throw new StartRefusedException(
                "SMTP_URL", "it is not the address of a mail server",
                "write smtp://user:password@host:587, or smtps:// for TLS from the start");

    // A record prints its members, and this one may hold a password.
    public override string ToString() => $"{nameof(MailSettings)} of {Host}";
}
