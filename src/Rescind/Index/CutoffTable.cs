using System.Collections.Concurrent;
using System.Collections.Immutable;

namespace Rescind;

/// <summary>
/// Rules that name more than a token: subject, client, key and issuer. Compared by exact string, because
/// outsiders can choose those ids and a hash could be made to collide. Readers never lock; a kind without
/// rules costs a check nothing, and a value that <see cref="CutoffFilter"/> denies costs it no look-up. Each
/// value maps to an immutable set, so a reader sees it before or after a change, never within.
/// </summary>
internal sealed class CutoffTable
{
    private const int FewestValues = 64;

    private readonly ConcurrentDictionary<Target, RuleSet> _sets = new();
    private readonly Dictionary<RevocationId, LogEntry> _entries = [];
    private readonly ExpiryQueue _byExpiry = new();
    private readonly int[] _counts = new int[(int)RuleKind.Issuer + 1];
    private readonly long[] _latest = new long[(int)RuleKind.Issuer + 1];
    private long _latestLifted = long.MinValue;
    private CutoffFilter _filter = new(FewestValues);

    private readonly record struct Target(RuleKind Kind, string Issuer, string Value);

    /// <summary>One rule and its cutoff in Unix seconds.</summary>
    internal readonly record struct Rule(RevocationId Id, long Cutoff);

    private sealed record RuleSet(ImmutableList<Rule> Rules, long Cutoff)
    {
        public static RuleSet None { get; } = new([], long.MinValue);

        public RuleSet With(Rule rule) => new(Rules.Add(rule), Math.Max(Cutoff, rule.Cutoff));

        public RuleSet Without(RevocationId id)
        {
            var left = Rules.RemoveAll(rule => rule.Id == id);
            return left.IsEmpty ? None : new RuleSet(left, left.Max(rule => rule.Cutoff));
        }
    }

    /// <summary>About: two strings that the log entry brought, the set, three dictionary slots, and the
    /// filter.</summary>
    public long Bytes => (_entries.Count * 400L) + _byExpiry.Bytes + Filter.Bytes;

    private CutoffFilter Filter => Volatile.Read(ref _filter);

    public int Count(RuleKind kind) => Volatile.Read(ref _counts[(int)kind]);

    /// <summary>The latest cutoff that names exactly this, or the least number when there is none.</summary>
    public long CutoffOf(RuleKind kind, string issuer, string? value) =>
        Count(kind) != 0 && value is not null && Filter.MayHold(kind, value)
        && _sets.TryGetValue(new Target(kind, issuer, value), out var set)
            ? set.Cutoff
            : long.MinValue;

    /// <summary>The latest cutoff that could hit a token, whichever rule makes it.</summary>
    public long LatestFor(in TokenFacts token) =>
        Math.Max(
            Math.Max(
                CutoffOf(RuleKind.Subject, token.Issuer, token.Subject),
                CutoffOf(RuleKind.Client, token.Issuer, token.Client)),
            Math.Max(
                CutoffOf(RuleKind.Key, token.Issuer, token.KeyId),
                CutoffOf(RuleKind.Issuer, token.Issuer, token.Issuer)));

    /// <summary>The latest cutoff that an issuer may have stepped over with a token that a new rule must hit.
    /// A subject's tokens step over cutoffs of that subject, of the issuer and of any client; those of a
    /// client over its own, the issuer's and any subject's; those of an issuer over any. That a cutoff was
    /// lifted since does not take the token back; whose it was is not kept.</summary>
    public long LatestBefore(RuleKind kind, string issuer, string value) => Math.Max(
        Math.Max(CutoffOf(RuleKind.Issuer, issuer, issuer), LatestLifted),
        Math.Max(
            kind == RuleKind.Subject ? CutoffOf(kind, issuer, value) : Latest(RuleKind.Subject),
            kind == RuleKind.Client ? CutoffOf(kind, issuer, value) : Latest(RuleKind.Client)));

    /// <summary>The latest cutoff that was lifted, or the least number when there is none.</summary>
    public long LatestLifted => Volatile.Read(ref _latestLifted);

    public IReadOnlyList<Rule> RulesOf(RuleKind kind, string issuer, string? value) =>
        value is not null && _sets.TryGetValue(new Target(kind, issuer, value), out var set)
            ? set.Rules
            : [];

    /// <returns>Whether the rule is new.</returns>
    public bool Add_NeedsLock(in LogEntry entry)
    {
        if (!_entries.TryAdd(entry.Id, entry))
        {
            return false;
        }
        _byExpiry.Add(entry.Id, entry.Expiry);
        var target = TargetOf(entry);
        _sets[target] = _sets.GetValueOrDefault(target, RuleSet.None).With(new Rule(entry.Id, entry.Cutoff));
        Filter_NeedsLock(target);
        Tally_NeedsLock(target.Kind, 1);
        Volatile.Write(
            ref _latest[(int)target.Kind], Math.Max(_latest[(int)target.Kind], entry.Cutoff));
        return true;
    }

    /// <returns>Whether the rule was there.</returns>
    public bool Remove_NeedsLock(RevocationId id)
    {
        if (!_entries.Remove(id, out var entry))
        {
            return false;
        }
        var target = TargetOf(entry);
        var left = _sets[target].Without(id);
        if (left.Rules.IsEmpty)
        {
            _sets.TryRemove(target, out _);
        }
        else
        {
            _sets[target] = left;
        }
        Tally_NeedsLock(target.Kind, -1);
        return true;
    }

    /// <summary>Notes what a lift takes back, whether or not the rule was ever heard of here.</summary>
    public void Lift_NeedsLock(in LogEntry lift)
    {
        // A revoked key is for good: nothing steps over it.
        if (lift.Id.Kind != RuleKind.Key)
        {
            Volatile.Write(ref _latestLifted, Math.Max(_latestLifted, lift.Cutoff));
        }
    }

    /// <summary>Removes the rules that expire before a time.</summary>
    public List<LogEntry> TakeDead_NeedsLock(long expiredBefore)
    {
        var dead = new List<LogEntry>();
        foreach (var id in _byExpiry.TakeDue(expiredBefore))
        {
            if (_entries.TryGetValue(id, out var entry) && entry.Expiry < expiredBefore)
            {
                Remove_NeedsLock(id);
                dead.Add(entry);
            }
        }
        return dead;
    }

    /// <summary>A rule, as the log holds it, or null when it is not there.</summary>
    public LogEntry? EntryOf_NeedsLock(RevocationId id) =>
        _entries.TryGetValue(id, out var entry) ? entry : null;

    /// <summary>Every rule, as the log holds it.</summary>
    public IEnumerable<LogEntry> Entries_NeedsLock() => _entries.Values;

    private static Target TargetOf(in LogEntry entry) => new(entry.Id.Kind, entry.Issuer!, entry.Value!);

    private void Filter_NeedsLock(Target target)
    {
        if (!_filter.IsFull)
        {
            _filter.Add(target.Kind, target.Value);
            return;
        }
        var next = new CutoffFilter(Math.Max(FewestValues, _sets.Count * 2));
        foreach (var (known, _) in _sets)
        {
            next.Add(known.Kind, known.Value);
        }
        Volatile.Write(ref _filter, next);
    }

    private long Latest(RuleKind kind) => Volatile.Read(ref _latest[(int)kind]);

    private void Tally_NeedsLock(RuleKind kind, int change) =>
        Volatile.Write(ref _counts[(int)kind], _counts[(int)kind] + change);
}
