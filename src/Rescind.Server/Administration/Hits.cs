using Microsoft.EntityFrameworkCore;
using Rescind.AspNetCore;
using Rescind.Server.Accounts;
using Rescind.Server.Answers;
using Rescind.Server.Database;
using Rescind.Server.Settings;

namespace Rescind.Server.Administration;

/// <summary>Whom a rule would hit, as far as the accounts database knows: tokens that were made elsewhere are
/// hit too and cannot be counted.</summary>
internal sealed class Hits(
    AccountStore store, ServerSettings settings, TimeProvider clock, ILogger<Hits> logger)
{
    /// <summary>Nobody waits longer than this to learn a number, nor for five times as long to learn many.
    /// </summary>
    private static readonly TimeSpan LongestWait = TimeSpan.FromSeconds(1);

    /// <summary>Counts for each of several rules; after the first that could not be counted, none is: an
    /// answer must not wait for one time-out after another.</summary>
    public async Task<IReadOnlyList<KnownHits>> CountAsync(
        IReadOnlyList<Revocation> rules, CancellationToken cancel)
    {
        var (counts, begun) = (new List<KnownHits>(), clock.GetTimestamp());
        foreach (var rule in rules)
        {
            counts.Add(counts is [.., { Sessions: null }] || clock.GetElapsedTime(begun) > LongestWait * 5
                ? new KnownHits(null, null)
                : await CountAsync(rule, cancel));
        }
        return counts;
    }

    /// <summary>Counts; nulls when the database is away.</summary>
    public async Task<KnownHits> CountAsync(Revocation rule, CancellationToken cancel)
    {
        if (rule.Issuer != settings.Issuer)
        {
            return new KnownHits(0, 0);
        }
        try
        {
            return await store.ReadAsync(
                async db =>
                {
                    var hit = Sessions(db, rule);
                    return new KnownHits(
                        await hit.CountAsync(cancel),
                        await hit.Select(row => row.AccountId).Distinct().CountAsync(cancel));
                },
                cancel).WaitAsync(LongestWait, clock, cancel);
        }
        catch (Exception fault) when (FaultHandler.IsDatabaseAway(fault))
        {
            Log.NotCounted(logger, fault.GetBaseException().Message);
            return new KnownHits(null, null);
        }
    }

    private IQueryable<Session> Sessions(AccountsDb db, Revocation rule)
    {
        var now = clock.GetUtcNow().UtcDateTime;
        var cutoff = rule.IssuedBefore?.UtcDateTime ?? now;
        var live = db.Sessions.Where(row => row.EndedAt == null && row.ExpiresAt > now);
        return rule.Kind switch
        {
            RuleKind.Token => live.Where(row => row.RefreshId == rule.Value),
            RuleKind.Session => live.Where(row => row.Id == rule.Value),
            RuleKind.Subject => live.Where(
                row => row.AccountId == rule.Value && row.AuthenticatedAt <= cutoff),
            RuleKind.Issuer => live.Where(row => row.AuthenticatedAt <= cutoff),
            RuleKind.Key when rule.Value == settings.Keys.Signing.Key.KeyId => live,

            // Our sessions belong to no client, and what an older key signed is in nobody's list.
            _ => live.Where(_ => false),
        };
    }
}
