// Exchanges refresh tokens. The session's row is the truth about them: it names the one that works, and those
// before it that may still be retried. What it guarantees: of callers that race with one token exactly one
// rotates it, by an update on condition that the row still names it; within the grace period all others get
// the session's present refresh token, so nobody is logged out by a lost answer or a second tab; a retry does
// not lengthen the period. Whatever else is presented was used before: replay, and that session alone ends.
// Why this needs no entry in the log: docs/decisions/0017.
using Microsoft.EntityFrameworkCore;
using Rescind.Server.Accounts;
using Rescind.Server.Answers;
using Rescind.Server.Database;
using Rescind.Server.Revoking;
using Rescind.Server.Settings;
using Rescind.Server.Tokens;

namespace Rescind.Server.Sessions;

internal sealed class Rotation(
    AccountStore store, TokenIssuer issuer, Blacklist blacklist, Revoker revoker, SessionBook sessions,
    ServerSettings settings, TimeProvider clock)
{
    private const int MostTries = 3;

    /// <summary>Exchanges a genuine refresh token for a new pair.</summary>
    public async Task<Opening> RefreshAsync(OwnToken token, Device device)
    {
        // Not cancelled with the request: a rotation that has begun is carried through.
        // Somebody may adopt the same token at this moment.
        var opening = await store.WriteSharedAsync(db => RefreshAsync(db, token, device));
        return opening.Refusal == Refusals.Replayed ? await EndReplayedAsync(token) : opening;
    }

    private async Task<Opening> RefreshAsync(AccountsDb db, OwnToken token, Device device)
    {
        for (var attempt = 0; attempt < MostTries; attempt++)
        {
            var session = await db.Sessions.AsNoTracking()
                .SingleOrDefaultAsync(row => row.Id == token.Facts.Session && row.AccountId == token.Subject);
            var account = session is null ? null : await db.Accounts.AsNoTracking()
                .SingleOrDefaultAsync(row => row.Id == token.Subject);
            if (session is null && OlderTokens.IsAdopted(token.Facts.Session) && attempt == 0
                && await db.Accounts.AnyAsync(row => row.Id == token.Subject && row.TokenVersion != null)
                && blacklist.Check(token.Facts) != Verdict.Revoked)
            {
                await AdoptAsync(db, token);
                continue;
            }
            if (session is null || account is null)
            {
                return Opening.Refused(Refusals.Invalid);
            }

            // Asked inside the transaction: a revocation may have come in since the token was read. One that
            // comes after this line still hits the new pair, because it keeps sid and auth_time.
            var verdict = blacklist.Check(token.Facts);
            if (account.DisabledAt is not null || IsEnded(session, verdict))
            {
                return Opening.Refused(Refusals.Revoked);
            }

            // Rules are kept for as long as what was issued when they were made can live. Where this node may
            // lack one, it gives no longer life, so that nothing comes back once the rule is forgotten.
            DateTimeOffset? endsBy = verdict == Verdict.Accepted ? null : Utc(session.ExpiresAt);
            if (session.RefreshId != token.Facts.TokenId)
            {
                return Again(db, account, session, token, endsBy);
            }
            if (await RotateAsync(db, account, session, device, endsBy) is { } opening)
            {
                return opening;
            }
        }
        return Opening.Refused(Refusals.Busy);
    }

    /// <summary>The blacklist has the last word: a session that was ended by a rule which has been lifted
    /// goes on. Only where it does not know, the note in the row counts.</summary>
    private static bool IsEnded(Session session, Verdict verdict) => verdict switch
    {
        Verdict.Revoked => true,
        Verdict.Accepted => false,
        _ => session.EndedAt is not null,
    };

    /// <summary>Makes the session of a refresh token that the older service issued; only users who came from
    /// there have any, so its key, which is perhaps our previous one, opens no session of others. Its id
    /// follows from the token's, so the row is there once, and the token is exchanged or replayed like any
    /// other.</summary>
    private Task<int> AdoptAsync(AccountsDb db, OwnToken token)
    {
        var now = clock.GetUtcNow().UtcDateTime;
        db.Sessions.Add(new Session
        {
            Id = token.Facts.Session!,
            AccountId = token.Subject,
            CreatedAt = now,
            LastUsedAt = now,
            AuthenticatedAt = (token.Facts.IssuedAt ?? clock.GetUtcNow()).UtcDateTime,
            ExpiresAt = (token.Facts.ExpiresAt ?? clock.GetUtcNow()).UtcDateTime,
            RefreshId = token.Facts.TokenId,
        });
        return db.SaveChangesAsync();
    }

    /// <summary>Makes the successor; null when somebody else was faster.</summary>
    private async Task<Opening?> RotateAsync(
        AccountsDb db, Account account, Session session, Device device, DateTimeOffset? endsBy)
    {
        var pair = issuer.Issue(db, account, session.Id, Utc(session.AuthenticatedAt), endsBy: endsBy);
        if (pair is null)
        {
            return Opening.Refused(Refusals.NoIssuing);
        }
        var now = clock.GetUtcNow().UtcDateTime;
        var (id, refreshId, ended) = (session.Id, session.RefreshId, session.EndedAt);
        var lineage = Lineage.Add(
            session.JustRotated, refreshId, TimeOf(db), TimeOf(db) - settings.RefreshGrace);

        // Who ends the session at this moment is not undone.
        var changed = await db.Sessions
            .Where(row => row.Id == id && row.RefreshId == refreshId && row.EndedAt == ended)
            .ExecuteUpdateAsync(row => row
                .SetProperty(it => it.RefreshId, pair.RefreshId)
                .SetProperty(it => it.JustRotated, lineage)
                .SetProperty(it => it.EndedAt, (DateTime?)null)
                .SetProperty(it => it.LastUsedAt, now)
                .SetProperty(it => it.Address, device.Address)
                .SetProperty(it => it.UserAgent, device.UserAgent)
                .SetProperty(it => it.ExpiresAt, pair.RefreshExpiresAt.UtcDateTime));
        return changed == 1 ? new Opening(account, session.Id, pair, null) : null;
    }

    /// <summary>Answers a token that is not the session's present one.</summary>
    private Opening Again(
        AccountsDb db, Account account, Session session, OwnToken token, DateTimeOffset? endsBy)
    {
        if (!Lineage.Holds(session.JustRotated, token.Facts.TokenId, TimeOf(db) - settings.RefreshGrace))
        {
            return Opening.Refused(Refusals.Replayed);
        }
        var successor = new Successor(session.RefreshId, Utc(session.ExpiresAt));
        var loggedIn = Utc(session.AuthenticatedAt);
        return issuer.Issue(db, account, session.Id, loggedIn, successor, endsBy) is { } pair
            ? new Opening(account, session.Id, pair, null)
            : Opening.Refused(Refusals.NoIssuing);
    }

    private async Task<Opening> EndReplayedAsync(OwnToken token)
    {
        var session = token.Facts.Session!;
        var revoked = await revoker.RevokeAsync(
            Revocation.OfSession(settings.Issuer, session) with
            {
                Reason = "refresh_token_reuse",
                Actor = Revoker.ActorOf(token.Subject),
            });
        if (revoked.Refusal is not null)
        {
            return Opening.Refused(revoked.Refusal);
        }
        await sessions.EndAsync(session);
        return Opening.Refused(Refusals.Replayed);
    }

    /// <summary>The grace period is one for all nodes: where one rotates and another judges the retry, none
    /// of their clocks counts.</summary>
    private DateTime TimeOf(AccountsDb db) => db.TimeOf(clock) ?? clock.GetUtcNow().UtcDateTime;

    private static DateTimeOffset Utc(DateTime time) => new(time, TimeSpan.Zero);
}
