// What is asked of every life, after every step. The numbers are those of docs/proof.md.
using Rescind.Redis;

namespace Rescind.Simulation;

internal sealed class Checkers(
    World world, Ledger ledger, RedisGroup redis, IReadOnlyList<Node> nodes, BlacklistOptions first, BlacklistOptions others,
    bool tellsServers)
{
    public const string Immediate = "1 immediate";
    public const string NoFalseRefusal = "2 no false refusal";
    public const string NothingLost = "3 nothing lost";
    public const string AllEqual = "4 all equal";
    public const string Progress = "5 progress";
    public const string KnownOrSaid = "6 known or said";

    private static readonly PackCodec Codec = new(null);

    /// <summary>Times in tokens are whole seconds.</summary>
    private static readonly TimeSpan StampStep = TimeSpan.FromSeconds(1);

    /// <summary>How far ahead of the clock a token is stamped at most (docs/decisions/0028).</summary>
    private static readonly TimeSpan FurthestStamp = TimeSpan.FromSeconds(25);

    /// <summary>How far back a lease of any node may reach, by its own clock: of those settings that were ever used.</summary>
    private long LongestBound => Math.Max((first.Freshness * 1.25).Ticks, HadOthers ? (others.Freshness * 1.25).Ticks : 0);

    private bool HadOthers => nodes.Any(node => node.HadOthers);

    /// <summary>Until when a master that had lost the log and had no replica was taken for the only one, because nobody had
    /// told how many there are.</summary>
    private long _lonelyUntil = long.MinValue;

    private int[] Verdicts { get; } = new int[3];

    private int Exceptions { get; set; }

    public Counts Counts => new(1, Verdicts[(int)Verdict.Accepted], Verdicts[(int)Verdict.Revoked],
        Verdicts[(int)Verdict.Unknown], ledger.Decisions.Count, Exceptions);

    /// <summary>A check is over.</summary>
    public void Answered(Node node, Issued token, Check check)
    {
        var (began, verdict, isFresh, stood, took) = check;
        Verdicts[(int)verdict]++;
        LookForLonelyMaster();
        if (verdict == Verdict.Accepted)
        {
            foreach (var decision in token.NamedBy.Where(one => one.MustEnd(token) && IsInForce(one, node, began)))
            {
                if (IsException(decision, node, began) || IsSteppedOver(decision, token))
                {
                    Exceptions++;
                    continue;
                }
                world.Break(Immediate, $"{node} accepted {token.Facts.TokenId} in a check that began "
                    + $"{began / 10_000.0:0.000} ms, though {decision} was answered {decision.Receipt!.State} at "
                    + $"{decision.AnsweredAt / 10_000.0:0.000} ms; auth_time {token.Facts.AuthenticatedAt:mm:ss}, iat "
                    + $"{token.Facts.IssuedAt:mm:ss}, cutoff {decision.Made!.IssuedBefore:mm:ss}, known here: "
                    + $"{node.Blacklist!.Index.EntryOf(decision.Made.Id) is not null}");
            }
        }
        if (verdict == Verdict.Revoked
            && !token.NamedBy.Exists(one => one.MayEnd(token) && !IsUndone(one, node, began, isFresh)))
        {
            world.Break(NoFalseRefusal, $"{node} refused {token.Facts.TokenId}, and nothing that is in force ends it");
        }
        if (took > Node.CatchUp.Ticks + TimeSpan.TicksPerMillisecond)
        {
            world.Break(Progress, $"{node} took {took / 10_000.0:0.000} ms for a check that nothing interrupted");
        }
        if (verdict != Verdict.Revoked && stood is not null)
        {
            world.Break(KnownOrSaid, $"{node} said {verdict} of {token.Facts.TokenId}, though it knew {stood}");
        }
    }

    private void LookForLonelyMaster() =>
        _lonelyUntil = !tellsServers && redis.HasLonelyMaster ? world.Now : _lonelyUntil;

    /// <summary>A client's write on a server: the end of a recovery is when promise 4 must hold.</summary>
    public void Wrote(RedisServer server, Effect effect)
    {
        LookForLonelyMaster();
        if (effect.Command != "HSET")
        {
            return;
        }
        for (var i = 0; i + 1 < effect.Arguments.Length; i += 2)
        {
            if (effect.Arguments[i] == "state" && effect.Arguments[i + 1] == "closed")
            {
                Closed(server);
            }
        }
    }

    /// <summary>The world was healed and left alone for a while.</summary>
    public void Healed()
    {
        foreach (var node in nodes)
        {
            var status = node.Blacklist!.GetStatus();
            if (!status.Fresh || status.Log.JournalPending != 0)
            {
                world.Break(Progress, $"{node} is {(status.Fresh ? "fresh" : "not fresh")}, owes "
                    + $"{status.Log.JournalPending}, fault: {status.Fault}");
            }
            if (node.Link!.Reads.LastGoodAt == long.MinValue)
            {
                world.Break(Progress, $"{node} is fresh by no read that the checkers saw");
            }
            if (node.Open.Count != 0)
            {
                world.Break(Progress, $"{node} still owes an answer to: {string.Join(", ", node.Open)}");
            }
        }
        var inLog = EntriesOf(redis.Master);
        foreach (var decision in ledger.Decisions.Where(one => one.IsAcknowledged && Lives(one)))
        {
            foreach (var node in nodes)
            {
                var has = node.Knows(decision);
                if (!has && decision.LiftBegunAt == long.MaxValue && !decision.IsLost)
                {
                    world.Break(NothingLost, $"{node} does not know {decision}, answered {decision.Receipt!.State}");
                }
                if (has && decision is { IsLifted: true, IsLiftLost: false })
                {
                    world.Break(NothingLost, $"{node} knows {decision} again, which was lifted");
                }
            }
        }
        AreEqual(inLog);
        AreJudged(inLog);
    }

    /// <summary>Every node, fresh as it is, says of every token that lives what the log says; <c>Unknown</c> only of one that
    /// its issuer stamped further ahead than nodes allow.</summary>
    private void AreJudged(IReadOnlyCollection<LogEntry> inLog)
    {
        var lifted = inLog.Where(entry => entry.IsLift).Select(entry => entry.Id).ToHashSet();
        var standing = inLog.Where(entry => !entry.IsLift && !lifted.Contains(entry.Id))
            .DistinctBy(entry => entry.Id).ToDictionary(entry => entry.Id, entry => Lives(entry.ExpiresAt));
        foreach (var token in ledger.Tokens.Where(one => Lives(one.Facts.ExpiresAt!.Value)))
        {
            var rules = token.NamedBy.Where(one => one.Made is { } made && standing.ContainsKey(made.Id) && one.MayEnd(token))
                .Select(one => standing[one.Made!.Id]).ToList();
            foreach (var node in nodes)
            {
                if (node.CheckAtOnce(token) is not { } check)
                {
                    continue;
                }
                Answered(node, token, check);
                var expected = rules.Count == 0 ? Verdict.Accepted : Verdict.Revoked;
                var isAhead = check.Verdict == Verdict.Unknown && expected == Verdict.Accepted
                    && token.Facts.IssuedAt > node.Clock.GetUtcNow() + first.IssuerClockDifference + StampStep;
                if (check.Verdict != expected && !isAhead && (rules.Count == 0 || rules.Contains(true)))
                {
                    world.Break(KnownOrSaid, $"all is healed, and {node} says {check.Verdict} of {token.Facts.TokenId}, not {expected}");
                }
            }
        }
    }

    /// <summary>All indexes are the replay of the log, lifts with their cutoffs included, as far as nothing has expired.</summary>
    private void AreEqual(IReadOnlyCollection<LogEntry> inLog)
    {
        var lifted = inLog.Where(entry => entry.IsLift).Select(entry => entry.Id).ToHashSet();
        var expected = Living(inLog.Where(entry => entry.IsLift || !lifted.Contains(entry.Id)));
        foreach (var node in nodes)
        {
            var known = Living(Enumerable.Range(0, TokenTable.ShardCount + 1)
                .SelectMany(part => node.Blacklist!.Index.Entries(part)));
            if (!known.SetEquals(expected))
            {
                var (here, there) = (known.Except(expected).ToList(), expected.Except(known).ToList());
                var ids = here.Concat(there).Select(entry => entry.Id).ToHashSet();
                world.Break(AllEqual, $"{node} knows {known.Count} live revocations and lifts, the log has {expected.Count}; "
                    + $"{here.Count} only it has, {there.Count} only the log; among them "
                    + string.Join("; ", ledger.Decisions.Where(one => one.Made is { } made && ids.Contains(made.Id)).Take(3)));
            }
        }

        HashSet<(RevocationId Id, bool IsLift, long Cutoff)> Living(IEnumerable<LogEntry> entries) =>
            [.. entries.Where(entry => Lives(entry.ExpiresAt)).Select(entry => (entry.Id, entry.IsLift, entry.Cutoff))];
    }

    /// <summary>Whoever reported has given back what it holds: an acknowledged revocation that is not in the log now was
    /// held by none of them. Nor was one whose writer stands still with the log's answer in its hands. So with lifts.</summary>
    private void Closed(RedisServer server)
    {
        var inLog = EntriesOf(server).Select(entry => (entry.Id, entry.IsLift)).ToHashSet();
        var reported = server.Store.Hash.Keys.Where(key => key.StartsWith("p:", StringComparison.Ordinal))
            .Select(key => nodes.FirstOrDefault(node => "p:" + node.Process == key && node.IsAlive))
            .OfType<Node>().ToList();
        foreach (var decision in ledger.Decisions)
        {
            if (decision.Made is { } made && inLog.Contains((made.Id, false)))
            {
                Held(decision, server);
            }
            else if (decision is { Made: not null, IsLifted: false, Receipt.State: not ReceiptState.Journaled } or { Made: not null, Receipt: null })
            {
                ClosedWithout(decision, reported);
            }
            if (decision is { Made: not null, LiftBegunAt: < long.MaxValue })
            {
                ClosedWithoutLift(decision, reported, inLog.Contains((decision.Made.Id, true)), server);
            }
        }
    }

    /// <summary>The log has it, whatever closed without it before.</summary>
    private void Held(Decision decision, RedisServer server)
    {
        if (decision.IsUnheld && server == redis.Master)
        {
            decision.UnheldUntil = world.Now;
        }
    }

    private void ClosedWithout(Decision decision, List<Node> reported)
    {
        if (decision.IsUnheld && !decision.IsDue)
        {
            return;
        }
        if (decision is { IsAcknowledged: true, LiftBegunAt: long.MaxValue } && Lives(decision) && reported.Find(node => node.Knows(decision)) is { } holder)
        {
            world.Break(NothingLost, $"a recovery closed without {decision}, which {holder} held and did not give back");
        }
        decision.UnheldUntil = long.MaxValue;
        decision.IsDue = !decision.IsAcknowledged && reported.Contains(decision.By);
    }

    private void ClosedWithoutLift(Decision decision, List<Node> reported, bool isInLog, RedisServer server)
    {
        if (isInLog || decision.IsLiftUnheld)
        {
            decision.IsLiftUnheld &= !isInLog || server != redis.Master;
            return;
        }
        if (decision.LiftReceipt is { State: not ReceiptState.Journaled } && Lives(decision)
            && reported.Find(node => node.KnowsLiftOf(decision)) is { } holder)
        {
            world.Break(NothingLost, $"a recovery closed without the lift of {decision}, which {holder} held and did not give back");
        }
        decision.IsLiftUnheld = true;
    }

    /// <summary>A revocation or a lift failed, which a node with a disk that works has no reason for.</summary>
    public void Failed(Node node, string what, long since, string fault)
    {
        world.Tell($"{what} failed: {fault}");
        if (node.HasDiskSince(since))
        {
            world.Break(Progress, $"{what} failed on {node}, though its disk works: {fault}");
        }
    }

    /// <summary>An append was answered: what stands in the log then is held again, whatever closed without it before.</summary>
    public void Acknowledged(Decision decision)
    {
        if (decision.IsUnheld && IsInLog(decision, isLift: false))
        {
            Held(decision, redis.Master);
        }
    }

    /// <summary>So with that of a lift.</summary>
    public void Lifted(Decision decision) =>
        decision.IsLiftUnheld = decision.IsLiftUnheld && !IsInLog(decision, isLift: true);

    private bool IsInLog(Decision decision, bool isLift) =>
        EntriesOf(redis.Master).Exists(entry => entry.Id == decision.Made!.Id && entry.IsLift == isLift);

    private bool IsInForce(Decision decision, Node node, long began) =>
        decision is { IsAcknowledged: true, LiftBegunAt: long.MaxValue } && decision.Receipt!.State switch
        {
            ReceiptState.Everywhere => decision.AnsweredAt < began,
            ReceiptState.Stored => decision.AnsweredAt + LongestBound < began,
            _ => node == decision.By && decision.AnsweredAt < began,
        };

    /// <summary>Whoever made a decision and lives knows it, whatever a log has lost; and each exception lasts only as long as
    /// a lease that it explains.</summary>
    private bool IsException(Decision decision, Node node, long began) =>
        (decision.IsUnheld && !decision.IsDue && !decision.IsMadeBy(node))
        || IsUntold(decision.AppendedAt, began)
        || HasStood(node, decision.StartedAt, began);

    /// <summary>Appended to a server that was taken for the only one; its answer took a while.</summary>
    private bool IsUntold(long? appendedAt, long began) =>
        appendedAt - RedisLink.Limit.Ticks <= _lonelyUntil && began <= _lonelyUntil + LongestBound;

    private bool HasStood(Node node, long startedAt, long began) =>
        node.AllClocksStoodUntil + LongestBound >= startedAt && began <= node.AllClocksStoodUntil + LongestBound;

    /// <summary>A log-in right after a cutoff is stamped past it, ahead of the clock. A node that cannot know that cutoff,
    /// because it or the other one cannot reach the log, or because everybody who held it is gone, may make a new one that
    /// does not reach so far. Nor does one of a machine that was suspended and has not read the log since: its clock
    /// for the log stood still. Nor does one of a node that was just started, cannot read the log, and whose wall clock
    /// is behind.</summary>
    private bool IsSteppedOver(Decision decision, Issued token) =>
        decision.HasCutoff
        && (token.IsPrivate || token.IsAhead || decision.IsBlind || decision.Receipt!.State == ReceiptState.Journaled
            || token.NamedBy.Exists(one => one.UnheldUntil >= decision.StartedAt && one.HasCutoff))
        && token.Written.AuthenticatedAt > decision.Made!.IssuedBefore
        && (token.IsAhead || token.Written.AuthenticatedAt <= At(token.LoggedInAt) + FurthestStamp)
        && (token.Written.AuthenticatedAt > At(decision.StartedAt) + StampStep
            || decision is { IsBlind: true, HidTime: true } or { IsBehind: true });

    private static DateTimeOffset At(long time) => World.Beginning + TimeSpan.FromTicks(time);

    /// <summary>Lifted, and this node must know: it is fresh, and the lift was confirmed everywhere.</summary>
    private bool IsUndone(Decision decision, Node node, long began, bool isFresh) =>
        isFresh && !IsLiftException(decision, node, began) && decision.LiftReceipt is { State: not ReceiptState.Journaled } && decision.LiftAnsweredAt
            + (decision.LiftReceipt.State == ReceiptState.Stored ? LongestBound : 0) < began;

    private bool IsLiftException(Decision decision, Node node, long began) =>
        decision.IsLiftUnheld
        || IsUntold(decision.LiftAppendedAt, began)
        || HasStood(node, decision.LiftBegunAt, began);

    /// <summary>Whether no clock in the world may have let it expire. A node that cannot know how late it is has its rules end
    /// as much too early.</summary>
    private bool Lives(Decision decision) => decision.Kind == RuleKind.Token
        ? Lives(decision.Target.Facts.ExpiresAt!.Value + (HadOthers && others.ClockSkew < first.ClockSkew ? others : first).ClockSkew)
        : Lives((decision is { HidTime: false, IsBehind: false } || decision.Made!.MadeAt > At(decision.StartedAt)
            ? At(decision.StartedAt) : decision.Made.MadeAt) + first.LongestTokenLifetime);

    private bool Lives(DateTimeOffset expires) =>
        expires == DateTimeOffset.MaxValue || expires > At(world.Now) + TimeSpan.FromSeconds(1);

    private static List<LogEntry> EntriesOf(RedisServer server)
    {
        var entries = new List<LogEntry>();
        foreach (var pack in server.Store.Packs)
        {
            Codec.Unpack(System.Text.Encoding.Latin1.GetBytes(pack), entries);
        }
        return entries;
    }
}
