using System.Runtime.InteropServices;

namespace Rescind;

/// <summary>
/// Native memory for shards, in regions that the kernel may back with pages of 2 MiB. A look-up goes to a
/// random place; with pages of 4 KiB the processor first has to look up where that place is, and at a million
/// entries this costs a third of a miss and of a hit (docs/decisions/0023). A shard alone is smaller than
/// such a page, so shards share them. Guarantees: a whole page that no shard uses is given back to the system
/// at once. Trades away: nothing where there are no such pages, it is then an allocator like any other.
/// Called by writers and finalizers only; readers never come here.
/// </summary>
internal static unsafe partial class ShardMemory
{
    /// <summary>Smaller shards are of an index that fits the processor's tables in any case.</summary>
    internal const long Smallest = 16 * 1024;

    private const long Page = 2 * 1024 * 1024;
    private const long RegionSize = 16 * Page;
    private const long Line = 64;
    private const int AdviseHuge = 14;
    private const int AdviseDontNeed = 4;

    private static readonly Lock Gate = new();
    private static readonly List<Region> Regions = [];

    private readonly record struct Span(long Start, long Length)
    {
        public long End => Start + Length;
    }

    /// <summary>A region and what is free in it, in order, no two spans touching.</summary>
    private sealed record Region(nint Base, long Length)
    {
        public List<Span> Free { get; } = [new Span(0, Length)];

        public bool Holds(nint address) => address >= Base && address < Base + Length;
    }

    /// <summary>The bytes of all regions.</summary>
    public static long Reserved
    {
        get
        {
            lock (Gate)
            {
                return Regions.Sum(region => region.Length);
            }
        }
    }

    /// <returns>Zeroed memory, aligned to a cache line.</returns>
    public static void* Take(long bytes)
    {
        var memory = bytes < Smallest
            ? NativeMemory.AlignedAlloc((nuint)bytes, (nuint)Line)
            : (void*)TakeShared(RoundUp(bytes, Line));
        NativeMemory.Clear(memory, (nuint)bytes);
        return memory;
    }

    /// <summary>Gives back what <see cref="Take"/> gave, with the same size; nothing when it gave
    /// nothing.</summary>
    public static void Return(void* memory, long bytes)
    {
        if (memory is null || bytes < Smallest)
        {
            NativeMemory.AlignedFree(memory);
            return;
        }
        lock (Gate)
        {
            Return_NeedsLock((nint)memory, RoundUp(bytes, Line));
        }
    }

    private static nint TakeShared(long bytes)
    {
        lock (Gate)
        {
            foreach (var region in Regions)
            {
                if (TakeIn_NeedsLock(region, bytes) is { } found)
                {
                    return found;
                }
            }
            var made = MakeRegion(Math.Max(RegionSize, RoundUp(bytes, Page)));
            Regions.Add(made);
            return TakeIn_NeedsLock(made, bytes)!.Value;
        }
    }

    /// <summary>The first place that fits: what is used stays together.</summary>
    private static nint? TakeIn_NeedsLock(Region region, long bytes)
    {
        var at = region.Free.FindIndex(span => span.Length >= bytes);
        if (at < 0)
        {
            return null;
        }
        var span = region.Free[at];
        if (span.Length == bytes)
        {
            region.Free.RemoveAt(at);
        }
        else
        {
            region.Free[at] = new Span(span.Start + bytes, span.Length - bytes);
        }
        return region.Base + (nint)span.Start;
    }

    private static void Return_NeedsLock(nint memory, long bytes)
    {
        var region = Regions.Find(one => one.Holds(memory))
            ?? throw new InvalidOperationException("Memory was given back that no region holds.");
        var given = new Span(memory - region.Base, bytes);
        var (at, free) = (region.Free.FindIndex(span => span.Start > given.Start), given);
        at = at < 0 ? region.Free.Count : at;
        if (at < region.Free.Count && region.Free[at].Start == free.End)
        {
            free = new Span(free.Start, free.Length + region.Free[at].Length);
            region.Free.RemoveAt(at);
        }
        if (at > 0 && region.Free[at - 1].End == free.Start)
        {
            at--;
            free = new Span(region.Free[at].Start, region.Free[at].Length + free.Length);
            region.Free.RemoveAt(at);
        }
        region.Free.Insert(at, free);
        if (free.Length == region.Length)
        {
            Regions.Remove(region);
            NativeMemory.AlignedFree((void*)region.Base);
            return;
        }
        GiveBackPages(region, free, given);
    }

    /// <summary>Gives the system the pages that have become free as a whole.</summary>
    private static void GiveBackPages(Region region, Span free, Span given)
    {
        var start = Math.Max(RoundUp(free.Start, Page), given.Start / Page * Page);
        var end = Math.Min(free.End / Page * Page, RoundUp(given.End, Page));
        if (end > start && OperatingSystem.IsLinux())
        {
            _ = Advise((void*)(region.Base + (nint)start), (nuint)(end - start), AdviseDontNeed);
        }
    }

    private static Region MakeRegion(long bytes)
    {
        var memory = NativeMemory.AlignedAlloc((nuint)bytes, (nuint)Page);
        if (OperatingSystem.IsLinux())
        {
            // A kernel that has no such pages refuses; then it is slower, not wrong.
            _ = Advise(memory, (nuint)bytes, AdviseHuge);
        }
        return new Region((nint)memory, bytes);
    }

    private static long RoundUp(long bytes, long unit) => (bytes + unit - 1) / unit * unit;

    [LibraryImport("libc", EntryPoint = "madvise")]
    private static partial int Advise(void* memory, nuint bytes, int advice);
}
