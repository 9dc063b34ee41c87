namespace Rescind.Server.Accounts;

/// <summary>What an e-mail address and a password must look like. Each method gives the sentence for a 400,
/// or null. </summary>
internal static class Credentials
{
    public const int LongestEmail = 254;
    public const int ShortestPassword = 8;
    public const int LongestPassword = 128;

    public static string? WrongWithEmail(string? email) => email switch
    {
        null or "" => "Invalid email: it is missing.",
        { Length: > LongestEmail } => $"Invalid email: it is longer than {LongestEmail} characters.",
        _ when !LooksLikeEmail(email) => "Invalid email: write it as name@example.com.",
        _ => null,
    };

    public static string? WrongWithPassword(string? password) => password switch
    {
        null or "" => "Password too short: it is missing.",
        { Length: < ShortestPassword } =>
            $"Password too short: it needs at least {ShortestPassword} characters.",
        { Length: > LongestPassword } =>
            $"Password too long: it may have at most {LongestPassword} characters.",
        _ => null,
    };

    /// <summary>How addresses are compared: one person must not get two accounts by writing
    /// capitals.</summary>
    public static string Normalize(string email) => email.ToUpperInvariant();

    // Only a mail proves that an address exists; this refuses what cannot be one.
    private static bool LooksLikeEmail(string email)
    {
        var at = email.LastIndexOf('@');
        return at > 0
            && at < email.Length - 1
            && email.IndexOf('@', StringComparison.Ordinal) == at
            && !email.Any(letter => char.IsWhiteSpace(letter) || char.IsControl(letter)
                || "<>,;:\"()[]\\".Contains(letter))
            && email[0] != '.'
            && email[at - 1] != '.'
            && email[at + 1] != '.'
            && email[^1] != '.'
            && !email.Contains("..", StringComparison.Ordinal);
    }
}
