using Rescind.Server.Records;
using Rescind.Server.Sessions;
using Rescind.Server.Tokens;

namespace Rescind.Server.Audit;

/// <summary>What a request has done, as far as the audit trail wants to know; kept beside the request until
/// <see cref="AuditFilter"/> makes it durable, before the answer goes out.</summary>
internal sealed class AuditNotes
{
    private readonly Lock _lock = new();
    private readonly List<AuditEvent> _events = [];
    private readonly List<(Revocation Revocation, string? UserId)> _revocations = [];

    /// <summary>Whose tokens and account the request is about, when the caller is somebody else or nobody
    /// yet; of several people, whose what is noted next.</summary>
    public string? UserId { get; set; }

    public static AuditNotes Of(HttpContext context)
    {
        if (context.Features.Get<AuditNotes>() is not { } notes)
        {
            context.Features.Set(notes = new AuditNotes());
        }
        return notes;
    }

    /// <summary>Notes an event of this request.</summary>
    public static void Add(HttpContext context, AuditEvent happened)
    {
        var notes = Of(context);
        lock (notes._lock)
        {
            notes._events.Add(Complete(context, happened, notes));
        }
    }

    /// <summary>Notes what may have happened, because the database went away when it was told to keep it.
    /// </summary>
    public static void AddUnconfirmed(HttpContext context, AuditEvent happened) =>
        Add(context, happened with { Note = $"not confirmed by the database {happened.Note}".TrimEnd() });

    /// <summary>Whether the request did something, also when it failed afterwards.</summary>
    public bool HasAny { get; private set; }

    /// <summary>Notes revocations that are being stored; see <see cref="Forget"/>.</summary>
    public void Add(IReadOnlyList<Revocation> revocations)
    {
        lock (_lock)
        {
            _revocations.AddRange(revocations.Select(one => (one, UserId)));
        }
    }

    /// <summary>What became of a revocation of this request: with its id and its cutoff.</summary>
    public Revocation Made(Revocation asked)
    {
        lock (_lock)
        {
            return _revocations.Last(one => one.Revocation.Kind == asked.Kind
                && one.Revocation.Issuer == asked.Issuer && one.Revocation.Value == asked.Value).Revocation;
        }
    }

    /// <summary>How many revocations are noted.</summary>
    public int Count
    {
        get
        {
            lock (_lock)
            {
                return _revocations.Count;
            }
        }
    }

    /// <summary>Forgets revocations that could not be stored.</summary>
    public void Forget(int from)
    {
        lock (_lock)
        {
            _revocations.RemoveRange(from, _revocations.Count - from);
        }
    }

    /// <summary>Everything that is noted, once.</summary>
    public IReadOnlyCollection<AuditEvent> Take(HttpContext context)
    {
        lock (_lock)
        {
            var revoked = _revocations.Select(one =>
                (Event: EventOf(one.Revocation), one.UserId)).Select(one =>
                Complete(context, one.Event with { UserId = one.Event.UserId ?? one.UserId }, this));
            var all = _events.Concat(revoked).ToList();
            _events.Clear();
            _revocations.Clear();
            HasAny |= all.Count > 0;
            return all;
        }
    }

    /// <summary>A revocation or a lift as an event.</summary>
    public static AuditEvent EventOf(Revocation one)
    {
        var isLift = one.LiftedAt is not null;
        return new AuditEvent(isLift ? AuditEvents.RevocationLifted : AuditEvents.OfRevoking(one.Kind))
        {
            UserId = one.Kind == RuleKind.Subject && one.Value.Length != 0 ? one.Value : null,
            Jti = one.Kind == RuleKind.Token && one.Value.Length != 0 ? one.Value : null,
            Record = RevocationRow.Of(one),
            Reason = isLift ? one.LiftReason : one.Reason,
            Actor = isLift ? one.LiftedBy : one.Actor,
            Note = one.Kind switch
            {
                // The record of what is lifted was not here: its id finds the event that made it.
                _ when one.Value.Length == 0 => one.Id.ToString(),
                RuleKind.Token or RuleKind.Subject => one.Note,
                RuleKind.Session => $"{AuditEvent.Short(one.Value)} {one.Note}".Trim(),
                _ => $"{one.Value} {one.Note}".Trim(),
            },
        };
    }

    /// <summary>An event with what the request says about its caller.</summary>
    public static AuditEvent Complete(HttpContext context, AuditEvent happened, AuditNotes? notes = null)
    {
        var device = Device.Of(context);
        var caller = context.User.Identity?.IsAuthenticated == true ? Caller.Of(context).Subject : null;
        var actor = happened.Actor ?? caller;
        var isAdministration = context.Request.Path.StartsWithSegments(
            "/api/auth/admin", StringComparison.OrdinalIgnoreCase);
        var user = happened.UserId ?? notes?.UserId ?? (isAdministration ? null : caller);
        return happened with
        {
            UserId = user,
            Actor = actor,
            ActorType = actor is null ? AuditEvents.Anonymous
                : actor == user && !isAdministration ? AuditEvents.Self
                : actor == caller ? AuditEvents.Admin
                : AuditEvents.System,
            Ip = device.Address,
            UserAgent = device.UserAgent,
            RequestId = context.TraceIdentifier,
        };
    }
}
