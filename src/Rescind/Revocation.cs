namespace Rescind;

/// <summary>A decision that tokens have ended: which ones, who decided, why and when. Make one with the
/// factory that fits, add <see cref="Reason"/> and <see cref="Actor"/>, and hand it to
/// <see cref="Blacklist.RevokeAsync(Revocation, CancellationToken)"/>. Records return the same
/// type.</summary>
public sealed record Revocation
{
    private Revocation(RuleKind kind, string issuer, string value)
    {
        ArgumentNullException.ThrowIfNull(issuer);
        ArgumentNullException.ThrowIfNull(value);
        (Kind, Issuer, Value) = (kind, issuer, value);
    }

    /// <summary>What is revoked.</summary>
    public RuleKind Kind { get; }

    /// <summary>The issuer whose tokens are meant, exactly as in <c>iss</c>; empty: tokens without
    /// one.</summary>
    public string Issuer { get; }

    /// <summary>The <c>jti</c>, <c>sid</c>, <c>sub</c>, client or <c>kid</c>; for an issuer rule the issuer.
    /// Compared exactly.</summary>
    public string Value { get; }

    /// <summary>For subject, client and issuer rules: tokens issued at or before this time have ended.
    /// Default: now plus <see cref="BlacklistOptions.IssuerClockDifference"/>. Whole seconds, as in
    /// <c>iat</c>; not in the future when set by hand.</summary>
    public DateTimeOffset? IssuedBefore { get; init; }

    /// <summary>For token rules, the token's <c>exp</c>, when it is known from the verified token, however
    /// far away it lies. The
    /// revocation is kept until then plus <see cref="BlacklistOptions.ClockSkew"/>; without it for
    /// <see cref="BlacklistOptions.LongestTokenLifetime"/>.</summary>
    public DateTimeOffset? ExpiresAt { get; init; }

    /// <summary>Why, in a word of <c>[a-z0-9_]{1,64}</c>. Default: <c>revoked</c>.</summary>
    public string Reason { get; init; } = "revoked";

    /// <summary>Who decided; a user id or a name of a program. Default: empty. At most 256
    /// characters.</summary>
    public string Actor { get; init; } = "";

    /// <summary>Free text for people, at most 1,000 characters without control characters.</summary>
    public string? Note { get; init; }

    /// <summary>The id. Drawn by the blacklist at each call, also when one is repeated; leave it out of what
    /// is to be revoked.</summary>
    public RevocationId Id { get; init; }

    /// <summary>When it was made; set by the blacklist.</summary>
    public DateTimeOffset MadeAt { get; init; }

    /// <summary>When it was lifted, or null while it stands.</summary>
    public DateTimeOffset? LiftedAt { get; init; }

    /// <summary>Who lifted it.</summary>
    public string? LiftedBy { get; init; }

    /// <summary>Why it was lifted.</summary>
    public string? LiftReason { get; init; }

    /// <summary>Ends one token.</summary>
    /// <param name="issuer">Its <c>iss</c>.</param>
    /// <param name="tokenId">Its <c>jti</c>, see <see cref="TokenFacts.TokenId"/>.</param>
    /// <param name="expiresAt">Its <c>exp</c>, from the verified token; null when not known.</param>
    public static Revocation OfToken(string issuer, string tokenId, DateTimeOffset? expiresAt = null) =>
        new(RuleKind.Token, issuer, tokenId) { ExpiresAt = expiresAt };

    /// <summary>Ends all tokens of one log-in that are issued within
    /// <see cref="BlacklistOptions.LongestTokenLifetime"/>. An issuer that goes on refreshing the log-in for
    /// longer must be told too; our own server asks its sessions.</summary>
    /// <param name="issuer">Their <c>iss</c>.</param>
    /// <param name="session">Their <c>sid</c>.</param>
    public static Revocation OfSession(string issuer, string session) =>
        new(RuleKind.Session, issuer, session);

    /// <summary>Ends all tokens a user holds, known or not. A later log-in works at once.</summary>
    /// <param name="issuer">Their <c>iss</c>.</param>
    /// <param name="subject">Their <c>sub</c>.</param>
    public static Revocation OfSubject(string issuer, string subject) =>
        new(RuleKind.Subject, issuer, subject);

    /// <summary>Ends all tokens of a client.</summary>
    /// <param name="issuer">Their <c>iss</c>.</param>
    /// <param name="client">Their <c>client_id</c> or <c>azp</c>.</param>
    public static Revocation OfClient(string issuer, string client) => new(RuleKind.Client, issuer, client);

    /// <summary>Ends all tokens signed with a key, whatever time they claim, until the revocation is
    /// lifted.</summary>
    /// <param name="issuer">Their <c>iss</c>.</param>
    /// <param name="keyId">The <c>kid</c> of their header.</param>
    public static Revocation OfKey(string issuer, string keyId) => new(RuleKind.Key, issuer, keyId);

    /// <summary>Ends all tokens of an issuer.</summary>
    /// <param name="issuer">Their <c>iss</c>.</param>
    public static Revocation OfIssuer(string issuer) => new(RuleKind.Issuer, issuer, issuer);

    /// <summary>Makes a revocation of a kind that is only known at run time.</summary>
    /// <param name="kind">The kind.</param>
    /// <param name="issuer">The issuer.</param>
    /// <param name="value">The value; ignored for <see cref="RuleKind.Issuer"/>.</param>
    /// <exception cref="ArgumentOutOfRangeException"><paramref name="kind"/> is not one of the
    /// six.</exception>
    public static Revocation Of(RuleKind kind, string issuer, string value) => kind switch
    {
        RuleKind.Token or RuleKind.Session or RuleKind.Subject or RuleKind.Client or RuleKind.Key =>
            new(kind, issuer, value),
        RuleKind.Issuer => OfIssuer(issuer),
        _ => throw new ArgumentOutOfRangeException(nameof(kind), kind, "Use one of the six kinds."),
    };
}
