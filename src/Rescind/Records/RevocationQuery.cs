namespace Rescind;

/// <summary>Which records to list. Everything that is null does not restrict.</summary>
public sealed record RevocationQuery
{
    /// <summary>Only this kind.</summary>
    public RuleKind? Kind { get; init; }

    /// <summary>Only this issuer.</summary>
    public string? Issuer { get; init; }

    /// <summary>Only this <c>jti</c>, <c>sid</c>, <c>sub</c>, client or <c>kid</c>.</summary>
    public string? Value { get; init; }

    /// <summary>Only this reason.</summary>
    public string? Reason { get; init; }

    /// <summary>Made at or after.</summary>
    public DateTimeOffset? Since { get; init; }

    /// <summary>Made before.</summary>
    public DateTimeOffset? Until { get; init; }

    /// <summary><see cref="RevocationPage.Next"/> of the page before.</summary>
    public string? Cursor { get; init; }

    /// <summary>How many at most, 1 to 1,000. Default: 100.</summary>
    /// <exception cref="ArgumentOutOfRangeException">Outside that range.</exception>
    public int Limit
    {
        get;
        init
        {
            ArgumentOutOfRangeException.ThrowIfLessThan(value, 1);
            ArgumentOutOfRangeException.ThrowIfGreaterThan(value, 1000);
            field = value;
        }
    } = 100;
}

/// <summary>One page of records.</summary>
/// <param name="Items">The records, newest first.</param>
/// <param name="Next">The cursor of the next page, or null when this is the last.</param>
public sealed record RevocationPage(IReadOnlyList<Revocation> Items, string? Next);
