using Rescind.Server.Answers;
using Rescind.Server.Audit;

namespace Rescind.Server.Revoking;

/// <summary>The end of a revocation: its receipt, or why it was not made.</summary>
internal readonly record struct Revoked(Receipt? Receipt, Refusal? Refusal);

/// <summary>The one way by which the server's own calls hand a revocation to the blacklist. It never asks the
/// accounts database, so revoking works while that is away.</summary>
internal sealed class Revoker(
    Blacklist blacklist, IHttpContextAccessor requests, ILogger<Revoker> logger)
{
    private const int LongestActor = 256;

    /// <summary>Revokes.</summary>
    /// <param name="revocation">What.</param>
    /// <param name="nameOfValue">What the caller of the endpoint calls the revoked value.</param>
    public ValueTask<Revoked> RevokeAsync(Revocation revocation, string nameOfValue = "value") =>
        WrongWith(revocation, nameOfValue) is { } wrong
            ? ValueTask.FromResult(new Revoked(null, wrong))
            : RevokeAsync([revocation]);

    /// <summary>Revokes several, all or none.</summary>
    /// <param name="revocations">With which <see cref="WrongWith"/> finds nothing wrong.</param>
    public async ValueTask<Revoked> RevokeAsync(IReadOnlyList<Revocation> revocations)
    {
        var notes = requests.HttpContext is { } context ? AuditNotes.Of(context) : null;
        var noted = notes?.Count ?? 0;
        try
        {
            // Not cancelled with the request: a caller that hung up still meant it.
            var receipt = await blacklist.RevokeAsync(revocations, CancellationToken.None);
            Log.Revoked(
                logger, revocations.Count, revocations[0].Kind, receipt.Id.ToString()[..8],
                revocations[0].Reason);
            return new Revoked(receipt, null);
        }
        catch (Exception fault) when (fault is IOException or InvalidOperationException)
        {
            Log.NotStored(logger, fault.Message);
            notes?.Forget(noted);
            return new Revoked(null, Refusals.StoreUnavailable);
        }
    }

    /// <summary>The refusal of a revocation that cannot be made, or null.</summary>
    public Refusal? WrongWith(Revocation revocation, string nameOfValue)
    {
        // The sentences of the blacklist begin with the name of the field.
        if (blacklist.Validate(revocation) is not { } wrong)
        {
            return null;
        }
        var end = wrong.IndexOf(' ', StringComparison.Ordinal);
        var field = wrong[..end] == "value" ? nameOfValue : wrong[..end];
        return Refusals.Invalidated(field, field + wrong[end..]);
    }

    /// <summary>A user id as an actor: tokens minted elsewhere may carry one that is longer than an actor may
    /// be. </summary>
    public static string ActorOf(string subject) => subject[..Math.Min(subject.Length, LongestActor)];
}
