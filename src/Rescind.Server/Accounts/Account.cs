namespace Rescind.Server.Accounts;

/// <summary>A user.</summary>
internal sealed class Account
{
    /// <summary>The <c>sub</c> of the user's tokens.</summary>
    public required string Id { get; init; }

    /// <summary>As the user wrote it.</summary>
    public required string Email { get; set; }

    /// <summary>As it is compared; unique.</summary>
    public required string NormalizedEmail { get; set; }

    /// <summary>In the format of ASP.NET Core Identity, which carries its own parameters.</summary>
    public required string PasswordHash { get; set; }

    public bool IsAdmin { get; set; }

    /// <summary>The version of the user's tokens in the service that it was imported from, 0 when it had none
    /// there; null: it was not imported.</summary>
    public int? TokenVersion { get; init; }

    /// <summary>When an administrator locked the account out; null: it may log in.</summary>
    public DateTime? DisabledAt { get; set; }

    public required DateTime CreatedAt { get; init; }
}

/// <summary>The right to set a new password, mailed to the owner of an account.</summary>
internal sealed class PasswordReset
{
    /// <summary>SHA-256 of what was mailed: who reads this table learns nothing that could be used.</summary>
    public required string Hash { get; init; }

    public required string AccountId { get; init; }

    public required DateTime ExpiresAt { get; init; }
}

/// <summary>One log-in on one device, from log-in to logout, through all its refreshes.</summary>
internal sealed class Session
{
    /// <summary>The <c>sid</c> of its tokens.</summary>
    public required string Id { get; init; }

    public required string AccountId { get; init; }

    public required DateTime CreatedAt { get; init; }

    public required DateTime LastUsedAt { get; set; }

    /// <summary>The <c>auth_time</c> of its tokens.</summary>
    public required DateTime AuthenticatedAt { get; init; }

    /// <summary>When its newest refresh token expires; past it the row is dropped.</summary>
    public required DateTime ExpiresAt { get; set; }

    /// <summary>The <c>jti</c> of the one refresh token that still works.</summary>
    public required string RefreshId { get; set; }

    /// <summary>The refresh tokens before it that may still be retried; see
    /// <see cref="Sessions.Lineage"/>.</summary>
    public string JustRotated { get; set; } = "";

    /// <summary>When it was ended; null while it lives. Bookkeeping for people: what refuses its tokens is
    /// the blacklist.</summary>
    public DateTime? EndedAt { get; set; }

    public string? Address { get; set; }

    public string? UserAgent { get; set; }
}

/// <summary>A fact about the database itself.</summary>
internal sealed class Mark
{
    /// <summary>Set once the first administrator was made, so that it is never made again.</summary>
    public const string FirstAdministrator = "first_administrator";

    /// <summary>Set when an imported account is deleted: the older service still has its user.</summary>
    public static string OfDeleted(string id) => "deleted_import:" + id;

    public required string Name { get; init; }

    public required string Value { get; set; }
}
