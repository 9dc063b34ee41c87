using System.Security.Cryptography;
using System.Text;
using Rescind.Redis;
using StackExchange.Redis;

namespace Rescind.Tests.Redis;

/// <summary>What stands in Redis, byte for byte, and who may have written it.</summary>
public sealed class WireTests
{
    private const string Key = "a log key of the tests, of more than 32 bytes";
    private static readonly string Golden = Path.Combine(AppContext.BaseDirectory, "Redis", "Golden");

    private static readonly LogEntry[] Entries =
    [
        new() { Id = new RevocationId(RuleKind.Token, TokenKey.Of(RuleKind.Token, "i", "t"), 7), ExpiresAt = At(1_000) },
        new() { Id = new RevocationId(RuleKind.Session, TokenKey.Of(RuleKind.Session, "i", "s"), 8), ExpiresAt = At(2_000), IsLift = true },
        new()
        {
            Id = new RevocationId(RuleKind.Subject, TokenKey.Of(RuleKind.Subject, "i", "ü"), 9), ExpiresAt = At(3_000),
            IssuedBefore = At(500), Issuer = "i", Value = "ü",
        },
    ];

    [Theory]
    [InlineData("pack-plain.hex", null)]
    [InlineData("pack-sealed.hex", Key)]
    public async Task Packs_are_written_and_read_as_they_always_were(string file, string? key)
    {
        var codec = Codec(key);
        var golden = Convert.FromHexString((await File.ReadAllTextAsync(
            Path.Combine(Golden, file), TestContext.Current.CancellationToken)).Trim());
        Assert.Equal(Convert.ToHexStringLower(golden), Convert.ToHexStringLower(Assert.Single(codec.Pack(Entries)).Bytes));
        var read = new List<LogEntry>();
        Assert.Equal(PackContent.Entries, codec.Unpack(golden, read));
        Assert.Equal(Entries, read);
    }

    /// <summary>Nodes of two versions run their scripts on one log. Change one only so that the old can live beside it, and
    /// then pin it anew.</summary>
    [Fact]
    public async Task Scripts_are_as_they_were_pinned()
    {
        var golden = await File.ReadAllTextAsync(
            Path.Combine(Golden, "scripts.sha256"), TestContext.Current.CancellationToken);
        var now = string.Concat(
            new[]
                {
                    ("append", RedisScripts.Append), ("heartbeat", RedisScripts.Heartbeat), ("lock", RedisScripts.Lock),
                    ("trim", RedisScripts.Trim),
                }
                .Select(one => $"{one.Item1} {Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(one.Item2)))}\n"));
        Assert.Equal(golden, now);
    }

    [Fact]
    public void No_bit_of_a_sealed_pack_can_be_changed()
    {
        var codec = Codec(Key);
        var bytes = codec.Pack(Entries)[0].Bytes;
        for (var bit = 0; bit < bytes.Length * 8; bit++)
        {
            bytes[bit / 8] ^= (byte)(1 << (bit % 8));
            var read = new List<LogEntry>();
            Assert.NotEqual(PackContent.Entries, codec.Unpack(bytes, read));
            Assert.Empty(read);
            bytes[bit / 8] ^= (byte)(1 << (bit % 8));
        }
    }

    [Fact]
    public void A_seal_of_another_key_another_log_or_none_is_forged()
    {
        PackCodec[] others = [Codec(null), Codec(Key + "!"), new PackCodec(new LogSeal(Key, "other"))];
        Assert.All(others, other => Assert.Equal(
            PackContent.Forged, Codec(Key).Unpack(other.Pack(Entries)[0].Bytes, [])));
        Assert.Equal(PackContent.Unreadable, Codec(null).Unpack(Codec(Key).Pack(Entries)[0].Bytes, []));
    }

    /// <summary>Readers stop at what they cannot read, and pass over what is forged.</summary>
    [Fact]
    public void Only_who_has_the_key_can_write_what_stops_readers()
    {
        byte[] next = [3, 1, 0, .. new byte[40]];
        Assert.All<byte[]>([[], [9], [3, 1, 0], next], bytes => Assert.Equal(PackContent.Forged, Codec(Key).Unpack(bytes, [])));
        new LogSeal(Key, "rescind").Write(next.AsSpan(..^LogSeal.Size), next.AsSpan(^LogSeal.Size..));
        Assert.Equal(PackContent.Unreadable, Codec(Key).Unpack(next, []));
    }

    [Fact]
    public void Hostile_bytes_are_never_entries_and_never_throw()
    {
        var random = new Random(20261124);
        var whole = Codec(null).Pack(Entries)[0].Bytes;
        for (var i = 0; i < 20_000; i++)
        {
            var bytes = whole[..random.Next(whole.Length + 1)].Concat(new byte[random.Next(4)]).ToArray();
            if (bytes.Length == whole.Length)
            {
                continue; // only a seal would tell these apart
            }
            var read = new List<LogEntry>();
            Assert.Equal(PackContent.Unreadable, Codec(null).Unpack(bytes, read));
            Assert.Empty(read);
        }
    }

    [Theory]
    [InlineData("5-3 ")]
    [InlineData("+5-3")]
    [InlineData("5-03")]
    [InlineData("5-3\0")]
    [InlineData("-3")]
    public void Nothing_else_is_taken_for_the_id_of_a_stream_entry(string text) =>
        Assert.Throws<IOException>(() => StreamId.Parse(text));

    [Fact]
    public async Task Whoever_can_write_to_Redis_can_neither_forge_nor_lift_nor_stop_the_fleet()
    {
        await using var server = await RedisServer.StartAsync();
        var redis = new RedisOptions { LogKey = Key };
        await using var node = RedisNode.Start(server.Url, redis: redis);
        await node.UntilCountsAsync(1);
        var mistake = await node.RevokeAsync("revoked");

        var lift = new LogEntry { Id = mistake.Id, IsLift = true, ExpiresAt = At(4_000_000_000) };
        var forged = new LogEntry
        {
            Id = new RevocationId(RuleKind.Token, TokenKey.Of(RuleKind.Token, TestWorld.Issuer, "victim"), 1),
            ExpiresAt = At(4_000_000_000),
        };
        await WriteAsync(server, Codec(null).Pack(new[] { lift, forged })[0]);
        await WriteAsync(server, new EntryPack(1, [9]));
        await Eventually.TrueAsync(
            () => node.Blacklist.GetStatus().Log.Warnings.Any(one => one.Contains("not written with the fleet's key")),
            "the forgery is reported");
        await node.UntilFreshAsync();
        Assert.Equal(Verdict.Revoked, node.Check("revoked"));
        Assert.Equal(Verdict.Accepted, await node.CheckAsync("victim"));

        await using var joined = RedisNode.Start(server.Url, redis: redis);
        await joined.UntilFreshAsync();
        Assert.Equal((Verdict.Revoked, Verdict.Accepted), (joined.Check("revoked"), await joined.CheckAsync("victim")));
        var receipt = await joined.RevokeAsync("next");
        await Eventually.TrueAsync(() => node.Check("next") == Verdict.Revoked, $"it spreads, {receipt.State}");
    }

    [Fact]
    public async Task A_node_with_another_key_is_refused()
    {
        await using var server = await RedisServer.StartAsync();
        await using var node = RedisNode.Start(server.Url, redis: new RedisOptions { LogKey = Key });
        await node.UntilFreshAsync();
        await using var store = RedisStore.Open(server.Url, redis: new RedisOptions { LogKey = Key + "!" });
        var refused = await Assert.ThrowsAsync<FleetSettingsException>(
            async () => await store.Log.ReadAsync(default, 10, TestContext.Current.CancellationToken));
        Assert.DoesNotContain(Key, refused.Message, StringComparison.Ordinal);
        Assert.Contains("log_key=", refused.Message, StringComparison.Ordinal);
    }

    /// <summary>As somebody would who has read our source, and has not the key.</summary>
    private static async Task WriteAsync(RedisServer server, EntryPack pack)
    {
        await using var pool = await server.ConnectAsync();
        await pool.GetDatabase().ScriptEvaluateAsync(
            """
            local last = redis.call('XREVRANGE', KEYS[1], '+', '-', 'COUNT', 1)[1][1]
            local id = string.format('%.0f', tonumber(string.match(last, '^(%d+)')) + tonumber(ARGV[1])) .. '-77'
            redis.call('XADD', KEYS[1], id, 'e', ARGV[2])
            redis.call('HSET', KEYS[2], 'tail', id)
            """,
            ["{rescind}:log", "{rescind}:fleet"], [pack.Count, pack.Bytes]);
    }

    private static PackCodec Codec(string? key) => new(key is null ? null : new LogSeal(key, "rescind"));

    private static DateTimeOffset At(long seconds) => DateTimeOffset.FromUnixTimeSeconds(seconds);
}
