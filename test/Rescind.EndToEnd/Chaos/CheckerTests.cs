namespace Rescind.EndToEnd.Chaos;

/// <summary>The checker is checked: a good history passes, and each of these that breaks a promise is found.</summary>
public sealed class CheckerTests
{
    private const string Token = "minted1";
    private const string Session = "user1/s1";

    [Fact]
    public void A_history_that_keeps_every_promise_passes()
    {
        var (broken, exceptions) = Checker.Check([.. Good()]);
        Assert.Empty(broken);
        Assert.Empty(exceptions);
    }

    [Fact]
    public void Accepted_after_everywhere_is_found() =>
        Finds("immediate: minted1 at node-1", [.. Good(), Check(12, "node-1", Token, 200)]);

    [Fact]
    public void A_check_that_was_under_way_may_still_accept() =>
        Assert.Empty(Checker.Check([.. Good(), Check(10.5, "node-1", Token, 200, until: 12)]).Broken);

    [Fact]
    public void Accepted_a_bound_after_stored_is_found()
    {
        List<Event> stored = [.. Good().Select(one => one.What == "revoke" ? one with { Word = "stored" } : one)];
        Assert.Empty(Checker.Check([.. stored, Check(11.5, "node-1", Token, 200)]).Broken);
        Finds("immediate: minted1", [.. stored, Check(12.5, "node-1", Token, 200)]);
    }

    [Fact]
    public void Accepted_after_journaled_is_found_on_that_node_only()
    {
        List<Event> journaled = [.. Good().Select(one =>
            one.What == "revoke" ? one with { Word = "journaled", Status = 202 } : one)];
        Assert.Empty(Checker.Check([.. journaled, Check(12.5, "node-1", Token, 200)]).Broken);
        Finds("immediate: minted1 at node-0", [.. journaled, Check(12.5, "node-0", Token, 200)]);
    }

    [Fact]
    public void Where_unknown_tokens_pass_only_the_node_that_revoked_is_judged()
    {
        List<Event> lenient = [.. Good().Select(one => one.What == "started" ? one with { Word = "accept" } : one)];
        Assert.Empty(Checker.Check([.. lenient, Check(12, "node-1", Token, 200)]).Broken);
        Finds("immediate: minted1 at node-0", [.. lenient, Check(12, "node-0", Token, 200)]);
    }

    [Fact]
    public void A_token_of_an_ended_session_or_user_is_found()
    {
        List<Event> session = [.. Good(), Issue(2, Session + "/1"), Revoke(4, "node-0", Session)];
        Finds("immediate: user1/s1/1 at node-2", [.. session, Check(6, "node-2", Session + "/1", 200)]);
        List<Event> user = [.. Good(), Issue(2, Session + "/1"), Revoke(4, "node-0", "user1"), Issue(6, "user1/s2/1")];
        Finds("immediate: user1/s1/1 at node-2", [.. user, Check(8, "node-2", Session + "/1", 200)]);
        Assert.Empty(Checker.Check([.. user, Check(8, "node-2", "user1/s2/1", 200)]).Broken);
        Finds("false refusal: user1/s2/1", [.. user, Check(8, "node-2", "user1/s2/1", 401, "token_revoked")]);
    }

    [Fact]
    public void A_revocation_that_its_holders_took_along_is_an_exception_and_is_counted()
    {
        List<Event> lost = [.. Good(), .. Fault("rolled back redis", 12, 14), Check(16, "node-1", Token, 200)];
        Finds("immediate: minted1", lost);
        Finds("immediate: minted1", [.. lost, .. Fault("killed node-0", 11.5, 18)]); // the others have it too
        var (broken, exceptions) = Checker.Check(
            [.. lost, .. Fault("killed node-0", 11.5, 18), .. Fault("killed node-1", 11.5, 15), .. Fault("cut node-2 to redis", 11.5, 18)]);
        Assert.Empty(broken);
        Assert.Equal(1, Assert.Single(exceptions).Value);
        (broken, exceptions) = Checker.Check( // node-1 and node-2 may not have had it
            [.. lost, .. Fault("killed node-0", 11.5, 18), .. Fault("frozen node-1", 3, 8), .. Fault("clock behind of node-2", 3, 8)]);
        Assert.Empty(broken);
        Assert.Equal(1, Assert.Single(exceptions).Value);
    }

    [Fact]
    public void A_node_that_accepts_what_it_has_called_revoked_is_found()
    {
        List<Event> lenient = [.. Good().Select(one => one.What == "started" ? one with { Word = "accept" } : one),
            Check(14, "node-2", Token, 200)];
        Finds("refuses what it knew: minted1 at node-2", lenient);
        Assert.Empty(Checker.Check([.. lenient, .. Fault("killed node-2", 13, 13.5)]).Broken);
    }

    [Fact]
    public void An_ended_session_that_can_be_refreshed_is_found()
    {
        List<Event> ended = [.. Good(), Issue(2, Session + "/1"), Revoke(4, "node-0", Session)];
        Finds("immediate: user1/s1/1 at node-1", [.. ended, At(6, "node-1", "dead refresh", Session + "/1", 200)]);
        Assert.Empty(Checker.Check([.. ended, At(6, "node-1", "dead refresh", Session + "/1", 401, "token_revoked")]).Broken);
    }

    /// <summary>A token that a refresh made keeps the time of the log-in.</summary>
    [Fact]
    public void A_refresh_that_outruns_a_revocation_of_its_user_is_found()
    {
        List<Event> ended = [.. Good(), Issue(2, Session + "/1"), Revoke(4, "node-0", "user1")];
        Finds("immediate: user1/s1/2 at node-1", [.. ended, At(5, "node-1", "refresh", Session + "/2", 200)]);
        List<Event> underWay = [.. ended, At(4.25, "node-1", "refresh", Session + "/2", 200)];
        Finds("immediate: user1/s1/2 at node-2", [.. underWay, Check(6, "node-2", Session + "/2", 200)]);
        Assert.Empty(Checker.Check([.. underWay, Check(6, "node-2", Session + "/2", 401, "token_revoked")]).Broken);
    }

    [Fact]
    public void A_refresh_that_is_tried_again_and_taken_for_a_replay_is_found()
    {
        List<Event> again = [.. Good(), Issue(2, Session + "/1"), At(4, "node-1", "refresh", Session + "/2"),
            At(5, "node-1", "refresh", Session + "/2", 401, "token_revoked")];
        Finds("false refusal: user1/s1/2", again);
        Finds("false refusal: user1/s1/1", [.. again, Check(7, "node-2", Session + "/1", 401, "token_revoked")]);
        Finds("false refusal: user1/s1/2",
            [.. again, .. Fault("clock ahead of node-1", 3, 6), .. Fault("stalled node-1 to redis", 2, 7)]); // the database's counts
    }

    [Fact]
    public void Refused_without_a_revocation_is_found()
    {
        Finds("false refusal: minted2", [.. Good(), Check(8, "node-1", "minted2", 401, "token_revoked")]);
        Finds("false refusal: minted1", [.. Good(), Check(8, "node-1", Token, 401, "token_revoked", until: 9)]);
        Finds("false refusal: minted2", [.. Good(), Check(8, "node-1", "minted2", 401, "token_invalid")]);
        Assert.Single(Checker.Check(
            [.. Good(), .. Fault("clock behind of node-1", 5, 9), Check(8, "node-1", "minted2", 401, "token_invalid")])
            .Exceptions);
    }

    /// <summary>A node whose clock is wrong issues nothing and ends nothing: it compares it with Redis or PostgreSQL.</summary>
    [Theory]
    [InlineData("node-0", 1)]
    [InlineData("node-1", 5)]
    public void A_refresh_that_is_called_invalid_is_found_whatever_clocks_say(string wrong, double from) =>
        Finds("false refusal: user1/s1/2", [.. Good(), Issue(2, Session + "/1"), .. Fault($"clock behind of {wrong}", from, from + 2),
            .. Fault("killed redis master", from - 1, from + 1), At(6, "node-1", "refresh", Session + "/2", 401, "token_invalid")]);

    [Fact]
    public void A_session_that_ends_by_itself_is_found() =>
        Finds("false refusal: user1/s1/2",
            [.. Good(), Issue(2, Session + "/1"), At(4, "node-1", "refresh", Session + "/2", 401, "token_revoked")]);

    /// <summary>A node that does not know a cutoff stamps a token that the cutoff hits; its session cannot be refreshed
    /// either.</summary>
    [Fact]
    public void A_log_in_that_a_cutoff_from_elsewhere_hits_is_an_exception_and_is_counted()
    {
        Finds("false refusal: user1/s1/1", [.. Good(), Revoke(2, "node-1", "user1"), Issue(4, Session + "/1"),
            Check(6, "node-1", Session + "/1", 401, "token_revoked")]); // its node had confirmed it
        List<Event> late = [.. Good(), .. Fault("cut node-0 to redis", 1, 5), Revoke(2, "node-1", "user1"), Issue(4, Session + "/1")];
        foreach (var refusal in new[]
        {
            Check(6, "node-1", Session + "/1", 401, "token_revoked"),
            At(6, "node-1", "refresh", Session + "/2", 401, "token_revoked"),
        })
        {
            var (broken, exceptions) = Checker.Check([.. late, refusal]);
            Assert.Empty(broken);
            Assert.Equal(1, Assert.Single(exceptions).Value);
        }
        var (ofRefreshed, counted) = Checker.Check([.. late, At(8, "node-0", "refresh", Session + "/2", 200),
            Check(9, "node-1", Session + "/2", 401, "token_revoked")]);
        Assert.Empty(ofRefreshed);
        Assert.Equal(1, Assert.Single(counted).Value);
        Finds("false refusal: user1/s1/2", [.. late, At(6, "node-1", "refresh", Session + "/2", 401, "token_invalid")]);
    }

    /// <summary>A pair that a refresh stamped before its log-in: a cutoff that the log-in had stepped over hits it alone.</summary>
    [Fact]
    public void A_session_of_which_one_token_is_refused_and_another_is_not_is_found()
    {
        List<Event> parted = [.. Good(), .. Fault("cut node-0 to redis", 1, 5), Revoke(2, "node-1", "user1"), Issue(4, Session + "/1"),
            At(8, "node-0", "refresh", Session + "/2", 200), Check(9, "node-1", Session + "/2", 401, "token_revoked")];
        Assert.Empty(Checker.Check([.. parted, Check(10, "node-1", Session + "/1", 401, "token_revoked")]).Broken);
        Finds("refuses what it knew: user1/s1/1 at node-1", [.. parted, Check(10, "node-1", Session + "/1", 200)]);
        Assert.Empty(Checker.Check([.. parted, Check(10, "node-2", Session + "/1", 200)]).Broken);
    }

    /// <summary>A user who is revoked on a node whose clock is minutes off, and that cannot know it: log-ins of before live
    /// on, or those of after do not.</summary>
    [Theory]
    [InlineData("check", 200, 2)]
    [InlineData("check", 401, 10)]
    [InlineData("refresh", 401, 10)]
    public void A_cutoff_by_a_clock_that_was_not_known_is_an_exception_and_is_counted(string what, int status, double loggedIn)
    {
        foreach (var (beside, found) in new[]
        {
            ("killed redis master", 0), ("stalled node-0 to redis", 0), ("frozen sentinel 2", 0), ("cut node-1 to redis", 1), ("killed nginx", 1),
        })
        {
            var (broken, exceptions) = Checker.Check([.. Good(), .. Fault("clock ahead of node-0", 3, 6), .. Fault(beside, 2, 4),
                Issue(loggedIn, Session + "/1") with { Where = "node-1" }, Revoke(5, "node-0", "user1"),
                At(25, "node-2", what, Session + (what == "check" ? "/1" : "/2"), status, status == 401 ? "token_revoked" : "")]);
            Assert.Equal((found, 1 - found), (broken.Count, exceptions.Count));
        }
    }

    [Fact]
    public void Accepted_in_the_end_is_lost() => Finds("nothing lost: minted1",
        [.. Good().Select(one => one is { What: "last check", On: Token } ? one with { Status = 200 } : one)]);

    [Fact]
    public void Refused_in_the_end_without_a_revocation_is_found() => Finds("false refusal: minted2",
        [.. Good().Select(one => one is { What: "last check", On: "minted2" } ? one with { Status = 401, Word = "token_revoked" } : one)]);

    [Fact]
    public void Nodes_that_disagree_in_the_end_are_found() => Finds("nothing lost: minted1",
        [.. Good().Select(one => one is { What: "last check", On: Token, Where: "node-2" } ? one with { Status = 200 } : one)]);

    [Fact]
    public void A_lift_that_does_not_stay_is_found()
    {
        List<Event> lifted = [.. Good(), Issue(1, "minted3"), Revoke(3, "node-0", "minted3"),
            At(0, "", "audited", "minted3"), At(0, "", "lift audited", "minted3"), At(5, "node-1", "lift", "minted3", 200, "everywhere"),
            .. Last("minted3", 200)];
        Assert.Empty(Checker.Check(lifted).Broken);
        Finds("lifted: minted3 at node-1", [.. lifted, Check(8, "node-1", "minted3", 401, "token_revoked")]);
        Finds("lifted: minted3", [.. lifted.Select(one =>
            one is { What: "last check", On: "minted3" } ? one with { Status = 401 } : one)]);
    }

    [Fact]
    public void A_server_error_a_wrong_password_and_a_process_that_ends_are_found()
    {
        Finds("fault: minted2", [.. Good(), Check(8, "node-1", "minted2", 500)]);
        Finds("fault: x", [.. Good(), At(8, "node-1", "read", "x", 502)]);
        Finds("log-in: user1", [.. Good(), At(8, "node-1", "login", "user1/s1/1", 401, "invalid_credentials")]);
        Finds("fault:", [.. Good(), At(8, "node-1", "ended by itself", "")]);
    }

    [Fact]
    public void A_node_that_stays_stale_and_a_log_in_that_fails_are_found()
    {
        Finds("progress", [.. Good().Where(one => one is not { What: "fresh", Where: "node-2" })]);
        Finds("progress", [.. Good().Select(one =>
            one is { What: "fresh", Where: "node-2" } ? one with { Begun = 70_000_000 } : one)]);
        Finds("log-in", [.. Good().Select(one => one.What == "last log-in" ? one with { Status = 503 } : one)]);
    }

    [Fact]
    public void A_wrong_count_a_missing_event_and_a_broken_chain_are_found()
    {
        Finds("count: node-1", [.. Good().Select(one =>
            one is { What: "count", Where: "node-1" } ? one with { Status = 2 } : one)]);
        Assert.All(
            Checker.Check([.. Good().Select(one => one.What == "count" ? one with { Status = 2_700 } : one)]).Broken,
            one => Assert.StartsWith("count: ", one)); // it is a number of rules, not a status
        Finds("audit: minted1", [.. Good().Where(one => one.What != "audited")]);
        Finds("audit: minted1", [.. Good(), At(20, "node-0", "lift", Token, 200)]);
        List<Event> user = [.. Good(), At(20, "", "revoked by an administrator", "user1"), At(21, "", "revoked by an administrator", "user1"),
            At(36, "", "user audited", "user1")];
        Finds("audit: user1", user);
        Assert.Empty(Checker.Check([.. user, At(36, "", "user audited", "user1")]).Broken);
        Finds("audit: the chains", [.. Good().Select(one => one.What == "audit verified" ? one with { Status = 0 } : one)]);
    }

    /// <summary>Three nodes, a token that is revoked and one that is not.</summary>
    private static IEnumerable<Event> Good() =>
    [
        .. Nodes().Select(node => At(0, node, "started", "", word: "refuse")), Issue(1, Token), Issue(1, "minted2"),
        Check(3, "node-1", Token, 200), Revoke(10, "node-0", Token), Check(12, "node-2", Token, 401, "token_revoked"),
        At(30, "", "healed", ""), .. Nodes().Select(node => At(32, node, "fresh", "")),
        At(33, "front", "last log-in", "user1", 200), .. Last(Token, 401), .. Last("minted2", 200),
        .. Nodes().Select(node => At(35, node, "count", "", 1)), At(36, "", "audited", Token),
        At(37, "", "audit verified", "", 200),
    ];

    private static IEnumerable<string> Nodes() => ["node-0", "node-1", "node-2"];

    private static IEnumerable<Event> Last(string token, int status) =>
        Nodes().Select(node => At(34, node, "last check", token, status, status == 401 ? "token_revoked" : ""));

    private static IEnumerable<Event> Fault(string name, double from, double until) =>
        [At(from, "", "fault begins", name), At(until, "", "fault ends", name)];

    private static Event Issue(double at, string token) => At(at, "node-0", "login", token, 200);

    private static Event Revoke(double at, string node, string what) => At(at, node, "revoke", what, 200, "everywhere");

    private static Event Check(
        double at, string node, string token, int status, string word = "", double? until = null) =>
        At(at, node, "check", token, status, word) with { Ended = (long)((until ?? (at + 0.5)) * 1e6) };

    private static Event At(double at, string where, string what, string on, int status = 0, string word = "") =>
        new((long)(at * 1e6), (long)((at + 0.5) * 1e6), where, what, on, status, word);

    private static void Finds(string begin, IReadOnlyList<Event> history) =>
        Assert.Contains(Checker.Check(history).Broken, one => one.StartsWith(begin, StringComparison.Ordinal));
}
