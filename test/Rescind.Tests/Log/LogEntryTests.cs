using CsCheck;

namespace Rescind.Tests;

/// <summary>The bytes of an entry: pinned, and safe against any other bytes.</summary>
public sealed class LogEntryTests
{
    private static readonly UInt128 Key = new(0x0102030405060708, 0x1112131415161719);

    [Fact]
    public void The_bytes_of_a_token_entry_are_pinned()
    {
        var entry = new LogEntry
        {
            Id = new RevocationId(RuleKind.Token, Key, 0xAABBCCDD),
            ExpiresAt = DateTimeOffset.FromUnixTimeSeconds(0x65000001),
        };
        Assert.Equal("0101191716151413121108070605040302" + "01" + "ddccbbaa" + "01000065", Hex(entry));
        Assert.Equal("0181191716151413121108070605040302" + "01" + "ddccbbaa" + "01000065", Hex(entry with { IsLift = true }));
    }

    [Fact]
    public void The_bytes_of_a_subject_entry_are_pinned()
    {
        var entry = new LogEntry
        {
            Id = new RevocationId(RuleKind.Subject, Key, 1), ExpiresAt = DateTimeOffset.MaxValue,
            IssuedBefore = DateTimeOffset.FromUnixTimeSeconds(0x65000001), Issuer = "é", Value = "u",
        };
        Assert.Equal(
            "0103191716151413121108070605040302" + "01" + "01000000" + "ffffffff" + "0100006500000000"
            + "0200c3a9" + "010075",
            Hex(entry));
        Assert.Equal("0183191716151413121108070605040302" + "01" + "01000000" + "ffffffff" + "0100006500000000", Hex(entry.Lift));
    }

    [Fact]
    public void The_key_of_a_target_is_pinned() =>
        Assert.Equal(
            ["7e5942007dc84cf33338981e5a01dac9", "90e586c3d52e38e6d28e83e7a4736cc2"],
            new[] { TokenKey.Of(RuleKind.Token, "i", "t").ToString("x32"), TokenKey.Of(RuleKind.Session, "i", "t").ToString("x32") });

    [Fact]
    public void Every_entry_comes_back_as_it_was_written() =>
        Entries.Try(entry =>
        {
            var bytes = Bytes(entry);
            Assert.Equal(entry.Size, bytes.Length);
            Assert.True(LogEntry.TryRead(bytes, out var back));
            Assert.Equal(entry, back);
        }, 100);

    [Fact]
    public void No_prefix_and_no_longer_form_of_an_entry_is_read() =>
        Entries.Try(entry =>
        {
            var bytes = Bytes(entry);
            Assert.False(LogEntry.TryRead([.. bytes, 0], out _));
            Assert.All(Enumerable.Range(0, bytes.Length), length => Assert.False(LogEntry.TryRead(bytes.AsSpan(0, length), out _)));
        }, 100);

    [Fact]
    public void Arbitrary_bytes_never_throw() =>
        Gen.Select(Gen.Byte[0, 3], Gen.Byte, Gen.Byte.Array[0, 80]).Try((version, kind, rest) =>
        {
            if (LogEntry.TryRead([version, kind, .. rest], out var entry))
            {
                Assert.Equal<byte>([version, kind, .. rest], Bytes(entry));
                _ = (entry.ExpiresAt, entry.IssuedBefore);
            }
        }, 100);

    [Fact]
    public void An_entry_of_a_newer_version_or_of_an_unknown_kind_is_not_read()
    {
        var bytes = Bytes(new LogEntry { Id = new RevocationId(RuleKind.Token, Key, 1) });
        Assert.True(LogEntry.TryRead(bytes, out _));
        Assert.False(LogEntry.TryRead([2, .. bytes.AsSpan(1)], out _));
        Assert.False(LogEntry.TryRead([1, 7, .. bytes.AsSpan(2)], out _));
        Assert.False(LogEntry.TryRead([1, 0, .. bytes.AsSpan(2)], out _));

        // A key that is not of its kind: no index could hold it.
        Assert.False(LogEntry.TryRead([.. bytes.AsSpan(0, 2), (byte)(bytes[2] ^ 1), .. bytes.AsSpan(3)], out _));
    }

    [Fact]
    public void An_expiry_is_rounded_up_and_the_far_future_means_never()
    {
        var id = new RevocationId(RuleKind.Token, Key, 1);
        Assert.Equal(11, new LogEntry { Id = id, ExpiresAt = DateTimeOffset.FromUnixTimeMilliseconds(10_001) }.ExpiresAt.ToUnixTimeSeconds());
        Assert.Equal(DateTimeOffset.MaxValue, new LogEntry { Id = id, ExpiresAt = new DateTimeOffset(2200, 1, 1, 0, 0, 0, TimeSpan.Zero) }.ExpiresAt);
        Assert.Equal(DateTimeOffset.UnixEpoch, new LogEntry { Id = id, ExpiresAt = DateTimeOffset.MinValue }.ExpiresAt);
    }

    [Fact]
    public void An_id_comes_back_from_its_text_and_nothing_else_is_one()
    {
        Gen.Select(Gen.Byte[1, 6], Gen.ULong, Gen.ULong, Gen.UInt).Try((kind, high, low, tag) =>
        {
            var id = new RevocationId((RuleKind)kind, new UInt128(high, low), tag);
            Assert.Equal(41, id.ToString().Length);
            Assert.True(RevocationId.TryParse(id.ToString(), out var back));
            Assert.Equal(id, back);
        }, 100);
        var text = new RevocationId(RuleKind.Token, Key, 1).ToString();
        string?[] wrong = [null, "", text[1..], text + "0", "x" + text[1..], "-" + text[1..], text[..40] + "g", text[..40] + " ", text[..40] + "\0",
            text[..9] + "g" + text[10..]];
        Assert.All(wrong, one => Assert.False(RevocationId.TryParse(one, out _)));
        Assert.Equal("", default(RevocationId).ToString());
        Assert.Equal("", new RevocationId((RuleKind)7, Key, 1).ToString());
    }

    [Fact]
    public void A_cutoff_beyond_the_calendar_is_not_read_and_the_largest_means_whenever()
    {
        var entry = new LogEntry
        {
            Id = IdOf(RuleKind.Key), IssuedBefore = DateTimeOffset.MaxValue, Issuer = "i", Value = "k",
        };
        Assert.Equal(long.MaxValue, entry.Cutoff);
        Assert.True(LogEntry.TryRead(Bytes(entry), out var back));
        Assert.Equal(DateTimeOffset.MaxValue, back.IssuedBefore);
        var (first, last) = (DateTimeOffset.MinValue.ToUnixTimeSeconds(), DateTimeOffset.MaxValue.ToUnixTimeSeconds());
        Assert.All([first, last], cutoff => Assert.True(LogEntry.TryRead(Bytes(entry with { Cutoff = cutoff }), out _)));
        Assert.All(
            [long.MinValue, first - 1, last + 1, long.MaxValue - 1],
            cutoff => Assert.False(LogEntry.TryRead(Bytes(entry with { Cutoff = cutoff }), out _)));
        Assert.False(LogEntry.TryRead(Bytes(entry.Lift with { Cutoff = last + 1 }), out _));
        var ofSubject = entry with { Id = IdOf(RuleKind.Subject) };
        Assert.All([ofSubject, ofSubject.Lift], one => Assert.False(LogEntry.TryRead(Bytes(one), out _)));
    }

    private static Gen<LogEntry> Entries => Gen.Select(
        Gen.Byte[1, 6], Gen.ULong, Gen.UInt, Gen.UInt, Gen.Bool,
        Gen.Select(Gen.String[Gen.Char['a', 'ÿ'], 0, 40], Gen.Long[0, 4_000_000_000]),
        (kind, key, tag, expiry, lift, rest) => new LogEntry
        {
            Id = new RevocationId((RuleKind)kind, KeyOf((RuleKind)kind, key), tag), Expiry = expiry, IsLift = lift,
            Cutoff = kind < 3 ? 0 : rest.Item2, Issuer = lift || kind < 3 ? null : rest.Item1,
            Value = lift || kind < 3 ? null : rest.Item1 + "v",
        });

    private static RevocationId IdOf(RuleKind kind) => new(kind, KeyOf(kind, Key), 1);

    /// <summary>A key names its kind in its last three bits.</summary>
    private static UInt128 KeyOf(RuleKind kind, UInt128 key) => (key & ~(UInt128)7) | (uint)kind;

    private static byte[] Bytes(LogEntry entry)
    {
        var bytes = new byte[entry.Size];
        Assert.Equal(bytes.Length, entry.Write(bytes));
        return bytes;
    }

    private static string Hex(LogEntry entry) => Convert.ToHexStringLower(Bytes(entry));

    [Fact]
    public void A_cutoff_comes_back_and_an_empty_text_is_one()
    {
        var cutoff = DateTimeOffset.FromUnixTimeSeconds(1_700_000_000);
        var entry = new LogEntry
        {
            Id = IdOf(RuleKind.Subject), ExpiresAt = DateTimeOffset.MaxValue, IssuedBefore = cutoff, Issuer = "", Value = "",
        };
        Assert.Equal(cutoff, entry.IssuedBefore);
        Assert.Equal(DateTimeOffset.MaxValue, (entry with { IssuedBefore = DateTimeOffset.MaxValue }).IssuedBefore);
        var bytes = new byte[entry.Size];
        entry.Write(bytes);
        Assert.True(LogEntry.TryRead(bytes, out var read));
        Assert.Equal(entry, read);
        bytes[^2] = 1; // a text that is longer than what is left
        Assert.False(LogEntry.TryRead(bytes, out _));
    }

    [Fact]
    public void A_text_that_is_no_text_is_refused()
    {
        var entry = new LogEntry
        {
            Id = IdOf(RuleKind.Subject), ExpiresAt = DateTimeOffset.MaxValue, IssuedBefore = DateTimeOffset.UnixEpoch,
            Issuer = "i", Value = "u",
        };
        var bytes = new byte[entry.Size];
        entry.Write(bytes);
        Assert.True(LogEntry.TryRead(bytes, out _));
        bytes[^1] = 0xFF;
        Assert.False(LogEntry.TryRead(bytes, out _));
    }
}
