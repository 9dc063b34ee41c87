namespace Rescind.Tests;

/// <summary>What expires goes, what lives stays, whatever happened to the entries before.</summary>
public sealed class ForgettingTests
{
    private readonly RevocationIndex _index = new();

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    public void The_index_agrees_with_a_plain_model_while_time_passes(int seed)
    {
        var random = new Random(seed);
        var (rules, lifts, horizon) = (new Dictionary<RevocationId, uint>(), new Dictionary<RevocationId, uint>(), 0L);
        for (var now = 100; now < 160; now++)
        {
            for (var i = 0; i < 300; i++)
            {
                var id = IdOf(random);
                var expiry = random.Next(30) == 0 ? LogEntry.Never : (uint)random.Next(now - 2, now + 40);
                Do(id, expiry, isLift: random.Next(5) == 0, rules, lifts);
            }
            var dead = rules.Where(rule => rule.Value < now).ToList();
            dead.ForEach(rule => rules.Remove(rule.Key));
            horizon = dead.Select(rule => (long)rule.Value).Append(horizon).Max();
            lifts = lifts.Where(lift => lift.Value >= now).ToDictionary();
            Assert.Equal(dead.Count, Forget(now));
            Assert.Equal(horizon, _index.Horizon);
            Assert.Equal(rules.Count, _index.Count);
            if (now % 8 == 0)
            {
                Assert.Equal(Text(rules, lifts), Text(Entries(isLift: false), Entries(isLift: true)));
            }
        }
        Assert.NotEmpty(rules);
        Assert.NotEmpty(lifts);
    }

    [Fact]
    public void What_expires_at_this_second_is_still_alive()
    {
        var id = IdOf(new Random(1));
        Do(id, 100, isLift: false, [], []);
        Assert.Equal(0, Forget(100));
        Assert.Equal(100u, _index.EntryOf(id)?.Expiry);
        Assert.Equal(1, Forget(101));
        Assert.Null(_index.EntryOf(id)?.Expiry);
    }

    [Fact]
    public void What_never_expires_outlives_every_clock()
    {
        var id = IdOf(new Random(1));
        Do(id, LogEntry.Never, isLift: false, [], []);
        Assert.Equal(0, Forget(long.MaxValue));
        Assert.Equal(0, Forget(LogEntry.Never + 1L));
        Assert.Equal(LogEntry.Never, _index.EntryOf(id)?.Expiry);
    }

    [Fact]
    public void A_clock_before_1970_forgets_nothing()
    {
        Do(IdOf(new Random(1)), 0, isLift: false, [], []);
        Assert.Equal(0, Forget(-5));
        Assert.Equal(1, Forget(1));
    }

    [Fact]
    public void Lifts_and_rules_are_forgotten_in_the_part_behind_the_shards()
    {
        var id = RevocationIdOf(RuleKind.Subject, 1);
        Do(id, 100, isLift: false, [], []);
        Do(RevocationIdOf(RuleKind.Token, 2), 100, isLift: true, [], []);
        Assert.Equal(0, Enumerable.Range(0, TokenTable.ShardCount).Sum(part => _index.Forget(part, 200)));
        var held = _index.Bytes;
        Assert.Equal(1, _index.Forget(TokenTable.ShardCount, 200));
        Assert.True(_index.Bytes <= held - 400 - 64 - 96, "The rule, the lift and their places in line are gone.");
    }

    /// <summary>As the index should: a lift ends a rule for good, the later expiry of two counts for tokens and
    /// lifts, the first for cutoffs.</summary>
    private void Do(
        RevocationId id, uint expiry, bool isLift, Dictionary<RevocationId, uint> rules,
        Dictionary<RevocationId, uint> lifts)
    {
        _index.Apply([EntryOf(id, expiry, isLift)]);
        if (isLift)
        {
            lifts[id] = Math.Max(expiry, lifts.GetValueOrDefault(id));
            rules.Remove(id);
        }
        else if (!lifts.ContainsKey(id))
        {
            var isFirst = rules.TryAdd(id, expiry);
            rules[id] = isFirst || IsCutoff(id.Kind) ? rules[id] : Math.Max(expiry, rules[id]);
        }
    }

    private Dictionary<RevocationId, uint> Entries(bool isLift) => Enumerable.Range(0, TokenTable.ShardCount + 1)
        .SelectMany(_index.Entries).Where(entry => entry.IsLift == isLift)
        .ToDictionary(entry => entry.Id, entry => entry.Expiry);

    private static List<string> Text(params Dictionary<RevocationId, uint>[] all) =>
        [.. all.SelectMany((one, i) => one.Select(pair => $"{i} {pair.Key} {pair.Value}")).Order(StringComparer.Ordinal)];

    private static bool IsCutoff(RuleKind kind) => kind is not (RuleKind.Token or RuleKind.Session);

    private static LogEntry EntryOf(RevocationId id, uint expiry, bool isLift) => new()
    {
        Id = id, Expiry = expiry, IsLift = isLift, Cutoff = !isLift && IsCutoff(id.Kind) ? 1 : 0,
        Issuer = !isLift && IsCutoff(id.Kind) ? "i" : null, Value = !isLift && IsCutoff(id.Kind) ? id.Tag.ToString() : null,
    };

    /// <summary>Mostly tokens of two shards, so that groups of slots fill.</summary>
    private static RevocationId IdOf(Random random) =>
        RevocationIdOf((RuleKind)Math.Max(1, random.Next(-12, 7)), random.Next(4_000));

    private static RevocationId RevocationIdOf(RuleKind kind, int number) => new(
        kind,
        new UInt128(((ulong)number % 2 << 56) | ((ulong)number * 0x9E3779B1), ((ulong)number * 0x9E3779B97F4A7C15) & ~7UL | (uint)kind),
        (uint)number % 50);

    private int Forget(long before) => Enumerable.Range(0, TokenTable.ShardCount + 1).Sum(part => _index.Forget(part, before));
}
