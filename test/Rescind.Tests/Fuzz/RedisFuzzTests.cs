using System.Buffers.Binary;
using System.Text;
using System.Text.RegularExpressions;
using CsCheck;
using Rescind.Redis;
using StackExchange.Redis;

namespace Rescind.Tests.Fuzz;

/// <summary>Everything that comes from Redis or from whoever can write to it, and its address.</summary>
public sealed class RedisFuzzTests
{
    private const string Password = "hunter2-Xq7";
    private static readonly PackCodec Plain = new(null);
    private static readonly PackCodec Sealed = new(new LogSeal("a log key of the tests, of more than 32 bytes", "rescind"));
    private static readonly PackCodec[] Both = [Plain, Sealed];
    private static readonly Gen<LogEntry> Entry = Gen.Select(
        Gen.Byte[1, 6], Gen.ULong, Gen.UInt, Gen.UInt, Gen.Bool, Gen.String[Gen.Char['a', 'ÿ'], 0, 30],
        (kind, key, tag, expiry, isLift, text) => new LogEntry
        {
            Id = new RevocationId((RuleKind)kind, (key & ~(UInt128)7) | kind, tag), Expiry = expiry, IsLift = isLift,
            Cutoff = kind < 3 ? 0 : tag, Issuer = isLift || kind < 3 ? null : text,
            Value = isLift || kind < 3 ? null : text + "v",
        });

    private static readonly Gen<LogEntry[]> Some = Entry.Array[1, 200];

    private static readonly Gen<string> GoodIds = Gen.Select(Gen.ULong, Gen.ULong, (number, random) => $"{number}-{random}");

    [Fact]
    public void Entries_come_back_from_their_packs() =>
        Gen.Select(Some, Hostile.OneOf(Both)).Try((entries, codec) =>
        {
            var read = new List<LogEntry>();
            Assert.All(codec.Pack(entries), pack => Assert.Equal(PackContent.Entries, codec.Unpack(pack.Bytes, read)));
            Assert.Equal(entries, read);
        }, 500);

    [Fact]
    public void A_sealed_pack_with_a_changed_byte_is_refused() =>
        Gen.Select(Some, Gen.UInt, Gen.Byte[1, 255]).Try((entries, at, change) =>
        {
            var bytes = Sealed.Pack(entries)[0].Bytes;
            bytes[at % (uint)bytes.Length] ^= change;
            var read = new List<LogEntry>();
            Assert.Equal(PackContent.Forged, Sealed.Unpack(bytes, read));
            Assert.Empty(read);
        }, 2_000);

    [Fact]
    public void Hostile_bytes_are_an_entry_only_if_they_are_what_would_be_written() =>
        Hostile.Bytes(Entry.Select(entry => Bytes(entry))).Try(bytes =>
        {
            if (LogEntry.TryRead(bytes, out var entry))
            {
                Assert.Equal(bytes, Bytes(entry));
                Assert.NotEqual(default, (entry.ExpiresAt, entry.IssuedBefore));
            }
        }, 20_000);

    /// <summary>Sealed, nothing but the pack itself is taken; plain, nothing but what would be written.</summary>
    [Fact]
    public void Hostile_packs_add_all_their_entries_or_none()
    {
        var taken = new int[2];
        Gen.Select(Some, Gen.Bool).SelectMany((entries, isSealed) => Packed(Both[isSealed ? 1 : 0], entries)
                .Select(hostile => (isSealed, hostile.Good, hostile.Bytes)))
            .Try((isSealed, good, bytes) =>
            {
                var read = new List<LogEntry> { new() { Id = default } };
                var isTaken = Both[isSealed ? 1 : 0].Unpack(bytes, read) == PackContent.Entries;
                Assert.Equal(isTaken, read.Count > 1);
                if (isTaken)
                {
                    Assert.Equal(isSealed ? good : Written([.. read.Skip(1)]), bytes);
                    Interlocked.Increment(ref taken[isSealed ? 1 : 0]);
                }
            }, 4_000);
        Assert.True(taken is [> 100, > 100], $"Only {taken[0]} and {taken[1]} packs were taken.");
    }

    /// <summary>Nothing is heard but what its head says, and packs as they are written; with a seal, packs of the
    /// fleet.</summary>
    [Fact]
    public void A_hostile_announcement_is_none_or_has_what_stands_in_it()
    {
        var heard = new int[2];
        Gen.Select(Some, GoodIds, GoodIds, Gen.Bool).SelectMany((entries, before, last, isSealed) => Hostile.Bytes(
                Gen.Const(Announced(Both[isSealed ? 1 : 0], entries, before, last))).Select(bytes => (isSealed, entries, bytes)))
            .Try((isSealed, entries, bytes) =>
            {
                if (PushMessage.TryRead(bytes, Both[isSealed ? 1 : 0]) is not { } message)
                {
                    return;
                }
                var end = Array.IndexOf(bytes, (byte)'\n');
                var words = Encoding.ASCII.GetString(bytes, 0, end).Split(' ');
                Assert.Equal(
                    (words[0], words[1], words[2], words[3], words[^2]),
                    ("1", message.Epoch, message.Writer, StreamId.TextOf(message.Before), StreamId.TextOf(message.Last)));
                AreWritten(message.Entries, words[5..], bytes.AsSpan(end + 1), isSealed);
                Assert.True(!isSealed || message.Entries.All(entries.Contains), "An entry that nobody sealed.");
                Interlocked.Increment(ref heard[isSealed ? 1 : 0]);
            }, 4_000);
        Assert.True(heard is [> 200, > 200], $"Only {heard[0]} and {heard[1]} announcements were heard.");
    }

    [Fact]
    public void A_stream_id_is_exactly_what_is_written() => Hostile.Texts(GoodIds).Try(text =>
    {
        LogPosition position;
        try
        {
            position = StreamId.Parse(text);
        }
        catch (IOException)
        {
            // Refused, as documented.
            return;
        }
        Assert.Equal(text, StreamId.TextOf(position));
    }, 10_000);

    [Fact]
    public void A_revocation_id_is_exactly_what_is_written() =>
        Hostile.Texts(Entry.Select(entry => entry.Id.ToString())).Try(text =>
        {
            if (RevocationId.TryParse(text, out var id))
            {
                Assert.Equal(text, id.ToString(), ignoreCase: true);
            }
        }, 10_000);

    /// <summary>Whoever can write to Redis can change any field of the hash that the script answers with.</summary>
    [Fact]
    public void A_hostile_answer_to_a_heartbeat_is_read_or_refused() =>
        Gen.Select(Answer, Gen.Int[0, 13], OddResult, Gen.Int[0, 5]).Try((answer, at, odd, change) =>
        {
            RedisResult[] parts = change switch
            {
                0 => answer,
                1 => answer[..at],
                2 => [.. answer, odd],
                _ => [.. answer[..at], odd, .. answer[(at + 1)..]],
            };
            try
            {
                var read = HeartbeatAnswer.Parse(RedisResult.Create(parts));
                Assert.NotNull(read.Epoch);
                Assert.All(read.Packs, pack => Assert.NotNull(pack.Bytes));
            }
            catch (IOException)
            {
                // Refused, as documented.
            }
        }, 3_000);

    [Fact]
    public void A_record_of_a_process_comes_back() =>
        Gen.Select(Hostile.Text, Gen.ULong).Try((name, beat) =>
        {
            var text = $"{beat} epoch {beat} 0 1 0 {ProcessRecord.Details(name, "1.2.3")}";
            var record = ProcessRecord.Parse(text);
            Assert.Equal((beat, "1.2.3"), (record.Beat, record.Version));
            Assert.Equal(Uri.UnescapeDataString(Uri.EscapeDataString(name)), record.Name);
        }, 2_000);

    [Fact]
    public void A_hostile_record_of_a_process_is_refused_or_has_what_stands_in_it()
    {
        var refused = 0;
        Hostile.Texts(Gen.Select(Gen.ULong, Gen.ULong, (beat, number) =>
                $"{beat} epoch {number} 0 1 0 {ProcessRecord.Details("a name", "1.2.3")}"))
            .Try(text =>
            {
                var words = text.Split(' ');
                try
                {
                    var record = ProcessRecord.Parse(text);
                    Assert.True(IsNumber(words[0], record.Beat) && IsNumber(words[2], record.Confirmed), text);
                    Assert.Equal((words[1], words[4] == "1", words[5] == "1"), (record.Epoch, record.HasReadTail, record.HasReported));
                }
                catch (IOException)
                {
                    Assert.False(words.Length > 7 && !text.Contains('-', StringComparison.Ordinal) && IsNumber(words[0]) && IsNumber(words[2]), text);
                    Interlocked.Increment(ref refused);
                }
            }, 5_000);
        Assert.True(refused > 1_000, $"Only {refused} records were refused.");
    }

    [Fact]
    public void What_a_server_says_of_itself_is_never_a_fault() =>
        Hostile.Texts(Gen.Const("# Server\r\nredis_version:7.0.15\r\nmaxmemory_policy:noeviction\r\naof_enabled:1\r\nconnected_slaves:2\r\n"))
            .Try(info => Assert.All(ServerReport.OfInfo(info).Findings, one => Assert.NotEmpty(one.Sentence)),
                5_000);

    [Fact]
    public void No_address_of_Redis_gives_a_fault_that_holds_its_password() =>
        Hostile.Texts(Hostile.OneOf(
            $"redis://user:{Password}@cache.example:6380/3", $"rediss://:{Password}@[::1]:6379", $"cache.example:6379,password={Password},ssl=true",
            $"a.example,b.example:2,serviceName=m,user=u,password={Password}", $"redis://{Password}@cache.example",
            $"redis://u:{Password}@cache.example?x={Password}#{Password}", $"redis://u:p@{Password}:{Password}/{Password}",
            $"{Password}=1,{Password}", $"a.example,password={Password},tunnel=http:{Password}:1,channelPrefix=x,protocol=resp3"))
        .Try(text =>
        {
            if (RedisAddress.FaultOf(text) is { } fault)
            {
                Assert.DoesNotContain(Password[..7], fault, StringComparison.Ordinal);
                Assert.Contains(fault, Assert.ThrowsAny<ArgumentException>(() => RedisAddress.Parse(text)).Message, StringComparison.Ordinal);
            }
            else
            {
                Assert.NotEmpty(RedisAddress.Parse(text).EndPoints);
            }
        }, 10_000);

    [Fact]
    public void An_Upstash_endpoint_and_token_are_taken_or_refused_without_repeating_the_token() =>
        Gen.Select(Hostile.Texts(Gen.Const("https://eu1-fast.upstash.io")), Hostile.Texts(Gen.Const(Password)))
            .Try((url, token) =>
            {
                try
                {
                    var options = RedisAddress.Parse(RedisAddress.OfUpstash(url, token));
                    Assert.Equal(Uri.UnescapeDataString(Uri.EscapeDataString(token)), options.Password);
                }
                catch (ArgumentException fault)
                {
                    Assert.DoesNotContain(Password[..7], fault.ToString(), StringComparison.Ordinal);
                }
            }, 5_000);

    private static Gen<RedisResult> OddResult => Gen.Frequency(
        (2, Gen.Const(RedisResult.Create(RedisValue.Null))),
        (3, Hostile.Texts(GoodIds).Select(text => RedisResult.Create((RedisValue)text))),
        (2, Gen.Long.Select(number => RedisResult.Create((RedisValue)number))),
        (1, Gen.Byte.Array[0, 9].Select(bytes => RedisResult.Create((RedisValue)bytes))),
        (2, Hostile.Texts(GoodIds).Array[0, 4].Select(texts => RedisResult.Create([.. texts.Select(text => RedisResult.Create((RedisValue)text))]))),
        (1, Gen.Const(RedisResult.Create([RedisResult.Create(RedisValue.Null), RedisResult.Create(Array.Empty<RedisResult>())]))));

    private static Gen<RedisResult[]> Answer => Gen.Select(GoodIds, Gen.Int[0, 1], Some, Gen.UInt, (id, flag, entries, time) => (RedisResult[])
    [
        Of("ok"), Of("epoch"), Of(flag == 1 ? "closed" : "open"), Of(flag), Of(1), Of(id), Of(time), Of(time), Of(5), Of(1), Of(3),
        RedisResult.Create([.. Plain.Pack(entries).SelectMany(pack => new[] { Of(id), Of(pack.Bytes) })]),
        RedisResult.Create([Of("process"), Of($"7 epoch 9 0 1 0 {ProcessRecord.Details("name", "1.0")}")]),
        Of(entries.Length),
    ]);

    private static RedisResult Of(RedisValue value) => RedisResult.Create(value);

    private static byte[] Bytes(LogEntry entry)
    {
        var bytes = new byte[entry.Size];
        Assert.Equal(bytes.Length, entry.Write(bytes));
        return bytes;
    }

    private static Gen<(byte[] Good, byte[] Bytes)> Packed(PackCodec codec, LogEntry[] entries)
    {
        var good = codec.Pack(entries)[0].Bytes;
        return Hostile.Bytes(Gen.Const(good)).Select(bytes => (good, bytes));
    }

    private static byte[] Announced(PackCodec codec, LogEntry[] entries, string before, string last)
    {
        var packs = codec.Pack(entries);
        var head = $"1 epoch writer {before} " + string.Join(' ', packs.Select(pack => $"{last} {pack.Bytes.Length}"));
        return [.. Encoding.ASCII.GetBytes(head + "\n"), .. packs.SelectMany(pack => pack.Bytes)];
    }

    /// <summary>The packs of an announcement hold exactly these entries, as they are written.</summary>
    private static void AreWritten(LogEntry[] entries, string[] sizes, ReadOnlySpan<byte> bytes, bool isSealed)
    {
        foreach (var size in sizes.Where((_, at) => at % 2 == 0).Select(int.Parse).Where(size => size != 0))
        {
            var body = bytes[1..(size - (isSealed ? LogSeal.Size : 0))];
            var count = BinaryPrimitives.ReadUInt16LittleEndian(body);
            Assert.Equal(Written(entries[..count]).AsSpan(1), body);
            bytes = bytes[size..];
            entries = entries[count..];
        }
        Assert.Empty(entries);
    }

    /// <summary>A plain pack, however large.</summary>
    private static byte[] Written(LogEntry[] entries) =>
    [
        1, (byte)entries.Length, (byte)(entries.Length >> 8),
        .. entries.SelectMany(entry => (byte[])[(byte)entry.Size, (byte)(entry.Size >> 8), .. Bytes(entry)]),
    ];

    /// <summary>Redis has been asked by scripts that write plain digits; what is read is a little more.</summary>
    private static bool IsNumber(string text, ulong? number = null) =>
        Regex.IsMatch(text, $@"^[\t-\r]*[+-]?0*{number?.ToString() ?? "[0-9]{1,19}"}[\t-\r]*\0*$");
}
