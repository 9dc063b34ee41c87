using StackExchange.Redis;

namespace Rescind.Redis;

/// <summary>
/// Up to where the stream is worth cutting: the last pack with something dead in it, as long as at most four
/// live entries are carried for each dead one, or few in all. The newest pack is only cut when its last entry
/// lives, so that the newest entry is never dropped.
/// </summary>
internal sealed class CompactionPlan
{
    private const int PageSize = 200;
    private const int FewLive = 10_000;
    private const int LivePerDead = 4;

    private readonly List<LogPosition> _packs = [];

    private readonly PackCodec _codec;
    private IReadOnlyList<LogEntry> _live = [];
    private int _carried;

    private CompactionPlan(PackCodec codec) => _codec = codec;

    /// <summary>Live entries that stand before the cut, each once.</summary>
    public IEnumerable<LogEntry> Carried => _live.Take(_carried);

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
        var plan = new CompactionPlan(codec);
        var newest = HeartbeatAnswer.Parts(await link.ExecuteAsync(
            "XREVRANGE", [link.Stream, "+", "-", "COUNT", 1], cancel));
        if (newest.Length != 0)
        {
            await plan.ReadAsync(link, IdOf(newest[0]), now, cancel);
        }
        return plan;
    }

    private async Task ReadAsync(
        IRedisLink link, string newest, DateTimeOffset now, CancellationToken cancel)
    {
        var (tally, from) = (new Tally(_codec, now), "-");
        while (true)
        {
            var page = HeartbeatAnswer.Parts(await link.ExecuteAsync(
                "XRANGE", [link.Stream, from, newest, "COUNT", PageSize], cancel));
            foreach (var entry in page)
            {
                if (tally.Add(IdOf(entry), (byte[])entry[1][1]!, isNewest: IdOf(entry) == newest))
                {
                    Cut(tally);
                }
            }
            if (page.Length < PageSize)
            {
                return;
            }
            from = "(" + IdOf(page[^1]);
        }
    }

    private static string IdOf(RedisResult entry) => (string)entry[0]!;

    /// <summary>Moves the cut behind the packs read so far.</summary>
    private void Cut(Tally tally)
    {
        _packs.AddRange(tally.Packs);
        tally.Packs.Clear();
        (_live, _carried) = (tally.Live, tally.Live.Count);
        (Dropped, Horizon) = (tally.Dead, tally.Horizon);
    }

    /// <summary>What stands in the packs up to one.</summary>
    private sealed class Tally(PackCodec codec, DateTimeOffset now)
    {
        private readonly List<LogEntry> _pack = [];
        private readonly Dictionary<(RevocationId, bool), int> _places = [];

        public List<LogPosition> Packs { get; } = [];

        /// <summary>In the order of the stream, so that a cut is a number of them: copying them at each
        /// would take time with the square of the log.</summary>
        public List<LogEntry> Live { get; } = [];

        public long Dead { get; private set; }

        public long Horizon { get; private set; }

        /// <returns>Whether the stream is worth cutting behind this pack.</returns>
        public bool Add(string id, byte[] bytes, bool isNewest)
        {
            _pack.Clear();
            var content = codec.Unpack(bytes, _pack);
            if (content == PackContent.Unreadable)
            {
                throw new IOException(
                    "The log in Redis holds an entry that this version cannot read; not compacted.");
            }
            // A forged pack is as good as dead.
            var dead = content == PackContent.Forged ? 1 : _pack.Count(IsDead);
            if (isNewest && (_pack.Count == 0 || IsDead(_pack[^1])))
            {
                return false;
            }
            Dead += content == PackContent.Forged ? 1 : 0;
            foreach (var line in _pack)
            {
                Add(line);
            }
            Packs.Add(StreamId.Parse(id));
            return dead != 0 && Live.Count <= Math.Max(FewLive, Dead * LivePerDead);
        }

        private void Add(LogEntry line)
        {
            if (!IsDead(line))
            {
                AddLive(line);
                return;
            }
            Dead++;
            if (!line.IsLift)
            {
                Horizon = Math.Max(Horizon, line.ExpiresAt.ToUnixTimeSeconds());
            }
        }

        /// <summary>One that stands twice is carried once, with its longer life.</summary>
        private void AddLive(LogEntry line)
        {
            if (_places.TryAdd((line.Id, line.IsLift), Live.Count))
            {
                Live.Add(line);
            }
            else if (_places[(line.Id, line.IsLift)] is var place && Live[place].ExpiresAt < line.ExpiresAt)
            {
                Live[place] = line;
            }
        }

        private bool IsDead(LogEntry line) =>
            line.ExpiresAt != DateTimeOffset.MaxValue && line.ExpiresAt < now;
    }
}
