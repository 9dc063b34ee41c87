namespace Rescind.Server.Answers;

/// <summary>The refusals of the contract, each under its code.</summary>
internal static class Refusals
{
    public static readonly Refusal WrongCredentials =
        new(401, "invalid_credentials",
            "The e-mail address or the password is wrong.") { Challenge = "Bearer" };

    public static readonly Refusal NoToken =
        new(401, "token_missing", "The request needs an access token in the Authorization header.")
        {
            Challenge = "Bearer",
        };

    public static readonly Refusal Revoked = Token("token_revoked", "The token has been revoked");

    public static readonly Refusal Expired = Token("token_expired", "The token has expired");

    public static readonly Refusal Invalid = Token("token_invalid", "The token is not valid here");

    public static readonly Refusal Replayed =
        Token("token_revoked", "The refresh token was used before, so its session has been ended");

    public static readonly Refusal RevocationUnknown =
        new(503, "revocation_unknown",
            "This node cannot tell at the moment whether the token has been revoked.")
        {
            RetryAfter = TimeSpan.FromSeconds(1),
        };

    public static readonly Refusal StoreUnavailable =
        new(503, "store_unavailable", "A store that this call needs is away; nothing was changed.")
        {
            RetryAfter = TimeSpan.FromSeconds(2),
        };

    public static readonly Refusal Interrupted = StoreUnavailable with
    {
        Detail = "A store that this call needs went away while it was under way; "
            + "some or all of it may have been done.",
    };

    public static readonly Refusal Busy =
        new(503, "busy", "Too many log-ins are waiting; try again in a moment.")
        {
            RetryAfter = TimeSpan.FromSeconds(2),
        };

    public static readonly Refusal NoIssuing =
        new(503, "issuing_stopped",
            "No tokens can be issued: the signing key is revoked, or this node's clock is wrong or unknown.")
        {
            // Another node may do it; well within REFRESH_GRACE_SECONDS, so that a retry is no replay.
            RetryAfter = TimeSpan.FromSeconds(2),
        };

    public static readonly Refusal NoAccount =
        new(404, "not_found", "There is no account of this token's user here.");

    public static readonly Refusal Disabled =
        new(403, "account_disabled", "An administrator has disabled this account.");

    public static readonly Refusal Forbidden =
        new(403, "forbidden", "The token does not allow this.");

    public static Refusal Invalidated(string field, string detail) =>
        Invalidated(new Dictionary<string, string[]>(StringComparer.Ordinal) { [field] = [detail] });

    public static Refusal Invalidated(IReadOnlyDictionary<string, string[]> errors) =>
        new(400, "validation_failed",
            string.Join(' ', errors.SelectMany(field => field.Value))) { Errors = errors };

    public static Refusal TooManyFailures(TimeSpan wait) =>
        new(429, "rate_limited", "Too many failed log-ins; try again later.") { RetryAfter = wait };

    public static Refusal TooMany(TimeSpan wait) =>
        new(429, "rate_limited", "Too many requests; try again later.") { RetryAfter = wait };

    /// <summary>A refusal that came about without words, for example by routing.</summary>
    public static Refusal OfStatus(int status) => status switch
    {
        401 => NoToken,
        403 => Forbidden,
        404 => new(404, "not_found", "There is nothing at this address."),
        405 => new(405, "method_not_allowed",
            "This address does not take this method; see the Allow header."),
        406 => new(406, "not_acceptable",
            "The answer cannot be given in a form that the Accept header allows."),
        413 => new(413, "body_too_large", "The body is larger than this call takes."),
        415 => new(415, "unsupported_media_type", "Send the body as application/json in UTF-8."),
        429 => new(429, "rate_limited", "Too many requests; try again later."),
        503 => StoreUnavailable,
        >= 500 => new(status, "internal_error",
            "The server failed to handle the request; its log says more."),
        _ => new(status, "bad_request", "The request cannot be understood."),
    };

    private static Refusal Token(string code, string description) =>
        new(401, code, description + ".")
        {
            Challenge = $"Bearer error=\"invalid_token\", error_description=\"{description}\"",
        };
}
