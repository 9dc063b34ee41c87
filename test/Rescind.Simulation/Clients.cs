namespace Rescind.Simulation;

/// <summary>Log in, refresh, revoke, lift, ask: many times a second, on any node, and most of all about what was just
/// revoked.</summary>
internal sealed class Clients(
    World world, Ledger ledger, Checkers checkers, IReadOnlyList<Node> nodes, BlacklistOptions options, int slowness)
{
    private const string Issuer = "sim";

    /// <summary>With few, one is revoked again and again; with many, most tokens go on.</summary>
    private readonly int _users = world.Chance(0.5) ? 5 : 30;

    private int _number;

    /// <summary>The key that tokens are signed with: once one is revoked, the next.</summary>
    private int _key;

    private Random Random => world.Random;

    /// <summary>Uses the fleet until a time.</summary>
    public void Begin(long end)
    {
        var pace = world.Between(10, 60).TotalMilliseconds * slowness;
        void Next()
        {
            if (world.Now < end)
            {
                Act();
                world.After(world.Between(1, pace), Next);
            }
        }
        world.After(TimeSpan.FromMilliseconds(100), Next);
    }

    private void Act()
    {
        if (Any() is not { } node)
        {
            return;
        }
        switch (Random.Next(20))
        {
            case < 6:
                LogIn(node, $"user-{Random.Next(_users)}", _ => { });
                break;
            case < 8 when Recent() is { } token:
                Refresh(node, token);
                break;
            case < 11 when Recent() is { } token:
                Revoke(node, Batch(node, token));
                break;
            case 11 when ledger.Decisions.Count != 0:
                Lift(node, [.. Enumerable.Range(0, world.Chance(0.2) ? Math.Min(3, LargestBatch(node)) : 1)
                    .Select(_ => ledger.Decisions[Random.Next(ledger.Decisions.Count)]).Distinct()
                    .Where(one => one.IsAcknowledged && one.LiftBegunAt == long.MaxValue)]);
                break;
            case 12 when world.Chance(0.3):
                Compact(node);
                break;
            default:
                if (Recent() is { } asked)
                {
                    Ask(node, asked);
                }
                break;
        }
    }

    private Node? Any() => nodes[Random.Next(nodes.Count)] is { IsAlive: true } node ? node : null;

    /// <summary>One of the newest tokens.</summary>
    public Issued? Recent() => ledger.Tokens.Count == 0
        ? null
        : ledger.Tokens[^(1 + Random.Next(Math.Min(ledger.Tokens.Count, 30)))];

    public async void LogIn(Node node, string user, Action<Issued> then)
    {
        var issued = await IssueAsync(node, new TokenFacts
        {
            Issuer = Issuer, TokenId = $"token-{++_number}", Session = $"session-{_number}", Subject = user,
            Client = $"client-{Random.Next(4)}", KeyId = $"key-{_key}",
        }, of: null);
        if (issued is not null)
        {
            then(issued);
        }
    }

    /// <summary>As the server does: the old token is asked about, and its session and time of log-in stay.</summary>
    private async void Refresh(Node node, Issued old)
    {
        if (await node.CheckAsync(old) is { } check)
        {
            checkers.Answered(node, old, check);
            if (check.Verdict == Verdict.Accepted)
            {
                await IssueAsync(node, old.Facts with { TokenId = $"token-{++_number}", KeyId = $"key-{_key}" }, old);
            }
        }
    }

    private async Task<Issued?> IssueAsync(Node node, TokenFacts facts, Issued? of)
    {
        var (stamp, at, isPrivate, isAhead) = await node.DoAsync("issue", blacklist => Task.FromResult(
            (blacklist.EarliestIssueTime(facts), world.Now, blacklist.GetStatus().Log.JournalPending != 0, node.IsAhead)));
        if (stamp == DateTimeOffset.MaxValue)
        {
            return null;
        }
        var expires = stamp + world.Between(1_000, world.Chance(0.5) ? 6_000 : 60_000);
        facts = facts with
        {
            IssuedAt = stamp,
            AuthenticatedAt = of is null ? stamp : facts.AuthenticatedAt,
            ExpiresAt = DateTimeOffset.FromUnixTimeSeconds(expires.ToUnixTimeSeconds()),
        };
        var issued = new Issued(
            facts, at, of?.LoggedInAt ?? at, isPrivate || of?.IsPrivate == true, isAhead || of?.IsAhead == true);
        var hasId = of is null ? !world.Chance(0.15) : of.SigningInput is null;
        issued = hasId ? issued : issued.WithoutId(++_number);
        facts = issued.Facts;
        ledger.Add(issued);
        world.Tell($"{node} issued {facts.TokenId} of {facts.Subject}, iat {facts.IssuedAt:HH:mm:ss}");
        return issued;
    }

    private static int LargestBatch(Node node) => node.Blacklist!.Options.LargestBatch;

    /// <summary>What is revoked in one call: mostly one thing, at times as much as a call takes.</summary>
    private List<(Issued Token, RuleKind Kind)> Batch(Node node, Issued token)
    {
        var most = Math.Min(LargestBatch(node), 10);
        var count = world.Chance(0.06) ? Random.Next(1, most + 1) : 1;
        return [(token, AnyKind()), .. Enumerable.Range(1, count - 1).Select(_ => (Recent()!, AnyKind()))];
    }

    private RuleKind AnyKind() => Random.Next(200) switch
    {
        < 65 => RuleKind.Token,
        < 130 => RuleKind.Session,
        < 190 => RuleKind.Subject,
        < 196 => RuleKind.Client,
        < 199 => RuleKind.Key,
        _ => RuleKind.Issuer,
    };

    /// <summary>Revokes a token, its session or whatever else it names.</summary>
    public void Revoke(Node node, Issued token, RuleKind kind) => Revoke(node, [(token, kind)]);

    private async void Revoke(Node node, List<(Issued Token, RuleKind Kind)> what)
    {
        var decisions = what.ConvertAll(one => new Decision(++_number, one.Kind, one.Token, node, world.Now));
        _key += decisions.Exists(one => one.Kind == RuleKind.Key && one.Value == $"key-{_key}") ? 1 : 0;
        Receipt receipt;
        try
        {
            receipt = await node.DoAsync($"revoke {decisions[0]}", blacklist =>
            {
                foreach (var decision in decisions)
                {
                    ledger.Began(decision);
                    decision.BegunByClock = node.Clock.Reading.Monotonic;
                }
                return blacklist.RevokeAsync([.. decisions.Select(Asked)]).AsTask();
            });
        }
        catch (Exception fault) when (fault is IOException or FleetSettingsException)
        {
            checkers.Failed(node, decisions[0].ToString(), decisions[0].StartedAt, fault.Message);
            return;
        }
        foreach (var decision in decisions)
        {
            Answered(node, decision, receipt);
        }
    }

    private static Revocation Asked(Decision decision) => Revocation.Of(decision.Kind, Issuer, decision.Value) with
    {
        ExpiresAt = decision.Kind == RuleKind.Token ? decision.Target.Written.ExpiresAt : null, Note = decision.Number,
    };

    private void Answered(Node node, Decision decision, Receipt receipt)
    {
        (decision.Receipt, decision.AnsweredAt) = (receipt, world.Now);
        decision.IsUnkept = !node.HasDiskSince(decision.StartedAt);
        checkers.Acknowledged(decision);
        world.Tell($"{decision} answered {receipt.State}, {receipt.NodesConfirmed} of {receipt.NodesExpected}");
        AskAround(decision.Target);
        if (decision.Kind == RuleKind.Token)
        {
            AskAfterItsEnd(node, decision.Target);
        }
    }

    /// <summary>Validators accept a token for the clock skew after its end; nobody may have forgotten it
    /// then.</summary>
    private void AskAfterItsEnd(Node node, Issued token)
    {
        var left = token.Facts.ExpiresAt!.Value + TimeSpan.FromSeconds(Life.LongestSkew)
            - (World.Beginning + TimeSpan.FromTicks(world.Now));
        var times = left > TimeSpan.FromSeconds(6) ? 0 : 4;
        for (; times > 0; times--)
        {
            var early = world.Between(0, Life.LongestSkew * 1_000);
            world.After(left > early ? left - early : TimeSpan.Zero, () =>
            {
                if (node.IsAlive && world.Chance(0.3))
                {
                    Compact(node);
                }
                Ask(node, token);
                world.After(world.Between(5, 50), () => Ask(node, token));
            });
        }
    }

    /// <summary>Everywhere, at once and a little later.</summary>
    private void AskAround(Issued token)
    {
        foreach (var node in nodes)
        {
            for (var times = Random.Next(1, 4); times > 0; times--)
            {
                world.After(
                    world.Between(0.001, world.Chance(0.5) ? 5 : options.Freshness.TotalMilliseconds * 3),
                    () => Ask(node, token));
            }
        }
    }

    private async void Lift(Node node, List<Decision> decisions)
    {
        if (decisions.Count == 0)
        {
            return;
        }
        foreach (var decision in decisions)
        {
            (decision.LiftBegunAt, decision.Lifter, decision.IsLiftUnheld) = (world.Now, (node, node.Process), false);
        }
        var (since, unknown) = (world.Now, new List<Decision>());
        try
        {
            var receipt = await node.DoAsync($"lift {decisions[0]}", blacklist =>
            {
                unknown = decisions.FindAll(one => !node.Knows(one));
                return blacklist.LiftAsync([.. decisions.Select(one => one.Made!.Id)], "mistake", "sim").AsTask();
            });
            foreach (var decision in decisions)
            {
                Lifted(node, decision, unknown.Contains(decision) ? null : receipt);
            }
        }
        catch (Exception fault) when (fault is IOException or FleetSettingsException)
        {
            unknown.ForEach(one => Lifted(node, one, null));
            checkers.Failed(node, $"the lift of {decisions[0]}", since, fault.Message);
        }
    }

    private void Lifted(Node node, Decision decision, Receipt? receipt)
    {
        if (receipt is null)
        {
            world.Tell($"{node} does not know {decision}, so it is not lifted");
            decision.LiftBegunAt = long.MaxValue;
            return;
        }
        (decision.LiftReceipt, decision.LiftAnsweredAt) = (receipt, world.Now);
        decision.IsLiftUnkept = !node.HasDiskSince(decision.LiftBegunAt);
        checkers.Lifted(decision);
        world.Tell($"the lift of {decision} answered {receipt.State}");
    }

    private async void Compact(Node node)
    {
        try
        {
            var result = await node.DoAsync("compact", blacklist => blacklist.CompactAsync().AsTask());
            world.Tell($"{node} compacted, {result.EntriesDropped} dropped");
        }
        catch (Exception fault) when (fault is IOException or FleetSettingsException)
        {
            world.Tell($"{node} did not compact: {fault.Message}");
        }
    }

    /// <summary>Asks a node whether a token still counts.</summary>
    public async void Ask(Node node, Issued token)
    {
        if (!node.IsAlive)
        {
            return;
        }
        if (await node.CheckAsync(token) is { } check)
        {
            world.Tell($"{node} says of {token.Facts.TokenId}: {check.Verdict}");
            checkers.Answered(node, token, check);
        }
    }
}
