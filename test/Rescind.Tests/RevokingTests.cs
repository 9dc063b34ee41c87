namespace Rescind.Tests;

/// <summary>What may be asked, and that a refusal writes nothing.</summary>
public sealed class RevokingTests
{
    private const string Issuer = TestWorld.Issuer;

    [Fact]
    public async Task A_call_takes_one_to_the_largest_batch_and_no_other_number()
    {
        var world = await TestWorld.LoadedAsync(options => options.LargestBatch = 2);
        var three = new[] { "a", "b", "c" }.Select(id => Revocation.OfToken(Issuer, id)).ToList();
        foreach (var wrong in new List<Revocation>[] { [], three })
        {
            var refused = await Assert.ThrowsAsync<ArgumentException>(
                async () => await world.Blacklist.RevokeAsync(wrong));
            Assert.StartsWith("A call takes 1 to 2 revocations.", refused.Message, StringComparison.Ordinal);
        }
        Assert.Equal(0, world.Blacklist.GetStatus().Rules[RuleKind.Token]);
        await world.Blacklist.RevokeAsync(three[..2]);
        Assert.Equal(2, world.Blacklist.GetStatus().Rules[RuleKind.Token]);
    }

    [Fact]
    public async Task A_lift_takes_one_to_the_largest_batch_and_says_who_and_why()
    {
        var world = await TestWorld.LoadedAsync(options => options.LargestBatch = 2);
        var id = (await world.Blacklist.RevokeAsync(Revocation.OfToken(Issuer, "token-1"))).Id;
        (RevocationId[] Ids, string Reason, string Actor, string Fault)[] wrong =
        [
            ([], "restored", "admin", "A call takes 1 to 2 ids."),
            ([id, id, id], "restored", "admin", "A call takes 1 to 2 ids."),
            ([id], "Not a word", "admin", "reason must be a word"),
            ([id], null!, "admin", "reason must be a word"),
            ([id], "restored", new string('a', 257), "actor must be at most 256"),
        ];
        foreach (var (ids, reason, actor, fault) in wrong)
        {
            var refused = await Assert.ThrowsAsync<ArgumentException>(
                async () => await world.Blacklist.LiftAsync(ids, reason, actor));
            Assert.StartsWith(fault, refused.Message, StringComparison.Ordinal);
        }
        Assert.Equal(Verdict.Revoked, world.Blacklist.Check(world.Token()));
        Assert.NotNull(await world.Blacklist.LiftAsync([id, id], "restored_1", "admin"));
        Assert.Equal(Verdict.Accepted, world.Blacklist.Check(world.Token()));
    }

    [Fact]
    public async Task A_revocation_that_brings_an_id_is_refused()
    {
        var world = await TestWorld.LoadedAsync();
        var id = (await world.Blacklist.RevokeAsync(Revocation.OfToken(Issuer, "token-1"))).Id;
        Assert.Equal(
            "id is drawn at each call; leave it out.",
            world.Blacklist.Validate(Revocation.OfToken(Issuer, "token-1") with { Id = id }));
    }

    /// <summary>With an id twice, the second revocation would be taken for the first, or for lifted like it.</summary>
    [Theory]
    [InlineData(RuleKind.Token, "token-1", true)]
    [InlineData(RuleKind.Token, "token-1", false)]
    [InlineData(RuleKind.Subject, "user-1", true)]
    [InlineData(RuleKind.Subject, "user-1", false)]
    public async Task An_id_is_drawn_again_until_it_is_new(RuleKind kind, string value, bool isLifted)
    {
        var drawn = new Queue<uint>([5, 5, 5, 6]);
        var blacklist = new Blacklist(log: new MemoryLog(TimeProvider.System)) { DrawTag = drawn.Dequeue };
        await blacklist.LoadAsync(TestContext.Current.CancellationToken);
        var first = (await blacklist.RevokeAsync(Revocation.Of(kind, Issuer, value))).Id;
        if (isLifted)
        {
            await blacklist.LiftAsync([first], "restored", "admin");
        }
        var second = (await blacklist.RevokeAsync(Revocation.Of(kind, Issuer, value))).Id;
        Assert.Equal((5u, 6u, 0), (first.Tag, second.Tag, drawn.Count));
        Assert.Equal(isLifted ? [second] : [first, second], blacklist.Find(kind, Issuer, value).OrderBy(id => id.Tag));
    }

    [Fact]
    public void A_letter_beyond_the_basic_plane_is_text_like_any_other() =>
        Assert.Null(new TestWorld().Blacklist.Validate(Revocation.OfSubject(Issuer, "a\ud83d\ude00b")));

    [Fact]
    public void A_kind_that_does_not_exist_is_refused() =>
        Assert.Throws<ArgumentOutOfRangeException>(() => Revocation.Of((RuleKind)7, Issuer, "value"));

    [Fact]
    public void An_option_at_the_end_of_its_range_is_taken_and_one_beyond_is_not()
    {
        foreach (var good in new[] { 1, 100_000 })
        {
            Assert.Equal(good, new Blacklist(new BlacklistOptions { LargestBatch = good }).Options.LargestBatch);
        }
        Assert.Throws<ArgumentException>(() => new Blacklist(new BlacklistOptions { LargestBatch = 100_001 }));
        Assert.NotNull(new Blacklist(new BlacklistOptions { WaitFor = ReceiptState.Stored }));
        Assert.NotNull(new Blacklist(new BlacklistOptions { ClockSkew = TimeSpan.FromHours(1) }));
        Assert.Throws<ArgumentException>(
            () => new Blacklist(new BlacklistOptions { ClockSkew = TimeSpan.FromHours(1) + TimeSpan.FromTicks(1) }));
    }
}
