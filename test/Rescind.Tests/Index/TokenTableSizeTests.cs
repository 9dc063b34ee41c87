using System.Diagnostics;

namespace Rescind.Tests;

/// <summary>What a million revocations cost in memory, and a check beside them in allocations.</summary>
public sealed class TokenTableSizeTests(ITestOutputHelper output)
{
    [Fact]
    public async Task A_million_revocations_cost_at_most_32_bytes_each_and_a_check_allocates_nothing()
    {
        var world = await TestWorld.LoadedAsync();
        const int Million = 1_000_000;
        var expiry = world.Now.AddDays(1);
        var started = Stopwatch.GetTimestamp();
        var batch = new LogEntry[1000];
        for (var i = 0; i < Million; i += batch.Length)
        {
            for (var j = 0; j < batch.Length; j++)
            {
                var key = TokenKey.Of(RuleKind.Token, TestWorld.Issuer, "jti-" + (i + j));
                batch[j] = new LogEntry { Id = new RevocationId(RuleKind.Token, key, 1), ExpiresAt = expiry };
            }
            world.Blacklist.Index.Apply(batch);
        }
        output.WriteLine($"loaded in {Stopwatch.GetElapsedTime(started).TotalMilliseconds:n0} ms");
        await world.Blacklist.RevokeAsync(Revocation.OfSubject(TestWorld.Issuer, "somebody"));
        await world.Blacklist.RevokeAsync(Revocation.OfSession(TestWorld.Issuer, "somewhere"));

        var each = world.Blacklist.GetStatus().IndexBytes / (double)Million;
        output.WriteLine($"{each:n1} bytes an entry");
        Assert.InRange(each, 20, 32);
        Assert.Equal(Million, world.Blacklist.GetStatus().Rules[RuleKind.Token]);

        var (hit, miss) = (world.Token("jti-77777"), world.Token("jti-unknown"));
        var (hits, misses) = (0, 0);
        Assert.Equal(0, Allocation.LeastOf(() =>
        {
            (hits, misses) = (0, 0);
            for (var i = 0; i < 100_000; i++)
            {
                hits += world.Blacklist.Check(hit) == Verdict.Revoked ? 1 : 0;
                misses += Completed(world.Blacklist.CheckAsync(miss)) == Verdict.Accepted ? 1 : 0;
            }
        }));
        Assert.Equal((100_000, 100_000), (hits, misses));
    }

    /// <summary>A table that grows replaces each shard again and again. A hundred million revocations left 20 GB behind
    /// before the collector took notice, and the process was killed.</summary>
    [Fact]
    public void What_a_growing_table_leaves_behind_goes_back()
    {
        var (table, most) = (new TokenTable(), 0L);
        for (var i = 0; i < 5_000_000; i++)
        {
            table.Add_NeedsLock(TokenKey.Of(RuleKind.Token, TestWorld.Issuer, $"{i}"), 1, uint.MaxValue);
            most = i % 50_000 == 0 ? Math.Max(most, ShardMemory.Reserved) : most;
        }
        output.WriteLine($"{table.Bytes:n0} bytes in use, at most {most:n0} reserved");
        Assert.InRange(most, table.Bytes / 2, table.Bytes * 4);
        GC.KeepAlive(table);
    }

#pragma warning disable CA2012, xUnit1031 // the test is that the check completed at once
    private static Verdict Completed(ValueTask<Verdict> check) =>
        check.IsCompletedSuccessfully ? check.GetAwaiter().GetResult() : Verdict.Unknown;
#pragma warning restore CA2012, xUnit1031
}
