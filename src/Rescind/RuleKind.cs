namespace Rescind;

/// <summary>What a revocation names. Each kind is one row of the rule table in ARCHITECTURE.md.</summary>
public enum RuleKind : byte
{
    /// <summary>One token: issuer and <c>jti</c> (RFC 7519, section 4.1.7).</summary>
    Token = 1,

    /// <summary>All tokens of one log-in: issuer and <c>sid</c>.</summary>
    Session = 2,

    /// <summary>All tokens of a user that were issued at or before a cutoff: issuer and <c>sub</c>.</summary>
    Subject = 3,

    /// <summary>All tokens of a client issued at or before a cutoff: issuer and <c>client_id</c> or
    /// <c>azp</c>.</summary>
    Client = 4,

    /// <summary>All tokens a key has signed, whenever: issuer and <c>kid</c>. Whoever holds a stolen key
    /// also chooses <c>iat</c>, so there is no cutoff.</summary>
    Key = 5,

    /// <summary>All tokens of an issuer that were issued at or before a cutoff.</summary>
    Issuer = 6,
}
