using System.Buffers.Binary;
using System.Text;

namespace Rescind;

/// <summary>One line of the log: a revocation, or the lift of one. Token and session rules are stored by the
/// hash in their id; the others carry their exact strings, because outsiders can choose those.</summary>
/// <remarks>
/// The binary form, all numbers little-endian, pinned by golden files: version (1), kind (bit 7: lift), key
/// (16 bytes), tag (4), expiry in Unix seconds (4, all ones: never); for subject, client, key and issuer
/// rules cutoff in Unix seconds (8), and unless it is a lift issuer and value, each with its length in UTF-8
/// bytes (2) before it.
/// </remarks>
public readonly record struct LogEntry
{
    private const byte Version = 1;
    private const byte LiftBit = 0x80;
    private const int HeadSize = 26;
    private const int CutoffSize = 8;

    /// <summary>Seconds that mean "until lifted".</summary>
    internal const uint Never = uint.MaxValue;

    /// <summary>The last second of the calendar, past which no cutoff reaches.</summary>
    internal static readonly long LatestCutoff = DateTimeOffset.MaxValue.ToUnixTimeSeconds();

    /// <summary>The revocation, or for a lift the revocation that is undone.</summary>
    public required RevocationId Id { get; init; }

    /// <summary>Whether this undoes <see cref="Id"/>.</summary>
    public bool IsLift { get; init; }

    /// <summary>When the last token ends that this may hit; the maximum value: never. Whole seconds. It is
    /// forgotten a <see cref="BlacklistOptions.ClockSkew"/> later.</summary>
    public DateTimeOffset ExpiresAt
    {
        get => Expiry == Never ? DateTimeOffset.MaxValue : DateTimeOffset.FromUnixTimeSeconds(Expiry);
        init => Expiry = SecondsOf(value);
    }

    /// <summary>The cutoff of subject, client and issuer rules; the maximum value for key rules. A lift says
    /// it too: tokens were stamped past it, also where only the lift is heard of (docs/decisions/0026).
    /// </summary>
    public DateTimeOffset IssuedBefore
    {
        get => Cutoff == long.MaxValue
            ? DateTimeOffset.MaxValue
            : DateTimeOffset.FromUnixTimeSeconds(Cutoff);
        init => Cutoff = value == DateTimeOffset.MaxValue ? long.MaxValue : value.ToUnixTimeSeconds();
    }

    /// <summary>The exact issuer of subject, client, key and issuer rules; null for the others and for lifts.
    /// </summary>
    public string? Issuer { get; init; }

    /// <summary>The exact value of subject, client, key and issuer rules; null for the others and for lifts.
    /// </summary>
    public string? Value { get; init; }

    internal uint Expiry { get; init; }

    internal long Cutoff { get; init; }

    /// <summary>The lift of this rule.</summary>
    internal LogEntry Lift => new() { Id = Id, Expiry = Expiry, Cutoff = Cutoff, IsLift = true };

    private bool HasCutoff => Id.Kind is not (RuleKind.Token or RuleKind.Session);

    private bool HasText => HasCutoff && !IsLift;

    /// <summary>The size of the binary form, in bytes.</summary>
    public int Size => HeadSize + (HasCutoff ? CutoffSize : 0)
        + (HasText ? 4 + Encoding.UTF8.GetByteCount(Issuer!) + Encoding.UTF8.GetByteCount(Value!) : 0);

    /// <summary>Writes the binary form.</summary>
    /// <param name="target">At least <see cref="Size"/> bytes.</param>
    /// <returns>How many bytes were written.</returns>
    /// <exception cref="ArgumentException"><paramref name="target"/> is too small.</exception>
    public int Write(Span<byte> target)
    {
        target[0] = Version;
        target[1] = (byte)((byte)Id.Kind | (IsLift ? LiftBit : 0));
        BinaryPrimitives.WriteUInt128LittleEndian(target[2..], Id.Key);
        BinaryPrimitives.WriteUInt32LittleEndian(target[18..], Id.Tag);
        BinaryPrimitives.WriteUInt32LittleEndian(target[22..], Expiry);
        if (!HasCutoff)
        {
            return HeadSize;
        }
        BinaryPrimitives.WriteInt64LittleEndian(target[HeadSize..], Cutoff);
        var used = HeadSize + CutoffSize;
        if (!HasText)
        {
            return used;
        }
        used += WriteText(target[used..], Issuer!);
        used += WriteText(target[used..], Value!);
        return used;
    }

    /// <summary>Reads the binary form.</summary>
    /// <param name="source">Exactly one entry.</param>
    /// <param name="entry">The entry, or the default value.</param>
    /// <returns>False for anything that this version did not write; such an entry must stop its reader.
    /// </returns>
    public static bool TryRead(ReadOnlySpan<byte> source, out LogEntry entry)
    {
        entry = default;
        if (source.Length < HeadSize || source[0] != Version)
        {
            return false;
        }
        var kind = (RuleKind)(source[1] & ~LiftBit);
        if (kind is < RuleKind.Token or > RuleKind.Issuer)
        {
            return false;
        }
        var head = new LogEntry
        {
            Id = new RevocationId(
                kind,
                BinaryPrimitives.ReadUInt128LittleEndian(source[2..]),
                BinaryPrimitives.ReadUInt32LittleEndian(source[18..])),
            IsLift = (source[1] & LiftBit) != 0,
            Expiry = BinaryPrimitives.ReadUInt32LittleEndian(source[22..]),
        };
        if (!TokenKey.Fits(head.Id))
        {
            return false;
        }
        var rest = source[HeadSize..];
        if (!head.HasCutoff)
        {
            entry = head;
            return rest.IsEmpty;
        }
        return rest.Length >= CutoffSize && TryReadCutoff(head, rest, out entry);
    }

    /// <summary>Whole seconds, rounded up so that nothing is forgotten early.</summary>
    internal static uint SecondsOf(DateTimeOffset time)
    {
        var seconds = time.ToUnixTimeSeconds() + (time.Ticks % TimeSpan.TicksPerSecond == 0 ? 0 : 1);
        return seconds >= Never ? Never : (uint)Math.Max(seconds, 0);
    }

    private static bool TryReadCutoff(LogEntry head, ReadOnlySpan<byte> rest, out LogEntry entry)
    {
        entry = default;
        var cutoff = BinaryPrimitives.ReadInt64LittleEndian(rest);
        rest = rest[CutoffSize..];
        string? issuer = null, value = null;
        var isText = !head.HasText || (TryTakeText(ref rest, out issuer) && TryTakeText(ref rest, out value));
        if (!isText || !rest.IsEmpty)
        {
            return false;
        }
        entry = head with { Cutoff = cutoff, Issuer = issuer, Value = value };
        return cutoff == long.MaxValue
            ? head.Id.Kind == RuleKind.Key
            : cutoff <= LatestCutoff && cutoff >= DateTimeOffset.MinValue.ToUnixTimeSeconds();
    }

    private static int WriteText(Span<byte> target, string text)
    {
        var bytes = Encoding.UTF8.GetBytes(text, target[2..]);
        BinaryPrimitives.WriteUInt16LittleEndian(target, checked((ushort)bytes));
        return bytes + 2;
    }

    private static bool TryTakeText(ref ReadOnlySpan<byte> rest, out string? text)
    {
        text = null;
        if (rest.Length < 2)
        {
            return false;
        }
        var length = BinaryPrimitives.ReadUInt16LittleEndian(rest);
        if (rest.Length < 2 + length || !System.Text.Unicode.Utf8.IsValid(rest.Slice(2, length)))
        {
            return false;
        }
        text = Encoding.UTF8.GetString(rest.Slice(2, length));
        rest = rest[(2 + length)..];
        return true;
    }
}
