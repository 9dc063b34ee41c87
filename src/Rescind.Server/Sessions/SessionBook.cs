// The sessions of the accounts: which device logged in when, and the one refresh token of each that still
// works. What refuses a token is the blacklist; this book decides only who may refresh, and tells people
// about devices. So noting the end of a session is best effort and bounded (a log line says when it failed),
// while opening fails when the database is away.
using Microsoft.EntityFrameworkCore;
using Rescind.Server.Accounts;
using Rescind.Server.Answers;
using Rescind.Server.Database;
using Rescind.Server.Revoking;
using Rescind.Server.Settings;
using Rescind.Server.Tokens;

namespace Rescind.Server.Sessions;

internal sealed class SessionBook(
    AccountStore store, TokenIssuer issuer, Revoker revoker, ServerSettings settings, TimeProvider clock,
    ILogger<SessionBook> logger)
{
    /// <summary>How many sessions one account may have; a new one ends the oldest.</summary>
    public const int MostSessions = 100;

    /// <summary>A revocation has been made when its note is written; its answer waits no longer than
    /// this.</summary>
    private static readonly TimeSpan LongestNote = TimeSpan.FromSeconds(1);

    /// <summary>The sessions whose rows nobody needs any more. That of an adopted session stays as long as
    /// the older service's token could live, which may be longer than any of ours: without the row it would
    /// be adopted once more.</summary>
    public IQueryable<Session> Over(AccountsDb db, DateTime now)
    {
        var oldest = now - settings.LongestLifetime - (2 * TokenRules.ClockSkew);
        return db.Sessions.Where(row => row.ExpiresAt < now
            && (!row.Id.StartsWith(OlderTokens.Adopted) || row.CreatedAt < oldest));
    }

    /// <summary>Opens a session inside a write, and makes its tokens.</summary>
    public async Task<Opening> OpenAsync(AccountsDb db, Account account, Device device)
    {
        var now = clock.GetUtcNow().UtcDateTime;
        var id = TokenIssuer.NewId();
        if (issuer.Issue(db, account, id) is not { } pair)
        {
            return Opening.Refused(Refusals.NoIssuing);
        }
        if (await EndOldestAsync(db, account.Id, now) is { } refusal)
        {
            return Opening.Refused(refusal);
        }
        db.Sessions.Add(new Session
        {
            Id = id,
            AccountId = account.Id,
            CreatedAt = now,
            LastUsedAt = now,
            AuthenticatedAt = pair.IssuedAt.UtcDateTime,
            ExpiresAt = pair.RefreshExpiresAt.UtcDateTime,
            RefreshId = pair.RefreshId,
            Address = device.Address,
            UserAgent = device.UserAgent,
        });
        await db.SaveChangesAsync();
        return new Opening(account, id, pair, null);
    }

    /// <summary>Notes that a session has ended.</summary>
    public Task<int?> EndAsync(string session) =>
        NoteAsync(sessions => sessions.Where(row => row.Id == session));

    /// <summary>Notes that the sessions have ended which a rule hits; one that was opened since it was made
    /// lives.</summary>
    /// <param name="made">With the cutoff that it was given.</param>
    /// <returns>How many lived; null when the database could not say.</returns>
    public Task<int?> EndHitAsync(Revocation made) => made.Kind switch
    {
        RuleKind.Session => EndAsync(made.Value),
        RuleKind.Subject or RuleKind.Issuer => NoteAsync(rows => HitBy(rows, made)),
        RuleKind.Key when made.Value == settings.Keys.Signing.Key.KeyId => NoteAsync(rows => rows),
        _ => Task.FromResult<int?>(0),
    };

    /// <summary>The same inside a write, for a rule of an account.</summary>
    public Task<int> EndHitAsync(AccountsDb db, Revocation made)
    {
        var now = clock.GetUtcNow().UtcDateTime;
        return HitBy(db.Sessions, made).Where(row => row.EndedAt == null)
            .ExecuteUpdateAsync(row => row.SetProperty(it => it.EndedAt, now));
    }

    /// <summary>What the refresh token of a session says.</summary>
    public TokenFacts FactsOf(Session session) => new()
    {
        Issuer = settings.Issuer, TokenId = session.RefreshId, Subject = session.AccountId,
        Session = session.Id, IssuedAt = new DateTimeOffset(session.AuthenticatedAt, TimeSpan.Zero),
        ExpiresAt = new DateTimeOffset(session.ExpiresAt, TimeSpan.Zero),
    };

    private static IQueryable<Session> HitBy(IQueryable<Session> rows, Revocation made)
    {
        var cutoff = made.IssuedBefore!.Value.UtcDateTime;
        return rows.Where(row => row.AuthenticatedAt <= cutoff
            && (made.Kind == RuleKind.Issuer || row.AccountId == made.Value));
    }

    /// <summary>Makes room for one more session, and drops the rows of those that ran out long ago.</summary>
    private async Task<Refusal?> EndOldestAsync(AccountsDb db, string account, DateTime now)
    {
        await Over(db, now).Where(row => row.AccountId == account).ExecuteDeleteAsync();
        var live = db.Sessions.Where(
            row => row.AccountId == account && row.EndedAt == null && row.ExpiresAt >= now);
        var tooMany = await live.CountAsync() - (MostSessions - 1);
        if (tooMany <= 0)
        {
            return null;
        }
        var oldest = await live.OrderBy(row => row.CreatedAt).Take(tooMany).Select(row => row.Id)
            .ToListAsync();
        foreach (var id in oldest)
        {
            var ended = await revoker.RevokeAsync(
                Revocation.OfSession(settings.Issuer, id)
                    with { Reason = "too_many_sessions", Actor = account });
            if (ended.Refusal is not null)
            {
                return ended.Refusal;
            }
        }
        await db.Sessions.Where(row => oldest.Contains(row.Id))
            .ExecuteUpdateAsync(row => row.SetProperty(it => it.EndedAt, now));
        return null;
    }

    private async Task<int?> NoteAsync(Func<IQueryable<Session>, IQueryable<Session>> which)
    {
        var now = clock.GetUtcNow().UtcDateTime;
        try
        {
            // Not cancelled with the request: the revocation stands, so its note should too.
            return await store.WriteAsync(
                db => which(db.Sessions.Where(row => row.EndedAt == null && row.ExpiresAt > now))
                    .ExecuteUpdateAsync(row => row.SetProperty(it => it.EndedAt, now)),
                CancellationToken.None).WaitAsync(LongestNote, clock);
        }
        catch (Exception fault) when (FaultHandler.IsDatabaseAway(fault))
        {
            Log.NotNoted(logger, fault.GetBaseException().Message);
            return null;
        }
    }
}
