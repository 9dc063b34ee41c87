namespace Rescind;

/// <summary>The answer to "may this token still be used?". The default value is the cautious one.</summary>
public enum Verdict : byte
{
    /// <summary>This node cannot tell: its knowledge is older than the freshness bound, or the token cannot
    /// be judged (it lives longer than allowed, carries no expiry, or claims to be issued in the future).
    /// A policy decides: <see cref="BlacklistOptions.RefuseWhenUnknown"/>.</summary>
    Unknown = 0,

    /// <summary>No live revocation matches, and this node's knowledge is fresh.</summary>
    Accepted = 1,

    /// <summary>A live revocation matches. Holds even when the node is not fresh.</summary>
    Revoked = 2,
}
