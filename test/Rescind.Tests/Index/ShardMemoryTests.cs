namespace Rescind.Tests;

/// <summary>The memory of shards: zeroed, nobody's twice, and back with the system when nobody needs it.</summary>
public sealed unsafe class ShardMemoryTests
{
    private const long Page = 2 * 1024 * 1024;

    private readonly record struct Block(nint Start, long Bytes, byte Mark);

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    public void Memory_is_zeroed_aligned_and_nobody_elses(int seed)
    {
        var (random, held) = (new Random(seed), new List<Block>());
        for (var step = 0; step < 250; step++)
        {
            if (held.Count > 24 || (held.Count > 0 && random.Next(3) == 0))
            {
                GiveBack(held, random.Next(held.Count));
                continue;
            }
            held.Add(Take(random, (byte)random.Next(1, 256)));
        }
        while (held.Count > 0)
        {
            GiveBack(held, held.Count - 1);
        }
    }

    [Fact]
    public void Memory_larger_than_a_region_has_one_of_its_own()
    {
        var bytes = (40 * Page) + 12_345;
        var memory = (byte*)ShardMemory.Take(bytes);
        var last = new Span<byte>(memory + bytes - Page, (int)Page);
        Assert.False(last.ContainsAnyExcept((byte)0));
        last.Fill(1);
        var other = (byte*)ShardMemory.Take(Page);
        Assert.True(other + Page <= memory || other >= memory + bytes, "Two have the same memory.");
        ShardMemory.Return(other, Page);
        ShardMemory.Return(memory, bytes);
    }

    [Fact]
    public void Whole_pages_that_nobody_uses_go_back_to_the_system()
    {
        if (!OperatingSystem.IsLinux())
        {
            return;
        }
        var (first, last) = ((nint)ShardMemory.Take(Page), (nint)ShardMemory.Take(Page));
        var middle = (nint)ShardMemory.Take(12 * Page);
        var end = (nint)ShardMemory.Take(Page);
        new Span<byte>((void*)middle, (int)(12 * Page)).Fill(7);
        var before = ResidentAt(middle);
        Assert.InRange(before, 12 * Page / 1024, long.MaxValue);
        ShardMemory.Return((void*)middle, 12 * Page);
        Assert.InRange(before - ResidentAt(middle), 10 * Page / 1024, long.MaxValue);
        ShardMemory.Return((void*)first, Page);
        ShardMemory.Return((void*)last, Page);
        ShardMemory.Return((void*)end, Page);
    }

    [Fact]
    public void Memory_that_was_not_taken_here_is_not_taken_back() =>
        Assert.Throws<InvalidOperationException>(() => ShardMemory.Return((void*)64, Page));

    private static Block Take(Random random, byte mark)
    {
        long bytes = random.Next(4) switch
        {
            0 => random.Next(64, 20_000),
            1 => random.NextInt64(Page / 2, 3 * Page),
            2 => Page,
            _ => random.Next(100_000, 200_000),
        };
        var memory = (byte*)ShardMemory.Take(bytes);
        Assert.Equal(0, (nint)memory % 64);
        var span = new Span<byte>(memory, (int)bytes);
        Assert.False(span.ContainsAnyExcept((byte)0));
        span.Fill(mark);
        return new Block((nint)memory, bytes, mark);
    }

    private static void GiveBack(List<Block> held, int at)
    {
        var (start, bytes, mark) = held[at];
        Assert.False(new Span<byte>((void*)start, (int)bytes).ContainsAnyExcept(mark));
        ShardMemory.Return((void*)start, bytes);
        held.RemoveAt(at);
    }

    /// <summary>KiB in memory of the mapping that holds an address, as the kernel says it; none when its region went
    /// back as a whole.</summary>
    private static long ResidentAt(nint address)
    {
        var isThere = false;
        foreach (var line in File.ReadLines("/proc/self/smaps"))
        {
            var words = line.Split([' ', '-'], StringSplitOptions.RemoveEmptyEntries);
            if (!line.Split(' ')[0].EndsWith(':'))
            {
                isThere = Convert.ToInt64(words[0], 16) <= address && address < Convert.ToInt64(words[1], 16);
            }
            else if (isThere && words[0] == "Rss:")
            {
                return long.Parse(words[1]);
            }
        }
        return 0;
    }
}
