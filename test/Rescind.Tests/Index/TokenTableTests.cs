namespace Rescind.Tests;

/// <summary>The table beside a plain dictionary, and the memory that it gives back.</summary>
public sealed class TokenTableTests(ITestOutputHelper output)
{
    private const uint Later = 4_000_000_000;

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    public void The_table_agrees_with_a_dictionary_through_any_history(int seed)
    {
        var random = new Random(seed);
        var (table, model) = (new TokenTable(), new Dictionary<(UInt128, uint), uint>());
        for (var step = 0; step < 30_000; step++)
        {
            var key = Key(random.Next(4000));
            var tag = (uint)random.Next(3);
            var expiry = (uint)random.Next(1, 1000);
            if (random.Next(3) != 0)
            {
                Assert.Equal(!model.ContainsKey((key, tag)), table.Add_NeedsLock(key, tag, expiry));
                model[(key, tag)] = Math.Max(expiry, model.GetValueOrDefault((key, tag)));
            }
            else
            {
                Assert.Equal(model.Remove((key, tag)), table.Remove_NeedsLock(key, tag));
            }
        }
        for (var number = 0; number < 4200; number++)
        {
            var key = Key(number);
            var tags = new uint[] { 0, 1, 2 }.Where(tag => model.ContainsKey((key, tag))).ToList();
            Assert.Equal(tags.Count != 0, table.Contains(key));
            Assert.Equal(tags, table.TagsOf_NeedsLock(key).Order());
            Assert.All(tags, tag => Assert.Equal(model[(key, tag)], table.ExpiryOf_NeedsLock(key, tag)));
        }
        var all = Enumerable.Range(0, TokenTable.ShardCount).SelectMany(shard => table.Entries_NeedsLock(shard).ToList());
        Assert.Equal(model.Count, all.Distinct().Count());
    }

    [Fact]
    public void Memory_goes_back_when_entries_go()
    {
        var table = new TokenTable();
        var empty = table.Bytes;
        for (var i = 0; i < 50_000; i++)
        {
            table.Add_NeedsLock(Key(i), 1, Later);
        }
        var full = table.Bytes;
        for (var i = 0; i < 50_000; i++)
        {
            table.Remove_NeedsLock(Key(i), 1);
        }
        for (var shard = 0; shard < TokenTable.ShardCount; shard++)
        {
            table.Forget_NeedsLock(shard, 1);
        }
        output.WriteLine($"{empty} bytes empty, {full} full, {table.Bytes} emptied");
        Assert.True(table.Bytes < full / 20);
    }

    private static UInt128 Key(int number) => TokenKey.Of(RuleKind.Token, TestWorld.Issuer, "t" + number);
}
