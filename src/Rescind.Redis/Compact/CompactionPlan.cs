using System.Runtime.CompilerServices;
using StackExchange.Redis;

namespace Rescind.Redis;

/// <summary>
/// Up to where the stream is worth cutting: the last pack with something dead in it, as long as at most four
/// live entries are carried for each dead one, or few in all. The newest pack is only cut when its last entry
/// lives, so that the newest entry is never dropped. Reads the stream once to decide and once more to carry,
/// and keeps none of its entries meanwhile, only the ids of its packs.
/// </summary>
internal sealed class CompactionPlan
{
    private const int PageSize = 200;
    private const int FewLive = 10_000;
    private const int LivePerDead = 4;

    private readonly IRedisLink _link;
    private readonly PackCodec _codec;
    private readonly DateTimeOffset _now;
    private readonly List<LogPosition> _packs = [];

    private CompactionPlan(IRedisLink link, PackCodec codec, DateTimeOffset now) =>
        (_link, _codec, _now) = (link, codec, now);

    public long Dropped { get; private set; }

    /// <summary>The latest expiry of a dropped revocation, in Unix seconds.</summary>
    public long Horizon { get; private set; }

    /// <summary>First ids to keep, one a step, so that no step holds the server up.</summary>
    public IEnumerable<LogPosition> Cuts(int step) =>
        _packs.Chunk(step).Select(chunk => chunk[^1] with { Number = chunk[^1].Number + 1, History = 0 });

    /// <summary>Reads the stream and decides.</summary>
    /// <exception cref="IOException">The log is away, or holds something that this version cannot
    /// read.</exception>
    public static async Task<CompactionPlan> MakeAsync(
        IRedisLink link, PackCodec codec, DateTimeOffset now, CancellationToken cancel)
    {
        var plan = new CompactionPlan(link, codec, now);
        var newest = HeartbeatAnswer.Parts(await link.ExecuteAsync(
            "XREVRANGE", [link.Stream, "+", "-", "COUNT", 1], cancel));
        if (newest.Length != 0)
        {
            await plan.DecideAsync(IdOf(newest[0]), cancel);
        }
        return plan;
    }

    /// <summary>Live entries that stand before the cut, in parts.</summary>
    /// <exception cref="IOException">As <see cref="MakeAsync"/>.</exception>
    public async IAsyncEnumerable<LogEntry[]> CarriedAsync(
        int most, [EnumeratorCancellation] CancellationToken cancel)
    {
        if (_packs.Count == 0)
        {
            yield break;
        }
        var (seen, part, pack) = (new SeenEntries(), new List<LogEntry>(), new List<LogEntry>());
        await foreach (var (_, bytes) in PacksAsync(StreamId.TextOf(_packs[^1]), cancel))
        {
            Unpack(bytes, pack);
            foreach (var line in pack.Where(line => !IsDead(line) && seen.IsNews(line)))
            {
                part.Add(line);
                if (part.Count == most)
                {
                    yield return [.. part];
                    part.Clear();
                }
            }
        }
        if (part.Count != 0)
        {
            yield return [.. part];
        }
    }

    private async Task DecideAsync(string newest, CancellationToken cancel)
    {
        var (seen, pack, packs) = (new SeenEntries(), new List<LogEntry>(), new List<LogPosition>());
        var (live, dead, horizon) = (0L, 0L, 0L);
        await foreach (var (id, bytes) in PacksAsync(newest, cancel))
        {
            // A forged pack is as good as dead.
            var deadHere = Unpack(bytes, pack) == PackContent.Forged ? 1 : pack.Count(IsDead);
            if (id == newest && (pack.Count == 0 || IsDead(pack[^1])))
            {
                return;
            }
            dead += deadHere;
            live += pack.Count(line => !IsDead(line) && seen.IsNews(line));
            horizon = pack.Where(line => IsDead(line) && !line.IsLift)
                .Select(line => line.ExpiresAt.ToUnixTimeSeconds()).Append(horizon).Max();
            packs.Add(StreamId.Parse(id));
            if (deadHere != 0 && live <= Math.Max(FewLive, dead * LivePerDead))
            {
                // The cut moves behind this pack.
                _packs.AddRange(packs);
                packs.Clear();
                (Dropped, Horizon) = (dead, horizon);
            }
        }
    }

    private async IAsyncEnumerable<(string Id, byte[] Bytes)> PacksAsync(
        string last, [EnumeratorCancellation] CancellationToken cancel)
    {
        for (var from = "-"; ;)
        {
            var page = HeartbeatAnswer.Parts(await _link.ExecuteAsync(
                "XRANGE", [_link.Stream, from, last, "COUNT", PageSize], cancel));
            foreach (var entry in page)
            {
                yield return (IdOf(entry), (byte[])entry[1][1]!);
            }
            if (page.Length < PageSize)
            {
                yield break;
            }
            from = "(" + IdOf(page[^1]);
        }
    }

    private PackContent Unpack(byte[] bytes, List<LogEntry> pack)
    {
        pack.Clear();
        var content = _codec.Unpack(bytes, pack);
        return content == PackContent.Unreadable
            ? throw new IOException(
                "The log in Redis holds an entry that this version cannot read; not compacted.")
            : content;
    }

    private bool IsDead(LogEntry line) =>
        line.ExpiresAt != DateTimeOffset.MaxValue && line.ExpiresAt < _now;

    private static string IdOf(RedisResult entry) => (string)entry[0]!;

    /// <summary>What was seen a while ago. One that stands twice is carried once, unless its second life is
    /// longer; of more entries than are remembered, twice, which costs space and nothing else.</summary>
    private sealed class SeenEntries
    {
        private const int Most = 1_000_000;

        private readonly Dictionary<(RevocationId, bool), DateTimeOffset> _until = [];

        public bool IsNews(LogEntry line)
        {
            if (_until.TryGetValue((line.Id, line.IsLift), out var until) && until >= line.ExpiresAt)
            {
                return false;
            }
            if (_until.Count == Most)
            {
                _until.Clear();
            }
            _until[(line.Id, line.IsLift)] = line.ExpiresAt;
            return true;
        }
    }
}
