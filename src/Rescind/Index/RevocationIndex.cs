namespace Rescind;

/// <summary>
/// What a node knows: every live revocation and every lift, ready to be asked. "Live" is revoked minus
/// lifted, a union of ids, so the order in which entries arrive never matters and repeats change nothing.
/// <see cref="Matches"/> is the check's path: no lock, no allocation, no I/O. Everything else takes the
/// writer's lock, for as long as a batch or one shard takes.
/// </summary>
internal sealed class RevocationIndex
{
    private readonly Lock _gate = new();
    private readonly TokenTable _tokens = new();
    private readonly CutoffTable _cutoffs = new();
    private readonly Dictionary<RevocationId, (uint Expiry, long Cutoff)> _lifts = [];
    private readonly ExpiryQueue _liftsByExpiry = new();
    private long _tokenCount;
    private long _sessionCount;
    private long _horizon;

    /// <summary>The latest expiry that was dropped here or in the log, in Unix seconds.</summary>
    public long Horizon => Volatile.Read(ref _horizon);

    public long Bytes => _tokens.Bytes + _cutoffs.Bytes + (_lifts.Count * 72L) + _liftsByExpiry.Bytes;

    public long Count => Kinds().Sum(CountOf);

    public long CountOf(RuleKind kind) => kind switch
    {
        RuleKind.Token => Volatile.Read(ref _tokenCount),
        RuleKind.Session => Volatile.Read(ref _sessionCount),
        _ => _cutoffs.Count(kind),
    };

    public static IEnumerable<RuleKind> Kinds() => Enumerable.Range(1, 6).Select(kind => (RuleKind)kind);

    /// <summary>Whether a live revocation matches the token.</summary>
    public bool Matches(in TokenFacts token)
    {
        if (_tokens.Contains(TokenKey.Of(RuleKind.Token, token.Issuer, token.TokenId)))
        {
            return true;
        }
        if (token.Session is { } session
            && Volatile.Read(ref _sessionCount) != 0
            && _tokens.Contains(TokenKey.Of(RuleKind.Session, token.Issuer, session)))
        {
            return true;
        }
        var cutoff = _cutoffs.LatestFor(token);
        return cutoff != long.MinValue && IsIssuedBy(token, cutoff);
    }

    /// <summary>The latest cutoff that could hit a token, in Unix seconds; the least number when there is
    /// none.
    /// </summary>
    public long LatestCutoff(in TokenFacts token) => _cutoffs.LatestFor(token);

    /// <summary>The latest cutoff that a token may have stepped over, lifted or not.</summary>
    public long LatestSteppedOver(in TokenFacts token) =>
        Math.Max(_cutoffs.LatestFor(token), _cutoffs.LatestLifted);

    /// <summary>The latest cutoff that a token may have stepped over which a new rule must hit.</summary>
    public long LatestCutoffBefore(Revocation rule) =>
        _cutoffs.LatestBefore(rule.Kind, rule.Issuer, rule.Value);

    /// <summary>Takes entries of the log, own or read.</summary>
    /// <exception cref="InvalidDataException">An entry's key does not fit its kind.</exception>
    public void Apply(ReadOnlySpan<LogEntry> entries)
    {
        lock (_gate)
        {
            foreach (ref readonly var entry in entries)
            {
                Apply_NeedsLock(entry);
            }
        }
    }

    /// <summary>The live revocations that match a token.</summary>
    public List<RevocationId> FindMatches(TokenFacts token)
    {
        var ids = Find(RuleKind.Token, token.Issuer, token.TokenId);
        foreach (var (kind, value) in TargetsOf(token))
        {
            var found = Find(kind, token.Issuer, value);
            ids.AddRange(kind == RuleKind.Session ? found : found.Where(id => IsHit(id, value)));
        }
        return ids;

        bool IsHit(RevocationId id, string value) => _cutoffs.RulesOf(id.Kind, token.Issuer, value)
            .Any(rule => rule.Id == id && IsIssuedBy(token, rule.Cutoff));
    }

    /// <summary>The live revocations with exactly this target.</summary>
    public List<RevocationId> Find(RuleKind kind, string issuer, string value)
    {
        if (kind is not (RuleKind.Token or RuleKind.Session))
        {
            return [.. _cutoffs.RulesOf(kind, issuer, value).Select(rule => rule.Id)];
        }
        var key = TokenKey.Of(kind, issuer, value);
        lock (_gate)
        {
            return [.. _tokens.TagsOf_NeedsLock(key).Select(tag => new RevocationId(kind, key, tag))];
        }
    }

    /// <summary>A live revocation as the log holds it, or null when it is not live here.</summary>
    public LogEntry? EntryOf(RevocationId id)
    {
        lock (_gate)
        {
            if (!IsHashed(id.Kind))
            {
                return _cutoffs.EntryOf_NeedsLock(id);
            }
            return _tokens.ExpiryOf_NeedsLock(id.Key, id.Tag) is { } expiry
                ? new LogEntry { Id = id, Expiry = expiry }
                : null;
        }
    }

    /// <summary>Whether an id was drawn before: it is live here, or was lifted.</summary>
    public bool Knows(RevocationId id)
    {
        lock (_gate)
        {
            return _lifts.ContainsKey(id) || EntryOf(id) is not null;
        }
    }

    /// <summary>Raises the horizon to one that the log reports.</summary>
    public void RaiseHorizon(long seconds)
    {
        lock (_gate)
        {
            RaiseHorizon_NeedsLock(seconds);
        }
    }

    /// <summary>Forgets what expired before a time, in a part of the index; parts are 0 to
    /// <see cref="TokenTable.ShardCount"/>, the last one being cutoffs and lifts. Costs what has expired, not
    /// what lives.</summary>
    /// <returns>How many were forgotten.</returns>
    public int Forget(int part, long expiredBefore)
    {
        if (expiredBefore == 0)
        {
            // The log has not told its time yet: a node that starts would look through what it has after each
            // page that it reads, ten million entries 19 times over.
            return 0;
        }
        lock (_gate)
        {
            return part < TokenTable.ShardCount
                ? ForgetTokens_NeedsLock(part, expiredBefore)
                : ForgetCutoffs_NeedsLock(expiredBefore);
        }
    }

    /// <summary>Everything in a part of the index, as the log would hold it.</summary>
    public List<LogEntry> Entries(int part)
    {
        lock (_gate)
        {
            return part < TokenTable.ShardCount
                ? [.. _tokens.Entries_NeedsLock(part).Select(entry => new LogEntry
                {
                    Id = new RevocationId(TokenKey.KindOf((ulong)entry.Key), entry.Key, entry.Tag),
                    Expiry = entry.Expiry,
                })]
                : [.. _cutoffs.Entries_NeedsLock(), .. _lifts.Select(lift => new LogEntry
                {
                    Id = lift.Key, Expiry = lift.Value.Expiry, Cutoff = lift.Value.Cutoff, IsLift = true,
                })];
        }
    }

    /// <summary>A token without <c>iat</c> counts as issued before anything. A refreshed token counts from
    /// its log-in.</summary>
    private static bool IsIssuedBy(in TokenFacts token, long cutoff)
    {
        if (token.IssuedAt is not { } issued)
        {
            return true;
        }
        var earlier = token.AuthenticatedAt is { } login && login < issued ? login : issued;
        return earlier.ToUnixTimeSeconds() <= cutoff;
    }

    private static bool IsHashed(RuleKind kind) => kind is RuleKind.Token or RuleKind.Session;

    private static IEnumerable<(RuleKind Kind, string Value)> TargetsOf(TokenFacts token)
    {
        (RuleKind Kind, string? Value)[] targets =
        [
            (RuleKind.Session, token.Session), (RuleKind.Subject, token.Subject),
            (RuleKind.Client, token.Client), (RuleKind.Key, token.KeyId), (RuleKind.Issuer, token.Issuer),
        ];
        return targets.Where(target => target.Value is not null)
            .Select(target => (target.Kind, target.Value!));
    }

    private void Apply_NeedsLock(in LogEntry entry)
    {
        if (!TokenKey.Fits(entry.Id))
        {
            throw new InvalidDataException("An entry of the log names a key that does not fit its kind.");
        }
        if (entry.IsLift)
        {
            Lift_NeedsLock(entry);
        }
        else if (!_lifts.ContainsKey(entry.Id))
        {
            Add_NeedsLock(entry);
        }
    }

    private void Lift_NeedsLock(in LogEntry entry)
    {
        if (!_lifts.TryGetValue(entry.Id, out var known) || known.Expiry < entry.Expiry)
        {
            _liftsByExpiry.Add(entry.Id, entry.Expiry);
        }
        _lifts[entry.Id] = (Math.Max(known.Expiry, entry.Expiry), entry.Cutoff);
        if (!IsHashed(entry.Id.Kind))
        {
            _cutoffs.Lift_NeedsLock(entry);
        }
        Remove_NeedsLock(entry.Id);
    }

    private void Add_NeedsLock(in LogEntry entry)
    {
        if (!IsHashed(entry.Id.Kind))
        {
            _cutoffs.Add_NeedsLock(entry);
        }
        else if (_tokens.Add_NeedsLock(entry.Id.Key, entry.Id.Tag, entry.Expiry))
        {
            Tally_NeedsLock(entry.Id.Kind, 1);
        }
    }

    private void Remove_NeedsLock(RevocationId id)
    {
        if (!IsHashed(id.Kind))
        {
            _cutoffs.Remove_NeedsLock(id);
        }
        else if (_tokens.Remove_NeedsLock(id.Key, id.Tag))
        {
            Tally_NeedsLock(id.Kind, -1);
        }
    }

    private void Tally_NeedsLock(RuleKind kind, int change)
    {
        ref var count = ref kind == RuleKind.Token ? ref _tokenCount : ref _sessionCount;
        Volatile.Write(ref count, count + change);
    }

    private int ForgetTokens_NeedsLock(int shard, long expiredBefore)
    {
        var dead = _tokens.Forget_NeedsLock(shard, (uint)Math.Clamp(expiredBefore, 0, LogEntry.Never));
        foreach (var (low, expiry) in dead)
        {
            RaiseHorizon_NeedsLock(expiry);
            Tally_NeedsLock(TokenKey.KindOf(low), -1);
        }
        return dead.Count;
    }

    private int ForgetCutoffs_NeedsLock(long expiredBefore)
    {
        var rules = _cutoffs.TakeDead_NeedsLock(expiredBefore);
        foreach (var rule in rules)
        {
            RaiseHorizon_NeedsLock(rule.Expiry);
        }
        foreach (var id in _liftsByExpiry.TakeDue(expiredBefore))
        {
            if (_lifts.TryGetValue(id, out var lift) && lift.Expiry < expiredBefore)
            {
                _lifts.Remove(id);
            }
        }
        return rules.Count;
    }

    private void RaiseHorizon_NeedsLock(long seconds) =>
        Volatile.Write(ref _horizon, Math.Max(_horizon, seconds));
}
