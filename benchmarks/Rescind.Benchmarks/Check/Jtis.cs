using System.Buffers.Binary;
using System.IO.Hashing;

namespace Rescind.Benchmarks;

/// <summary>Token ids as issuers write them: the text of a UUID, drawn from its number, so that ten million need not
/// be kept.</summary>
internal static class Jtis
{
    private static long _fresh = long.MaxValue / 2;

    public static Guid Guid(long number)
    {
        Span<byte> bytes = stackalloc byte[sizeof(long)];
        BinaryPrimitives.WriteInt64LittleEndian(bytes, number);
        Span<byte> hash = stackalloc byte[16];
        XxHash128.Hash(bytes, hash);
        return new Guid(hash);
    }

    public static string Text(long number) => Guid(number).ToString();

    /// <summary>Ids that nobody has had before.</summary>
    public static string[] Fresh(int count)
    {
        var last = Interlocked.Add(ref _fresh, count);
        var ids = new string[count];
        for (var i = 0; i < count; i++)
        {
            ids[i] = Text(last - i);
        }
        return ids;
    }

    /// <summary>Ids spread over the revoked ones, or over numbers that are not revoked.</summary>
    public static string[] Some(int count, long revoked, bool hit)
    {
        var random = new Random(7);
        var ids = new string[count];
        for (var i = 0; i < count; i++)
        {
            ids[i] = Text(hit ? random.NextInt64(revoked) : revoked + random.NextInt64(long.MaxValue / 2));
        }
        return ids;
    }
}
