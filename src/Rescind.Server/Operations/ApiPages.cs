namespace Rescind.Server.Operations;

/// <summary>What a page of the API description says about a call beyond its types.</summary>
/// <param name="Summary">What the call does.</param>
/// <param name="Refusals">Status and code of each refusal that is its own; those that follow from its body,
/// its query and its caller are added by <see cref="ApiDescription"/>.</param>
/// <param name="Body">An example of the body, as JSON; null: the call has none.</param>
/// <param name="Query">The names of what it takes in the query.</param>
/// <param name="IsJournaled">Whether it revokes, so that it may answer 202.</param>
internal sealed record ApiPage(
    string Summary, string[] Refusals, string? Body = null, string[]? Query = null, bool IsJournaled = false);

/// <summary>The pages, by method and path.</summary>
internal static class ApiPages
{
    private const string Auth = "/api/auth";
    private const string Admin = Auth + "/admin";
    private const string Credentials =
        """{"email": "somebody@example.com", "password": "correct horse battery"}""";

    private const string Rule =
        """{"target": {"type": "subject", "value": "user_1"}, "reason": "admin_action", "dry_run": true}""";

    private const string NotFound = "404 not_found";
    private const string Conflict = "409 conflict";
    private const string Busy = "503 busy";
    private const string Full = "503 store_full";

    /// <summary>Of every call that looks at a token.</summary>
    public static readonly string[] OfToken =
        ["401 token_invalid", "401 token_expired", "401 token_revoked", "503 revocation_unknown"];

    /// <summary>Of every call that gives tokens.</summary>
    private static readonly string[] OfIssuing = [Busy, "503 issuing_stopped"];

    private static readonly string[] Paging = ["since", "until", "cursor", "limit"];

    private static readonly Dictionary<string, ApiPage> Pages = new(StringComparer.Ordinal)
    {
        ["POST " + Auth + "/register"] = new(
            "Makes an account and logs in.", [Conflict, .. OfIssuing], Credentials),
        ["POST " + Auth + "/login"] = new(
            "Logs in.", ["401 invalid_credentials", "403 account_disabled", .. OfIssuing], Credentials),
        ["POST " + Auth + "/refresh-token"] = Refresh(),
        ["POST " + Auth + "/refresh"] = Refresh(),
        ["POST " + Auth + "/logout"] = new(
            "Ends the session of the tokens that are shown.", ["401 token_missing", .. OfToken],
            """{"refresh_token": "eyJ..."}""", IsJournaled: true),
        ["POST " + Auth + "/logout-all"] = new("Ends every session of the caller.", [], IsJournaled: true),
        ["POST " + Auth + "/revoke"] = new(
            "Revokes a token: an access token alone, a refresh token with its session.", ["403 forbidden"],
            """{"token": "eyJ...", "reason": "lost_phone"}""", IsJournaled: true),
        ["GET " + Auth + "/token/validate"] = new("What is known of the presented token.", []),
        ["GET " + Auth + "/sessions"] = new("The caller's devices.", []),
        ["DELETE " + Auth + "/sessions/{session_id}"] = new(
            "Ends one of them.", [NotFound], IsJournaled: true),
        ["POST " + Auth + "/change-password"] = new(
            "A new password; every earlier token is dead.",
            ["400 invalid_credentials", NotFound, Conflict, .. OfIssuing],
            """{"current_password": "correct horse battery", "new_password": "another one"}"""),
        ["POST " + Auth + "/forgot-password"] = new(
            "Mails a code, if the account exists.", [Busy, "503 mail_unavailable"],
            """{"email": "somebody@example.com"}"""),
        ["POST " + Auth + "/verify-reset-token"] = new(
            "Whether a mailed code is good.", [], """{"token": "the code"}"""),
        ["POST " + Auth + "/reset-password"] = new(
            "Sets a password with a mailed code; every session ends.", [Busy],
            """{"token": "the code", "new_password": "another one"}"""),
        ["DELETE " + Auth + "/delete-account"] = new(
            "Deletes the caller's account.", [NotFound, Conflict],
            """{"confirmation": true}""", IsJournaled: true),
        ["GET /api/users/profile"] = new("Who the caller is.", [NotFound]),
        ["GET " + Auth + "/security/status"] = new("The go-live list, with remedies.", []),
        ["POST " + Admin + "/revoke-user-tokens"] = new(
            "Ends every token issued to a user so far, known or not.", [],
            """{"user_id": "user_123", "reason": "suspicious_activity", "note": "called us"}""",
            ["user_id", "reason", "note"], IsJournaled: true),
        ["POST " + Admin + "/revoke-token-by-jti"] = new(
            "Ends a token that nobody has at hand.", [],
            """{"jti": "a1b2c3d4-...", "reason": "suspicious_activity"}""", IsJournaled: true),
        ["POST " + Admin + "/revocations"] = new(
            "Makes one rule, or says whom it would hit.", [Full], Rule, IsJournaled: true),
        ["POST " + Admin + "/revocations/batch"] = new(
            "Makes up to 10,000 rules; the good ones are kept when some are bad.", [Full],
            $$"""{"revocations": [{{Rule}}]}""", IsJournaled: true),
        ["GET " + Admin + "/revocations"] = new(
            "Rules, newest first.", [], Query: ["type", "value", "issuer", "reason", .. Paging]),
        ["DELETE " + Admin + "/revocations/{id}"] = new(
            "Lifts a rule that was made by mistake.", [NotFound],
            """{"reason": "restored"}""", IsJournaled: true),
        ["POST " + Admin + "/security-incident"] = new(
            "Ends many things at once, and says what it did to each.", [],
            """{"scope": {"user_ids": ["user_123"]}, "reason": "security_incident", "note": "a leak"}""",
            IsJournaled: true),
        ["GET " + Admin + "/user-blacklisted-tokens/{user_id}"] = new("Revoked tokens of a user.", []),
        ["GET " + Admin + "/explain"] = new(
            "Why a token is or is not accepted, by what is known of it.", [],
            Query: ["jti", "issuer", "subject", "session", "client", "key_id", "issued_at"]),
        ["POST " + Admin + "/explain"] = new(
            "Why a token is or is not accepted.", [], """{"token": "eyJ..."}"""),
        ["GET " + Admin + "/blacklist-metrics"] = new("How the blacklist is doing.", []),
        ["POST " + Admin + "/cleanup"] = new("Drops what has expired.", []),
        ["GET " + Admin + "/audit"] = new(
            "Audit events, newest first; as CSV when asked for text/csv.", [],
            Query: ["event_type", "user_id", "actor", .. Paging]),
        ["GET " + Admin + "/audit/verify"] = new("Whether the audit trail is intact.", []),
        ["GET " + Admin + "/users"] = new("Finds users.", [], Query: ["query", "cursor", "limit"]),
        ["PATCH " + Admin + "/users/{id}"] = new(
            "Changes what a user may do; its tokens end.", [NotFound, Conflict], """{"disabled": true}""",
            IsJournaled: true),
        ["GET " + Admin + "/users/{id}/sessions"] = new("A user's devices.", []),
        ["DELETE " + Admin + "/users/{id}/sessions"] = new("Ends them all.", [], IsJournaled: true),
        ["POST " + Admin + "/import-users"] = new(
            "Takes over users of another service.", [],
            """
            {"users": [{"id": "user_123", "email": "somebody@example.com", "password_hash": "$2b$12$...",
              "is_admin": false, "token_version": 3}]}
            """),
        ["GET /"] = new("What this is.", []),
        ["GET /health/live"] = new("Whether the process answers.", []),
        ["GET /health/ready"] = new("Whether it knows what is revoked; 503 with the same body: not yet.", []),
    };

    /// <summary>The page of a call.</summary>
    /// <exception cref="InvalidOperationException">It has none.</exception>
    public static ApiPage Of(string method, string path) =>
        Pages.GetValueOrDefault($"{method} {path}")
        ?? throw new InvalidOperationException($"{method} {path} has no page in the API description.");

    private static ApiPage Refresh() => new(
        "Exchanges a refresh token for a new pair.", [.. OfToken, .. OfIssuing],
        """{"refresh_token": "eyJ..."}""");
}
