using System.IO.Hashing;
using System.Runtime.InteropServices;
using System.Security.Cryptography;

namespace Rescind;

/// <summary>
/// Says of almost every value that no rule names it, by one word of memory. Few users are revoked, so
/// nearly every check would otherwise hash and search strings for nothing. Guarantees: a value that was added
/// is never denied; a reader needs no lock. Trades away: one in 200 values is looked up in vain, and
/// values that are gone are only left out of the next filter.
/// </summary>
internal sealed class CutoffFilter(int values)
{
    /// <summary>16 bits for each.</summary>
    private const int ValuesInWord = 4;

    /// <summary>Drawn for each process: whoever chooses names must not be able to fill the filter.</summary>
    private static readonly long Seed = BitConverter.ToInt64(RandomNumberGenerator.GetBytes(sizeof(long)));

    private readonly ulong[] _words = new ulong[(values / ValuesInWord) + 1];
    private int _added;

    public bool IsFull => _added >= values;

    public long Bytes => _words.Length * sizeof(ulong);

    public bool MayHold(RuleKind kind, string value)
    {
        var hash = HashOf(kind, value);
        var mask = Mask(hash);
        return (Volatile.Read(ref _words[Word(hash)]) & mask) == mask;
    }

    /// <summary>The writer's.</summary>
    public void Add(RuleKind kind, string value)
    {
        var hash = HashOf(kind, value);
        ref var word = ref _words[Word(hash)];
        Volatile.Write(ref word, word | Mask(hash));
        _added++;
    }

    private static ulong HashOf(RuleKind kind, string value) =>
        XxHash3.HashToUInt64(MemoryMarshal.AsBytes(value.AsSpan()), Seed + (long)kind);

    private uint Word(ulong hash) => (uint)(((hash >> 32) * (uint)_words.Length) >> 32);

    /// <summary>Four bits of the word, from the half that did not choose it.</summary>
    private static ulong Mask(ulong hash) =>
        (1UL << (int)hash) | (1UL << (int)(hash >> 6))
        | (1UL << (int)(hash >> 12)) | (1UL << (int)(hash >> 18));
}
