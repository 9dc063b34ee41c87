using System.Security.Cryptography;
using System.Text;

namespace Rescind.Redis;

/// <summary>
/// Proves that entries were written by a node that has the fleet's key, for one log: whoever can only write
/// to Redis can neither forge nor lift a revocation. HMAC-SHA-256, cut to 16 bytes. Entries are a union, so
/// repeating a genuine one changes nothing, and neither its place nor its time is sealed. Not protected:
/// somebody who can write to Redis can still remove entries; nodes give back what a lost log lacks, but not
/// what was taken out of its middle.
/// </summary>
internal sealed class LogSeal
{
    public const int Size = 16;

    private readonly byte[] _key;

    /// <param name="secret">The fleet's secret.</param>
    /// <param name="prefix">The log's name, so that entries of another log with the same secret are
    /// none.</param>
    public LogSeal(string secret, string prefix)
    {
        _key = HMACSHA256.HashData(
            Encoding.UTF8.GetBytes(secret), Encoding.UTF8.GetBytes($"rescind log entries {prefix}"));
        var print = HMACSHA256.HashData(_key, "fingerprint"u8);
        Fingerprint = Convert.ToHexStringLower(print.AsSpan(0, 8));
    }

    /// <summary>Tells two keys apart, and says nothing about them.</summary>
    public string Fingerprint { get; }

    public void Write(ReadOnlySpan<byte> body, Span<byte> seal)
    {
        Span<byte> whole = stackalloc byte[HMACSHA256.HashSizeInBytes];
        HMACSHA256.HashData(_key, body, whole);
        whole[..Size].CopyTo(seal);
    }

    public bool IsGenuine(ReadOnlySpan<byte> body, ReadOnlySpan<byte> seal)
    {
        Span<byte> expected = stackalloc byte[Size];
        Write(body, expected);
        return CryptographicOperations.FixedTimeEquals(expected, seal);
    }
}
