namespace Rescind.Server.Records;

/// <summary>Who, why and when of a revocation, in the database of the accounts: what nodes that share it
/// list, and the mark that its event was kept.</summary>
internal sealed class RevocationRow
{
    public required string Id { get; init; }

    public required RuleKind Kind { get; init; }

    public required string Issuer { get; init; }

    public required string Value { get; init; }

    public DateTime? IssuedBefore { get; init; }

    public DateTime? ExpiresAt { get; init; }

    public required string Reason { get; init; }

    public required string Actor { get; init; }

    public string? Note { get; init; }

    public required DateTime MadeAt { get; init; }

    public DateTime? LiftedAt { get; set; }

    public string? LiftedBy { get; set; }

    public string? LiftReason { get; set; }

    /// <summary>Whether a node wrote it that lifted what it had no record of.</summary>
    public bool StandsIn => Reason == "not_recorded" && Actor.Length == 0;

    public static RevocationRow Of(Revocation one) => new()
    {
        Id = one.Id.ToString(), Kind = one.Kind, Issuer = one.Issuer, Value = one.Value, Reason = one.Reason,
        Actor = one.Actor, Note = one.Note, MadeAt = one.MadeAt.UtcDateTime,
        IssuedBefore = one.IssuedBefore?.UtcDateTime, ExpiresAt = one.ExpiresAt?.UtcDateTime,
        LiftedAt = one.LiftedAt?.UtcDateTime, LiftedBy = one.LiftedBy, LiftReason = one.LiftReason,
    };

    public Revocation ToRevocation()
    {
        var rule = Kind switch
        {
            RuleKind.Token => Revocation.OfToken(Issuer, Value),
            RuleKind.Session => Revocation.OfSession(Issuer, Value),
            RuleKind.Subject => Revocation.OfSubject(Issuer, Value),
            RuleKind.Client => Revocation.OfClient(Issuer, Value),
            RuleKind.Key => Revocation.OfKey(Issuer, Value),
            RuleKind.Issuer => Revocation.OfIssuer(Issuer),
            _ => throw new InvalidOperationException($"Record {Id} is of a kind that is not known."),
        };
        return rule with
        {
            Id = RevocationId.TryParse(Id, out var id)
                ? id
                : throw new InvalidOperationException($"'{Id}' is not the id of a revocation."),
            Reason = Reason, Actor = Actor, Note = Note, MadeAt = Utc(MadeAt)!.Value,
            IssuedBefore = Utc(IssuedBefore), ExpiresAt = Utc(ExpiresAt), LiftedAt = Utc(LiftedAt),
            LiftedBy = LiftedBy, LiftReason = LiftReason,
        };
    }

    private static DateTimeOffset? Utc(DateTime? time) =>
        time is { } known ? new DateTimeOffset(known, TimeSpan.Zero) : null;
}
