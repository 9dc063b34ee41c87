namespace Rescind.EndToEnd.Chaos;

/// <summary>Reads a history against the promises. Says what is broken, and counts each exception that it makes.</summary>
internal sealed class Checker
{
    /// <summary>After the last fault everything is fresh and owes nothing within this time.</summary>
    public static readonly TimeSpan Recovery = TimeSpan.FromSeconds(30);

    private const long Second = 1_000_000;

    /// <summary>A node that has the default bound must know by then what is <c>stored</c>.</summary>
    private const long Bound = Second;

    /// <summary>A log that has lost something is whole again, or closed its recovery, by then.</summary>
    private const long Repair = 15 * Second;

    private readonly Story _story;
    private readonly HashSet<string> _strict;
    private readonly List<string> _broken = [];
    private readonly SortedDictionary<string, int> _exceptions = new(StringComparer.Ordinal);

    /// <summary>Where a node accepts what it cannot know, what it lets pass says nothing about what it knows, except when
    /// it is the one that revoked.</summary>
    private Checker(IReadOnlyList<Event> events)
    {
        _story = new Story(events);
        _strict = [.. _story.Of("started").Where(one => one.Word == "refuse").Select(one => one.Where)];
    }

    public static (IReadOnlyList<string> Broken, IReadOnlyDictionary<string, int> Exceptions) Check(
        IReadOnlyList<Event> events)
    {
        var checker = new Checker(events);
        foreach (var one in events)
        {
            checker.Look(one);
        }
        checker.LookAtTheEnd();
        return (checker._broken, checker._exceptions);
    }

    private void Look(Event one)
    {
        switch (one)
        {
            case { What: "count" }:
                break; // what stands for the status there is a number of rules
            case { Status: 500 }:
            case { Status: > 500 and not 503, Where: not "front" }:
                Break("fault", one, $"answered {one.Status}");
                break;
            case { What: "check" or "refresh" or "dead refresh", Status: 200 }:
                LookAtAcceptance(one);
                break;
            case { What: "check" or "refresh", Status: 401 }:
                LookAtRefusal(one);
                break;
            case { What: "login", Status: 401 }:
                Break("log-in", one, "called the right password wrong");
                break;
            case { What: "ended by itself", Where: not "postgres" }:
                Break("fault", one, "ended by itself");
                break;
        }
    }

    private void LookAtAcceptance(Event check)
    {
        if (_story.LiftsOf(check.On).Any(lift => lift.Begun < check.Ended))
        {
            return;
        }
        if (_story.RefusalBefore(check) is { } knew && !_story.WasStarted(check.Where, knew.Begun, check.Ended))
        {
            Break("refuses what it knew", check, $"accepted what it had called revoked ({knew.On}) at {Time(knew.Begun)}");
        }
        foreach (var revoke in _story.RevokesOf(check.On).Where(one => _story.Covers(one, check.On) && Binds(one, check)))
        {
            if (LostByItsHolders(revoke, check))
            {
                Except("a recovery closed while the node that had revoked was away");
            }
            else if (SteppedOver(revoke, check.On))
            {
                Except("a second revocation of a user stopped short of a token that stepped over the first");
            }
            else if (_story.HasUnknownCutoff(revoke))
            {
                Except("a cutoff by a clock that its node could not know was wrong");
            }
            else
            {
                Break("immediate", check, $"accepted what was revoked ({revoke.Word}) by {revoke.Where} at {Time(revoke.Ended)}");
            }
        }
    }

    /// <summary>Whether this check had to know.</summary>
    private bool Binds(Event revoke, Event check) =>
        (revoke.Where == check.Where && revoke.Where != "front" && check.Begun > revoke.Ended)
        || (_strict.Contains(check.Where) && (revoke.Word switch
        {
            "everywhere" => check.Begun > revoke.Ended,
            "stored" => check.Begun > revoke.Ended + Bound,
            "journaled" => false,
            _ => throw new InvalidOperationException($"A receipt of state '{revoke.Word}'."),
        }));

    /// <summary>Promise 4: what a log loses is given back by those who have it; while all of them are away it is not there.
    /// Who confirmed <c>everywhere</c> has it: every node that was not away before.</summary>
    private bool LostByItsHolders(Event revoke, Event check)
    {
        var holders = _story.Nodes.Where(node => node == revoke.Where
            || (revoke.Word == "everywhere" && !_story.WasAway(node, revoke.Begun - Repair, revoke.Ended))).ToList();
        return revoke.Where != check.Where && _story.Breaks.Any(loss =>
            (loss.Name.EndsWith("redis master", StringComparison.Ordinal) || loss.Name == "rolled back redis")
            && loss.From <= check.Ended && loss.Until >= revoke.Begun - Repair
            && holders.TrueForAll(node =>
                _story.WasAway(node, loss.From - Second, Math.Min(check.Ended, loss.Until + Repair))));
    }

    /// <summary>Exception 3 of the simulation: tokens stamped ahead, past a cutoff of some seconds ago that the node which
    /// makes the next one could not read.</summary>
    private bool SteppedOver(Event revoke, string token)
    {
        var issue = _story.LogInOf(token);
        return Story.IsOfUser(revoke) && revoke.Begun - issue.Ended < 5 * Second && _story.RevokesOf(token).Any(
            other => other != revoke && other.Begun < issue.Begun && issue.Begun - other.Ended < 5 * Second
                && (other.Word is not ("everywhere" or "stored")
                    || _story.WasAway(revoke.Where, revoke.Begun - Repair, revoke.Ended)
                    || _story.RedisWasBroken(revoke.Begun - Repair, revoke.Ended)));
    }

    private void LookAtRefusal(Event refusal)
    {
        if (!_story.WasIssued(refusal.On))
        {
            if (refusal.What == "refresh")
            {
                LookAtRefusedRefresh(refusal, refusal.On[..refusal.On.LastIndexOf('/')] + "/1");
            }
        }
        else if (refusal.Word == "token_revoked")
        {
            LookAtRevoked(refusal);
        }
        else if (refusal.What != "refresh" && _story.HadWrongClock(refusal))
        {
            Except("a node whose clock is wrong called an access token invalid");
        }
        else
        {
            Break("false refusal", refusal, $"answered {refusal.Word}");
        }
    }

    /// <summary>Whether a log-in came after a revocation of its user that was made minutes ahead.</summary>
    private bool IsHitAhead(string token) => _story.RevokesOf(token).Any(
        one => _story.HasUnknownCutoff(one) && one.Begun < _story.LogInOf(token).Begun);

    private void LookAtRefusedRefresh(Event refusal, string first)
    {
        if (MayBeRevoked(refusal, first))
        {
            return;
        }
        if (refusal.Word == "token_revoked" && CameLate(first))
        {
            Except("a log-in right after a revocation that its node did not know yet");
            return;
        }
        if (refusal.Word == "token_revoked" && IsHitAhead(first))
        {
            Except("a cutoff by a clock that its node could not know was wrong");
            return;
        }
        Break("false refusal", refusal, $"answered {refusal.Word}");
    }

    private void LookAtRevoked(Event refusal)
    {
        if (!MayBeRevoked(refusal, refusal.On))
        {
            if (IsHitAhead(refusal.On))
            {
                Except("a cutoff by a clock that its node could not know was wrong");
                return;
            }
            if (CameLate(refusal.On))
            {
                Except("a log-in right after a revocation that its node did not know yet");
                return;
            }
            Break("false refusal", refusal, "refused what nobody had revoked");
        }
        var lift = _story.LiftsOf(refusal.On).FirstOrDefault(
            one => Story.IsDone(one) && one.Where == refusal.Where && one.Where != "front" && one.Ended < refusal.Begun);
        if (lift is not null)
        {
            Break("lifted", refusal, $"refused what it had lifted at {Time(lift.Ended)}");
        }
    }

    private bool MayBeRevoked(Event refusal, string token) =>
        _story.RevokesOf(token).Any(one => one.Begun < refusal.Ended && _story.MayCover(one, token));

    /// <summary>A cutoff reaches some seconds past its time; only a node that knows it stamps tokens after it.</summary>
    private bool CameLate(string token)
    {
        var issue = _story.LogInOf(token);
        return _story.RevokesOf(token).Any(one => Story.IsOfUser(one) && one.Where != issue.Where
            && one.Begun < issue.Begun && issue.Begun < one.Ended + (4 * Second)
            && (one.Word != "everywhere" || issue.Begun < one.Ended
                || _story.WasAway(issue.Where, one.Begun - Repair, issue.Ended)));
    }

    private void LookAtTheEnd()
    {
        var healed = _story.Of("healed").SingleOrDefault()
            ?? throw new InvalidOperationException("The history does not say when all was put right.");
        foreach (var node in _story.Of("started").Select(one => one.Where))
        {
            var fresh = _story.Of("fresh").FirstOrDefault(one => one.Where == node);
            if (fresh is null || fresh.Begun - healed.Begun > Recovery.TotalMicroseconds)
            {
                Break("progress", fresh ?? healed, $"{node} was not fresh, or owed something, {Recovery.TotalSeconds} s after the last fault");
            }
            LookAtCounts(node);
        }
        foreach (var login in _story.Of("last log-in").Where(one => one.Status != 200))
        {
            if (login.Status == 503 && _story.RevokesOf(login.On).Any(_story.HasUnknownCutoff))
            {
                Except("a cutoff by a clock that its node could not know was wrong");
                continue;
            }
            Break("log-in", login, $"answered {login.Status} in the end");
        }
        LookAtTokensInTheEnd();
        LookAtAudit();
    }

    private void LookAtTokensInTheEnd()
    {
        foreach (var token in _story.Of("last check").GroupBy(one => one.On))
        {
            var isRefused = token.First().Status == 401;
            if (token.Any(one => one.Status is not (200 or 401) || (one.Status == 401) != isRefused))
            {
                Break("nothing lost", token.First(), "the nodes disagree in the end: "
                    + string.Join(", ", token.Select(one => $"{one.Where} {one.Status}")));
            }
            else if (_story.LiftsOf(token.Key).Any(Story.IsDone) && isRefused)
            {
                Break("lifted", token.First(), "is refused in the end though its lift was answered");
            }
            else if (isRefused)
            {
                LookAtRefusal(token.First());
            }
            else if (!isRefused && !_story.LiftsOf(token.Key).Any())
            {
                foreach (var revoke in _story.RevokesOf(token.Key).Where(one => _story.Covers(one, token.Key)))
                {
                    LookAtLoss(revoke, token.First());
                }
            }
        }
    }

    private void LookAtLoss(Event revoke, Event check)
    {
        if (SteppedOver(revoke, check.On))
        {
            Except("a second revocation of a user stopped short of a token that stepped over the first");
            return;
        }
        if (_story.HasUnknownCutoff(revoke))
        {
            Except("a cutoff by a clock that its node could not know was wrong");
            return;
        }
        Break("nothing lost", check, $"is accepted in the end, though it was revoked ({revoke.Word}) by {revoke.Where} "
            + $"at {Time(revoke.Ended)}");
    }

    private void LookAtCounts(string node)
    {
        var refused = _story.Of("last check").Count(one => one.Where == node && one.Status == 401
            && one.On.StartsWith("minted", StringComparison.Ordinal));
        if (_story.Of("count").FirstOrDefault(one => one.Where == node) is not { } count || count.Status != refused)
        {
            _broken.Add($"count: {node} holds {_story.Of("count").FirstOrDefault(one => one.Where == node)?.Status} rules "
                + $"for single tokens and refuses {refused} tokens.");
        }
    }

    private void LookAtAudit()
    {
        if (_story.Of("audit verified").SingleOrDefault() is not { Status: 200 })
        {
            _broken.Add("audit: the chains are not intact in the end.");
        }
        var audited = _story.Of("audited").Select(one => one.On).ToHashSet(StringComparer.Ordinal);
        foreach (var revoke in _story.Of("revoke").Where(one => Story.IsDone(one)
            && one.On.StartsWith("minted", StringComparison.Ordinal) && !audited.Contains(one.On)))
        {
            Break("audit", revoke, "was answered and has no event");
        }
        var lifted = _story.Of("lift audited").Select(one => one.On).ToHashSet(StringComparer.Ordinal);
        foreach (var lift in _story.Of("lift").Where(one => Story.IsDone(one) && !lifted.Contains(one.On)))
        {
            Break("audit", lift, "was answered and has no event");
        }
        foreach (var user in _story.Of("revoked by an administrator").GroupBy(one => one.On))
        {
            var events = _story.Of("user audited").Count(one => one.On == user.Key);
            if (events < user.Count())
            {
                Break("audit", user.First(), $"{user.Count()} revocations of the user were answered, {events} have an event");
            }
        }
    }

    private void Break(string promise, Event at, string how) =>
        _broken.Add($"{promise}: {at.On} at {at.Where}, {Time(at.Begun)} to {Time(at.Ended)}: {how}.");

    private void Except(string why) => _exceptions[why] = _exceptions.GetValueOrDefault(why) + 1;

    private static string Time(long microseconds) => $"{microseconds / 1e6:0.000} s";
}
