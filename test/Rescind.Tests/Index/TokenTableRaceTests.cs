namespace Rescind.Tests;

/// <summary>The table under readers that never lock.</summary>
public sealed class TokenTableRaceTests(ITestOutputHelper output)
{
    private const uint Later = 4_000_000_000;

    [Fact]
    public async Task Readers_never_miss_what_is_there_while_the_table_grows_shrinks_and_reuses_slots()
    {
        var (table, published, stop) = (new TokenTable(), 0, false);
        using var began = new CountdownEvent(2);
        const int Lasting = 60_000;
        var readers = Enumerable.Range(0, 2).Select(number => Task.Factory.StartNew(
            () =>
            {
                var (random, checks) = (new Random(number), 0L);
                began.Signal();
                while (!Volatile.Read(ref stop))
                {
                    var known = Volatile.Read(ref published);
                    if (known > 0)
                    {
                        Assert.True(table.Contains(Key(random.Next(known) * 2)));
                        checks++;
                    }
                }
                return checks;
            },
            CancellationToken.None, TaskCreationOptions.LongRunning, TaskScheduler.Default)).ToList();
        Assert.True(began.Wait(TimeSpan.FromSeconds(60), TestContext.Current.CancellationToken));
        for (var i = 0; i < Lasting; i++)
        {
            table.Add_NeedsLock(Key(i * 2), 1, Later);
            Volatile.Write(ref published, i + 1);
            table.Add_NeedsLock(Key((i * 2) + 1), 1, Later); // comes and goes, so that slots are reused
            if (i >= 50)
            {
                Assert.True(table.Remove_NeedsLock(Key(((i - 50) * 2) + 1), 1));
            }
        }
        Volatile.Write(ref stop, true);
        var checks = (await Task.WhenAll(readers)).Sum();
        output.WriteLine($"{checks} reads beside {Lasting} inserts");
        Assert.True(checks > 1000);
        Assert.False(table.Contains(Key(1)));
    }

    private static UInt128 Key(int number) => TokenKey.Of(RuleKind.Token, TestWorld.Issuer, "t" + number);
}
