// What makes the trail tamper-evident. Each event's hash is an HMAC over the hash before it and all its
// fields, with a key that is not in the database: whoever can write to the database can neither change, nor
// insert, nor drop, nor reorder an event in the middle without breaking the chain. What it cannot show: that
// the newest events of a node's chain were cut off; the node itself knows its head, and logs it every hour.
using System.Buffers.Text;
using System.Security.Cryptography;
using System.Text;

namespace Rescind.Server.Audit;

/// <summary>The key of the chains.</summary>
internal sealed class AuditKey
{
    private readonly byte[] _key;

    public AuditKey(string secret)
    {
        _key = SHA256.HashData(Encoding.UTF8.GetBytes(secret));
        Id = Base64Url.EncodeToString(HMACSHA256.HashData(_key, "rescind audit key id"u8).AsSpan(0, 9));
    }

    /// <summary>Follows from the key, and tells nothing about it.</summary>
    public string Id { get; }

    public byte[] Sign(ReadOnlySpan<byte> data) => HMACSHA256.HashData(_key, data);

    // Shown nowhere.
    public override string ToString() => nameof(AuditKey);
}

internal static class AuditChain
{
    /// <summary>What the first event of a chain continues.</summary>
    public static readonly byte[] Beginning = new byte[HMACSHA256.HashSizeInBytes];

    public static byte[] HashOf(AuditRow row, byte[] previous, AuditKey key)
    {
        using var bytes = new MemoryStream();
        using var writer = new BinaryWriter(bytes, Encoding.UTF8);
        writer.Write("event"u8);
        writer.Write(previous);
        writer.Write(row.Chain);
        writer.Write(row.Number);
        Write(writer, row.EventType, row.UserId, row.Jti, row.TokenType, row.Reason, row.Actor, row.ActorType,
            row.Ip, row.UserAgent, row.RequestId, row.Note, row.KeyId);
        writer.Write(row.Count);
        writer.Write(MicrosecondsOf(row.Timestamp));
        writer.Flush();
        return key.Sign(bytes.GetBuffer().AsSpan(0, (int)bytes.Length));
    }

    public static byte[] SignatureOf(AuditAnchor anchor, AuditKey key)
    {
        using var bytes = new MemoryStream();
        using var writer = new BinaryWriter(bytes, Encoding.UTF8);
        writer.Write("anchor"u8);
        writer.Write(anchor.Hash);
        writer.Write(anchor.Chain);
        writer.Write(anchor.Number);
        writer.Write(MicrosecondsOf(anchor.PrunedAt));
        writer.Write(anchor.KeyId);
        writer.Flush();
        return key.Sign(bytes.GetBuffer().AsSpan(0, (int)bytes.Length));
    }

    /// <summary>What is wrong with an event of a chain, or null.</summary>
    /// <param name="row">The event.</param>
    /// <param name="before">The number of the event before it.</param>
    /// <param name="previous">The hash of the event before it.</param>
    /// <param name="key">The key of this node.</param>
    public static BrokenEvent? FaultOf(AuditRow row, long before, byte[] previous, AuditKey key) => row switch
    {
        _ when row.Number != before + 1 => new BrokenEvent(before + 1, "missing"),
        _ when row.KeyId != key.Id => new BrokenEvent(
            row.Number, "its key is not known here: set the same AUDIT_KEY on all nodes"),
        _ when !HashOf(row, previous, key).AsSpan().SequenceEqual(row.Hash) =>
            new BrokenEvent(row.Number, "changed"),
        _ => null,
    };

    /// <summary>What is wrong with an anchor, or null.</summary>
    public static BrokenEvent? FaultOf(AuditAnchor anchor, AuditKey key) => anchor switch
    {
        _ when anchor.KeyId != key.Id => new BrokenEvent(
            anchor.Number, "the key of its anchor is not known here: set the same AUDIT_KEY on all nodes"),
        _ when !SignatureOf(anchor, key).AsSpan().SequenceEqual(anchor.Signature) =>
            new BrokenEvent(anchor.Number, "its anchor is forged"),
        _ => null,
    };

    /// <summary>A time as every database keeps it.</summary>
    public static DateTime Rounded(DateTime time) =>
        new(time.Ticks - (time.Ticks % TimeSpan.TicksPerMicrosecond), DateTimeKind.Utc);

    private static long MicrosecondsOf(DateTime time) =>
        (time.Ticks - DateTime.UnixEpoch.Ticks) / TimeSpan.TicksPerMicrosecond;

    /// <summary>Each with its length, and absent told from empty, so that no two rows read alike.</summary>
    private static void Write(BinaryWriter writer, params ReadOnlySpan<string?> texts)
    {
        foreach (var text in texts)
        {
            writer.Write(text is not null);
            writer.Write(text ?? "");
        }
    }
}
