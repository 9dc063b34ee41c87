namespace Rescind.Tests;

public sealed class CutoffTableTests(ITestOutputHelper output)
{
    private const int Users = 5_000;

    [Fact]
    public async Task Whoever_is_revoked_is_found_while_others_come_and_go()
    {
        var table = new CutoffTable();
        var (added, reads) = (0, 0);
        var reader = Task.Run(() =>
        {
            while (true)
            {
                var known = Volatile.Read(ref added);
                for (var user = reads % 7; user < known; user += 1 + (known / 50))
                {
                    Assert.Equal(100 + user, CutoffOf(table, user));
                }
                if (known == Users)
                {
                    return;
                }
                Volatile.Write(ref reads, reads + 1);
            }
        });
        for (var user = 0; user < Users; user++)
        {
            table.Add_NeedsLock(Rule($"user-{user}", 100 + user));
            Volatile.Write(ref added, user + 1);
            var passing = Rule($"passing-{user}", 1);
            table.Add_NeedsLock(passing);
            table.Remove_NeedsLock(passing.Id);
            Assert.True(user != Users / 2 || SpinWait.SpinUntil(
                () => Volatile.Read(ref reads) > 10, TimeSpan.FromSeconds(60)), "Nobody reads meanwhile.");
        }
        await reader;
        output.WriteLine($"read {reads} times meanwhile");
        Assert.All(Enumerable.Range(0, Users), user => Assert.Equal(100 + user, CutoffOf(table, user)));
        Assert.Equal(long.MinValue, table.CutoffOf(RuleKind.Subject, TestWorld.Issuer, "passing-1"));
        Assert.Equal(long.MinValue, table.CutoffOf(RuleKind.Client, TestWorld.Issuer, "user-1"));
        Assert.Equal(long.MinValue, table.CutoffOf(RuleKind.Subject, "another issuer", "user-1"));
    }

    [Theory]
    [InlineData(64)]
    [InlineData(100_000)]
    public void A_full_filter_lets_few_others_through(int values)
    {
        var filter = new CutoffFilter(values);
        for (var user = 0; !filter.IsFull; user++)
        {
            filter.Add(RuleKind.Subject, $"user-{user}");
        }
        Assert.All(
            Enumerable.Range(0, values), user => Assert.True(filter.MayHold(RuleKind.Subject, $"user-{user}")));
        var passed = Enumerable.Range(0, 10_000).Count(other => filter.MayHold(RuleKind.Subject, $"other-{other}"));
        var ofAnotherKind = Enumerable.Range(0, 10_000).Count(user => filter.MayHold(RuleKind.Client, $"user-{user}"));
        output.WriteLine($"{passed} of 10,000 others, {ofAnotherKind} of another kind, {filter.Bytes} bytes");
        Assert.InRange(passed, 0, 500);
        Assert.InRange(ofAnotherKind, 0, 500);
    }

    private static long CutoffOf(CutoffTable table, int user) =>
        table.CutoffOf(RuleKind.Subject, TestWorld.Issuer, $"user-{user}");

    private static LogEntry Rule(string user, long cutoff) => new()
    {
        Id = new RevocationId(RuleKind.Subject, TokenKey.Of(RuleKind.Subject, TestWorld.Issuer, user), 0),
        Issuer = TestWorld.Issuer, Value = user, Cutoff = cutoff, Expiry = LogEntry.Never,
    };
}
