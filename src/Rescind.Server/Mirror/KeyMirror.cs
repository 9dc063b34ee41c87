// Keeps the keys of an older service in step while both run: what is revoked here is written there, and what
// is written there is revoked here. What it guarantees: nothing of it delays or fails a call; while Redis is
// away items wait in their order; one that cannot be written is said and passed over. What it cannot: rules
// for a client, a key or an issuer have no keys, and a revocation that is lifted on another node than the one
// that made it keeps its key.
using Rescind.Server.Settings;

namespace Rescind.Server.Mirror;

internal sealed class KeyMirror(
    RedisKeyMirror keys, MirrorQueue queue, Blacklist blacklist, IRevocationRecords records,
    ServerSettings settings, TimeProvider clock, ILogger<KeyMirror> logger) : BackgroundService
{
    private static readonly TimeSpan Every = TimeSpan.FromSeconds(5);
    private static readonly TimeSpan Retry = TimeSpan.FromSeconds(1);

    private readonly string _process = $"{settings.Node} {Guid.NewGuid():n}";
    private HashSet<string> _adopted = new(StringComparer.Ordinal);

    protected override Task ExecuteAsync(CancellationToken stoppingToken) =>
        Task.WhenAll(WriteAsync(stoppingToken), AdoptAsync(stoppingToken));

    private DateTimeOffset Now => clock.GetUtcNow();

    private async Task WriteAsync(CancellationToken cancel)
    {
        await WithRetryAsync(() => WriteKnownAsync(cancel), cancel);
        await foreach (var item in queue.Items.ReadAllAsync(cancel))
        {
            await WithRetryAsync(() => WriteAsync(item, cancel), cancel);
        }
    }

    /// <summary>What this node revoked before it was stopped, and perhaps could not write.</summary>
    private async Task WriteKnownAsync(CancellationToken cancel)
    {
        var query = new RevocationQuery { Limit = 1_000, Since = Now - settings.LongestLifetime };
        do
        {
            var page = await records.ListAsync(query, cancel);
            foreach (var record in page.Items.Where(one => one.LiftedAt is null))
            {
                await WriteAsync(new MirrorItem.Recorded(record), cancel);
            }
            query = query with { Cursor = page.Next };
        }
        while (query.Cursor is not null);
    }

    private async Task WriteAsync(MirrorItem item, CancellationToken cancel)
    {
        try
        {
            await (item switch
            {
                MirrorItem.Issued issued => RememberAsync(issued, cancel),
                MirrorItem.Recorded { Revocation: var revocation } => RecordAsync(revocation, cancel),
                _ => throw new InvalidOperationException(
                    $"{item.GetType().Name} is not known to the mirror."),
            });
        }
        catch (Exception fault) when (fault is not (IOException or OperationCanceledException))
        {
            // What others wrote into Redis may not be what we can read; trying again would not help, and the
            // items after it must not suffer. Its words could hold what was written there, so only its name.
            Log.MirrorPassesOver(logger, fault.GetType().Name);
        }
    }

    private async Task RememberAsync(MirrorItem.Issued one, CancellationToken cancel)
    {
        // A cutoff hits what was refreshed by its log-in.
        var since = one.AuthenticatedAt < one.IssuedAt ? one.AuthenticatedAt : one.IssuedAt;
        var owners = $"{one.AuthenticatedAt.ToUnixTimeSeconds()} {one.Session} {one.Subject}";
        await keys.RememberAsync(OfToken(one.TokenId), owners, one.IssuedAt, one.ExpiresAt, cancel);
        await keys.RememberAsync(OfSession(one.Session), one.TokenId, since, one.ExpiresAt, cancel);
        await keys.RememberAsync(OfSubject(one.Subject), one.TokenId, since, one.ExpiresAt, cancel);

        // A rule that another node mirrored a moment ago has not met this token there.
        if (await IsRevokedAsync(one, cancel))
        {
            await keys.WriteAsync(one.TokenId, one.ExpiresAt, cancel);
        }
    }

    /// <exception cref="IOException">The log cannot be read.</exception>
    private async Task<bool> IsRevokedAsync(MirrorItem.Issued one, CancellationToken cancel)
    {
        var verdict = await blacklist.CheckAsync(
            new TokenFacts
            {
                Issuer = settings.Issuer, TokenId = one.TokenId, Subject = one.Subject, Session = one.Session,
                IssuedAt = one.IssuedAt, AuthenticatedAt = one.AuthenticatedAt, ExpiresAt = one.ExpiresAt,
            },
            cancel);
        return verdict == Verdict.Unknown
            ? throw new IOException("The log cannot be read, so it is not known whether a token is revoked.")
            : verdict == Verdict.Revoked;
    }

    /// <summary>Whether nothing revokes a token any more. Of one that was not issued here while the mirror
    /// was on, only its own rule ever wrote a key.</summary>
    private async Task<bool> IsFreeAsync(string id, CancellationToken cancel)
    {
        foreach (var (owners, issuedAt, expiresAt) in await keys.RememberedAsync(OfToken(id), Now, cancel))
        {
            var words = owners.Split(' ', 3);
            var authenticatedAt = DateTimeOffset.FromUnixTimeSeconds(long.Parse(words[0]));
            return !await IsRevokedAsync(
                new MirrorItem.Issued(words[2], words[1], id, issuedAt, authenticatedAt, expiresAt), cancel);
        }
        return blacklist.Find(RuleKind.Token, settings.Issuer, id).Count == 0;
    }

    private async Task RecordAsync(Revocation revocation, CancellationToken cancel)
    {
        foreach (var (id, expiresAt) in await TokensOfAsync(revocation, cancel))
        {
            if (revocation.LiftedAt is null)
            {
                await keys.WriteAsync(id, expiresAt, cancel);
            }
            else if (await IsFreeAsync(id, cancel))
            {
                await keys.RemoveAsync(id, cancel);
            }
        }
    }

    /// <summary>The tokens that a rule names, as far as they are known, with their ends.</summary>
    private async Task<IReadOnlyList<(string Id, DateTimeOffset ExpiresAt)>> TokensOfAsync(
        Revocation rule, CancellationToken cancel)
    {
        if (rule.Value.Length == 0)
        {
            // It was lifted on a node that has no record of it; what it named is not known here.
            return [];
        }
        if (rule.Kind == RuleKind.Token)
        {
            var end = rule.ExpiresAt ?? rule.MadeAt + settings.LongestLifetime;
            return end > Now ? [(rule.Value, end)] : [];
        }
        var owner = rule.Kind switch
        {
            RuleKind.Session => OfSession(rule.Value),
            RuleKind.Subject => OfSubject(rule.Value),
            _ => null,
        };
        if (owner is null || rule.Issuer != settings.Issuer)
        {
            return [];
        }
        var known = await keys.RememberedAsync(owner, Now, cancel);
        return [.. known.Where(one => rule.IssuedBefore is not { } cutoff || one.IssuedAt <= cutoff)
            .Select(one => (one.TokenId, one.ExpiresAt))];
    }

    private async Task AdoptAsync(CancellationToken cancel)
    {
        using var timer = new PeriodicTimer(Every, clock);
        do
        {
            try
            {
                if (await keys.TakeTurnAsync(_process, cancel))
                {
                    await AdoptNewAsync(cancel);
                }
            }
            catch (IOException fault)
            {
                // The next turn looks again; the blacklist's own health says that Redis is away.
                Log.MirrorWaits(logger, fault.Message);
            }
            catch (Exception fault) when (fault is not OperationCanceledException)
            {
                // What others wrote into Redis may not be what we can read; the next turn looks again.
                Log.MirrorPassesOver(logger, fault.GetType().Name);
            }
        }
        while (await timer.WaitForNextTickAsync(cancel));
    }

    /// <summary>Revokes what old workers have written. A key is adopted once: when it was lifted since, it
    /// stays lifted.</summary>
    private async Task AdoptNewAsync(CancellationToken cancel)
    {
        var seen = new HashSet<string>(StringComparer.Ordinal);
        await foreach (var key in keys.ReadAsync(cancel))
        {
            if (key.IsOwn)
            {
                continue;
            }
            seen.Add(key.TokenId);
            if (!_adopted.Contains(key.TokenId)
                && blacklist.Find(RuleKind.Token, settings.Issuer, key.TokenId).Count == 0)
            {
                await AdoptAsync(key, cancel);
            }
        }
        _adopted = seen;
    }

    private async Task AdoptAsync(RedisKeyMirror.Key key, CancellationToken cancel)
    {
        var latest = Now + settings.LongestLifetime;
        var end = key.ExpiresAt is { } expiry && expiry < latest ? expiry : latest;
        var rule = Revocation.OfToken(settings.Issuer, key.TokenId, end) with
        {
            Reason = "revoked", Actor = "key_mirror", Note = "adopted from a key of the older service",
        };
        if (blacklist.Validate(rule) is { } wrong)
        {
            Log.MirrorRefuses(logger, wrong);
            return;
        }
        try
        {
            await blacklist.RevokeAsync(rule, cancel);
        }
        catch (InvalidOperationException fault)
        {
            // The blacklist takes no more, and says so in its health; the other keys have their turn.
            Log.MirrorRefuses(logger, fault.Message);
            return;
        }
        Log.MirrorAdopted(logger);
    }

    /// <summary>Items wait for Redis in their order.</summary>
    private async Task WithRetryAsync(Func<Task> write, CancellationToken cancel)
    {
        while (true)
        {
            try
            {
                await write();
                return;
            }
            catch (IOException fault)
            {
                Log.MirrorWaits(logger, fault.Message);
                await Task.Delay(Retry, clock, cancel);
            }
        }
    }

    private static string OfToken(string id) => "token:" + id;

    private static string OfSession(string session) => "session:" + session;

    private static string OfSubject(string subject) => "subject:" + subject;
}
