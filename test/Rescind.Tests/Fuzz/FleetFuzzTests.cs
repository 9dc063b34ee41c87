using System.Text;
using CsCheck;
using Microsoft.Extensions.Logging.Abstractions;
using Rescind.Redis;
using StackExchange.Redis;

namespace Rescind.Tests.Fuzz;

/// <summary>What others say in Redis of themselves and to this process, and the stream that a compaction reads.</summary>
public sealed class FleetFuzzTests
{
    private static readonly LogSeal Seal = new("a log key of the tests, of more than 32 bytes", "rescind");
    private static readonly DateTimeOffset Now = DateTimeOffset.FromUnixTimeSeconds(1_800_000_000);

    /// <summary>Dead, living and never-ending ones; few tags, so that some stand twice.</summary>
    private static readonly Gen<LogEntry> Entry = Gen.Select(
        Gen.UInt[1, 30], Gen.Bool, Gen.Frequency(
            (3, Gen.Long[-1_000, -1]), (2, Gen.Long[0, 1_000]), (1, Gen.Const(uint.MaxValue - Now.ToUnixTimeSeconds()))),
        (tag, isLift, left) => new LogEntry
        {
            Id = new RevocationId(RuleKind.Token, TokenKey.Of(RuleKind.Token, "i", $"t{tag}"), tag), IsLift = isLift,
            Expiry = (uint)(Now.ToUnixTimeSeconds() + left),
        });

    [Fact]
    public void The_bound_that_others_run_with_is_what_they_tell_or_the_longest()
    {
        var read = 0;
        Gen.Int[50, 60_000].SelectMany(milliseconds => Hostile.Texts(Gen.Const(new FleetSettings(
                TimeSpan.FromMilliseconds(milliseconds), TimeSpan.FromDays(7), TimeSpan.FromMinutes(1), TimeSpan.FromSeconds(2),
                false, null).Text)))
            .Try(text =>
            {
                var bound = FleetSettings.FreshnessIn(text);
                Assert.InRange(bound, TimeSpan.Zero, TimeSpan.FromMinutes(1));
                if (bound < TimeSpan.FromMinutes(1))
                {
                    Assert.Matches($"^freshness_ms=0*{bound.TotalMilliseconds}\0*(?: |$)", text);
                    Interlocked.Increment(ref read);
                }
            }, 5_000);
        Assert.True(read > 1_000, $"Only {read} bounds were read.");
    }

    [Fact]
    public async Task A_hostile_confirmation_counts_for_what_it_says_or_for_nothing()
    {
        var counted = 0;
        await Hostile.Bytes(Gen.ULong.Select(number => Encoding.ASCII.GetBytes($"epoch process {number}"))).TryAsync(async bytes =>
        {
            var (link, watch) = await ListeningAsync(new PackCodec(Seal), static _ => { });
            link.Received.Single(one => one.Key.Count(letter => letter == ':') == 3).Value(bytes);
            var words = Encoding.ASCII.GetString(bytes).Split(' ');
            if (words.Length == 3 && ulong.TryParse(words[2].Trim('\0', ' '), out var number) && words[0] == "epoch")
            {
                Assert.True(watch.HasConfirmed("epoch", words[1], number));
                Assert.True(number == ulong.MaxValue || !watch.HasConfirmed("epoch", words[1], number + 1));
                Assert.False(watch.HasConfirmed("epoch", words[1] + "x", 1));
                Interlocked.Increment(ref counted);
            }
            else
            {
                Assert.DoesNotContain(words, word => watch.HasConfirmed("epoch", word, 1));
            }
        }, 2_000);
        Assert.True(counted > 300, $"Only {counted} confirmations counted.");
    }

    /// <summary>Nothing is applied that the fleet's key has not sealed, nor of another epoch.</summary>
    [Fact]
    public async Task A_hostile_announcement_applies_what_was_sealed_or_nothing()
    {
        var (codec, applied) = (new PackCodec(Seal), 0);
        await Entry.Array[1, 20].SelectMany(entries =>
        {
            var pack = codec.Pack(entries)[0].Bytes;
            return Hostile.Bytes(Gen.Const((byte[])[.. Encoding.ASCII.GetBytes($"1 epoch writer 7-8 9-10 {pack.Length}\n"), .. pack]))
                .Select(bytes => (entries, bytes));
        }).TryAsync(async drawn =>
        {
            var heard = new List<LogEntry>();
            var (link, _) = await ListeningAsync(codec, some => heard.AddRange(some.Span));
            link.Received.Single(one => one.Key.Count(letter => letter == ':') == 2).Value(drawn.bytes);
            if (heard.Count != 0)
            {
                Assert.All(heard, entry => Assert.Contains(entry, drawn.entries));
                Assert.StartsWith("1 epoch ", Encoding.ASCII.GetString(drawn.bytes), StringComparison.Ordinal);
                Interlocked.Increment(ref applied);
            }
        }, 2_000);
        Assert.True(applied > 200, $"Only {applied} announcements were applied.");
    }

    /// <summary>Whatever somebody put between: all that lives is kept or carried, and the rest is what was dropped.</summary>
    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task A_stream_with_hostile_entries_loses_nothing_that_lives_when_it_is_cut(bool isSealed)
    {
        var (codec, cut, refused) = (new PackCodec(isSealed ? Seal : null), 0, 0);
        var good = Entry.Array[1, 6].Select(entries => codec.Pack(entries)[0].Bytes);
        await Gen.Frequency((9, good), (1, Hostile.Bytes(good))).Array[0, 20].TryAsync(async stream =>
        {
            var link = new ScriptedLink(stream);
            var packs = stream.Select(bytes => Read(codec, bytes)).ToList();
            if (packs.Contains(null))
            {
                var fault = await Assert.ThrowsAsync<IOException>(() => CompactionPlan.MakeAsync(link, codec, Now, default));
                Assert.Contains("cannot read; not compacted", fault.Message, StringComparison.Ordinal);
                Interlocked.Increment(ref refused);
                return;
            }
            var plan = await CompactionPlan.MakeAsync(link, codec, Now, default);
            var carried = new List<LogEntry>();
            await foreach (var part in plan.CarriedAsync(3, default))
            {
                carried.AddRange(part);
            }
            var gone = plan.Cuts(7).Select(first => (int)first.Number - 1).LastOrDefault();
            IsCutWell(plan, carried, [.. packs.Take(gone).Select(pack => pack!)], [.. packs.Skip(gone).Select(pack => pack!)]);
            Interlocked.Add(ref cut, gone == 0 ? 0 : 1);
        }, 1_500);
        Assert.True(cut > 300, $"Only {cut} streams were cut.");

        // Whoever has no key must not keep a fleet from compacting.
        Assert.True(isSealed ? refused == 0 : refused > 100, $"{refused} streams were refused.");
    }

    private static void IsCutWell(
        CompactionPlan plan, List<LogEntry> carried, List<List<LogEntry>> gone, List<List<LogEntry>> kept)
    {
        var (cut, left) = (gone.SelectMany(pack => pack).ToList(), kept.SelectMany(pack => pack).ToList());
        Assert.All(carried, entry => Assert.True(!IsDead(entry) && cut.Contains(entry), $"{entry} was carried."));
        Assert.All(cut.Where(entry => !IsDead(entry)), entry => Assert.True(
            left.Concat(carried).Any(other => other.Id == entry.Id && other.IsLift == entry.IsLift && other.Expiry >= entry.Expiry),
            $"{entry} is lost."));
        Assert.Equal(cut.Count(IsDead) + gone.Count(pack => pack.Count == 0), plan.Dropped);
        Assert.Equal(
            cut.Where(entry => IsDead(entry) && !entry.IsLift).Select(entry => (long)entry.Expiry).Append(0).Max(), plan.Horizon);
        Assert.True(kept.Count != 0 || gone.Count == 0 || (gone[^1] is [.., var newest] && !IsDead(newest)), "The newest is gone.");
    }

    private static bool IsDead(LogEntry entry) => entry.Expiry != uint.MaxValue && entry.Expiry < Now.ToUnixTimeSeconds();

    /// <summary>Empty: not of the fleet; null: unreadable.</summary>
    private static List<LogEntry>? Read(PackCodec codec, byte[] bytes)
    {
        var read = new List<LogEntry>();
        return codec.Unpack(bytes, read) == PackContent.Unreadable ? null : read;
    }

    private static async Task<(ScriptedLink Link, FleetWatch Watch)> ListeningAsync(
        PackCodec codec, Action<ReadOnlyMemory<LogEntry>> apply)
    {
        var (link, names) = (new ScriptedLink([]), new RedisNames("rescind", "node", 0));
        var watch = new FleetWatch(names.Process, TimeSpan.FromSeconds(1), new TestClock());
        watch.Note(1, Answer("epoch"), isReplicated: true);
        var beats = new Heartbeats(link, watch, FleetSettings.Of(new BlacklistOptions(), Seal), names, NullLogger.Instance);
        var announcements = new Announcements(
            link, names, watch, beats, new AheadOfReads(), codec, new Signal(), new Signal(), NullLogger.Instance)
        {
            Apply = apply,
        };
        await announcements.SubscribeAsync(CancellationToken.None);
        return (link, watch);
    }

    private static HeartbeatAnswer Answer(string epoch) => new()
    {
        Epoch = epoch, IsClosed = false, Found = true, AtTail = true, Last = default, Horizon = Now, Time = Now, KnowsRun = true,
        Servers = 1, Packs = [], Processes = new Dictionary<string, ProcessRecord>(),
    };

    /// <summary>A Redis with one stream, its ids 1, 2, 3 …, that keeps who listens.</summary>
    private sealed class ScriptedLink(byte[][] stream) : IRedisLink
    {
        public Dictionary<string, Action<byte[]>> Received { get; } = [];

        public RedisKey Stream => "{rescind}:log";

        public RedisKey Fleet => "{rescind}:fleet";

        public bool IsConnected => true;

        public long FaultsInLastHour => 0;

        public Task SubscribeAsync(string channel, Action<byte[]> received, CancellationToken cancel)
        {
            Received[channel] = received;
            return Task.CompletedTask;
        }

        public Task<RedisResult> ExecuteAsync(string command, object[] arguments, CancellationToken cancel)
        {
            var (from, to) = ((string)arguments[1], (string)arguments[2]);
            return Task.FromResult(RedisResult.Create(command == "XREVRANGE"
                ? [.. stream.Index().TakeLast(1).Select(Line)]
                : stream.Index().Where(line => line.Index >= First(from) && line.Index < Number(to))
                    .Take((int)arguments[4]).Select(Line).ToArray()));
        }

        public Task<RedisResult> RunAsync(string script, RedisValue[] arguments, CancellationToken cancel) =>
            throw new NotSupportedException();

        public Task<(RedisResult Answer, bool IsReplicated)> RunAsync(
            string script, RedisValue[] arguments, Func<RedisResult, int> servers, CancellationToken cancel) =>
            throw new NotSupportedException();

        public Task<ServerReport> ReportAsync(CancellationToken cancel) => throw new NotSupportedException();

        public ValueTask DisposeAsync() => ValueTask.CompletedTask;

        private static RedisResult Line((int Index, byte[] Bytes) line) => RedisResult.Create(
        [
            RedisResult.Create((RedisValue)$"{line.Index + 1}-77"),
            RedisResult.Create([RedisResult.Create((RedisValue)"e"), RedisResult.Create((RedisValue)line.Bytes)]),
        ]);

        private static int First(string from) => from == "-" ? 0 : Number(from.TrimStart('('));

        private static int Number(string id) => int.Parse(id.Split('-')[0]);
    }
}
