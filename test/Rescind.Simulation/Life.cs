// One life of a fleet: the world is made, clients use it while faults befall it, then everything is healed, and after
// a while the promises are looked at once more.
using System.Globalization;

namespace Rescind.Simulation;

/// <summary>How a life ended.</summary>
internal sealed record Outcome(
    ulong Seed, ulong Trace, BrokenPromiseException? Broken, IReadOnlyList<string> Story, Counts Counts);

/// <summary>What was asked and done in one life, or in many.</summary>
/// <param name="Lives">How many lives.</param>
/// <param name="Accepted">How many checks said so; and so on.</param>
/// <param name="Revoked">The same.</param>
/// <param name="Unknown">The same.</param>
/// <param name="Decisions">How many revocations there were.</param>
/// <param name="Exceptions">How often a stated exception of promise 1 was made use of.</param>
internal readonly record struct Counts(
    long Lives, long Accepted, long Revoked, long Unknown, long Decisions, long Exceptions)
{
    public long Checks => Accepted + Revoked + Unknown;

    /// <summary>Whether so many lives asked and answered about as lives do: a world in which nothing is accepted keeps every
    /// promise.</summary>
    public bool ArePlausible => Lives < 100
        || (Accepted > Checks / 20 && Revoked > Checks / 4 && Unknown > Checks / 50 && Checks > Lives * 200 && Decisions > Lives * 30);

    public static Counts operator +(Counts one, Counts other) => new(
        one.Lives + other.Lives, one.Accepted + other.Accepted, one.Revoked + other.Revoked, one.Unknown + other.Unknown,
        one.Decisions + other.Decisions, one.Exceptions + other.Exceptions);
}

internal sealed class Life
{
    /// <summary>How many freshness bounds after the last fault everything must be confirmed: the longest bound that was in
    /// force, because whoever died with it is given up, and waited for, by it.</summary>
    public const int BoundsToHeal = 30;

    /// <summary>The most that settings allow beyond a token's end, in seconds.</summary>
    public const int LongestSkew = 3;

    private readonly World _world;
    private readonly RedisGroup _redis;
    private readonly Ledger _ledger;
    private readonly List<Node> _nodes = [];
    private readonly Checkers _checkers;
    private readonly BlacklistOptions _options;
    private readonly TimeSpan _othersBound;
    private readonly bool _isSlow;
    private readonly Clients _clients;
    private readonly Faults _faults;
    private readonly Scenes _scenes;
    private readonly int? _scene;
    private readonly ulong _seed;

    public Life(ulong seed, LuaScripts lua, bool tells = false)
    {
        _seed = seed;
        _world = new World(seed, tells);
        var random = _world.Random;
        _isSlow = _world.Chance(0.1);
        _options = Settings();
        var others = Settings();
        _othersBound = others.Freshness;
        _ledger = new Ledger(_world);
        _redis = new RedisGroup(_world, lua, random.Next(3));
        _scene = _world.Chance(0.6) ? random.Next(Scenes.Kinds) : null;
        var hasDisk = _world.Chance(_scene is Scenes.AnswerHeld or Scenes.LostAgain ? 0.3 : 0.8);
        var tellsServers = seed % 2 == 0;
        var count = Math.Max(Math.Min(random.Next(1, 8), random.Next(1, 8)), _scene is null ? 1 : 2);
        for (var number = 1; number <= count; number++)
        {
            _nodes.Add(new Node(_world, _redis, _ledger, _options, others, number, hasDisk, tellsServers ? _redis.Servers.Count : 1));
        }
        _checkers = new Checkers(_world, _ledger, _redis, _nodes, _options, others, tellsServers);
        _redis.Wrote = _checkers.Wrote;
        _clients = new Clients(_world, _ledger, _checkers, _nodes, _options, Pace);
        _faults = new Faults(_world, _redis, _nodes, _options);
        _scenes = new Scenes(_world, _redis, _clients, _nodes, _options);
        _world.Tell(string.Create(CultureInfo.InvariantCulture, $"{count} nodes, {_redis.Servers.Count} Redis, {(hasDisk ? "with" : "without")} disks, {(tellsServers ? "so many told, " : "")}freshness {_options.Freshness.TotalMilliseconds} ms, skew {_options.ClockSkew.TotalSeconds} s, other settings {others.Freshness.TotalMilliseconds} ms and {others.ClockSkew.TotalSeconds} s, wait for {_options.WaitFor}, batches of {_options.LargestBatch}"));
    }

    /// <summary>How many times slower a life is than most: in slow ones, rules expire.</summary>
    private int Pace => _isSlow ? 20 : 1;

    /// <summary>The longest bound that any node was started with.</summary>
    private TimeSpan LongestBound =>
        _nodes.Exists(node => node.HadOthers) && _othersBound > _options.Freshness ? _othersBound : _options.Freshness;

    /// <summary>Settings of a fleet.</summary>
    private BlacklistOptions Settings() => new()
    {
        Freshness = TimeSpan.FromMilliseconds(_world.Random.Next(3, 11) * 100 * (_isSlow ? 10 : 1)),
        LongestTokenLifetime = TimeSpan.FromMinutes(1),
        ClockSkew = TimeSpan.FromSeconds(_world.Random.Next(0, LongestSkew + 1)),
        WaitFor = _world.Chance(0.2) ? ReceiptState.Stored : ReceiptState.Everywhere,
        TokensCarryIssuedAt = _world.Chance(0.5),
        LargestBatch = _world.Chance(0.15) ? _world.Random.Next(1, 21) : 10_000,
    };

    /// <summary>Goes on until everything is confirmed and has arrived, and a few bounds longer, at most until the stated
    /// time.</summary>
    private void HealUntil(long latest)
    {
        for (var quiet = 0; quiet < 5 && _world.Now < latest && _world.Broken is null; quiet++)
        {
            _world.RunTo(Math.Min(latest, _world.Now + _options.Freshness.Ticks));
            quiet = _nodes.TrueForAll(node => node is { IsConfirmed: true, Open.Count: 0 }) && _world.Now >= _redis.UnderWayUntil ? quiet : 0;
        }
    }

    /// <summary>Lives it to its end.</summary>
    public Outcome Run()
    {
        foreach (var node in _nodes)
        {
            _world.After(_world.Between(0, _world.Chance(0.3) ? 2_000 : 50), node.Start);
        }
        var end = _world.Between(5_000, 10_000).Ticks * Pace;
        _clients.Begin(end);
        _faults.Begin(end, _scene is null ? 0.35 : 0.05);
        if (_scene is { } scene)
        {
            _scenes.Begin(scene, end);
        }
        _world.RunTo(end);
        if (_world.Broken is null)
        {
            _faults.Heal();
            HealUntil(_world.Now + (LongestBound * BoundsToHeal).Ticks + TimeSpan.FromSeconds(5).Ticks);
        }
        if (_world.Broken is null)
        {
            _checkers.Healed();
        }
        var counts = _checkers.Counts;
        _world.Tell($"{counts.Accepted} accepted, {counts.Revoked} revoked, {counts.Unknown} unknown, "
            + $"{counts.Decisions} decisions, {counts.Exceptions} exceptions");
        return new Outcome(_seed, _world.Trace, _world.Broken, _world.Story, counts);
    }
}
