using System.Diagnostics.CodeAnalysis;

namespace Rescind.AspNetCore;

/// <summary>How much a bearer scheme remembers.</summary>
internal sealed record VerifiedLimits(int Tokens, long Bytes);

/// <summary>
/// The remembered tokens of one bearer scheme, bounded in number and bytes. A digest selects a row of eight
/// places; readers look at the digests' first words, one cache line, take no lock and write nothing but a
/// flag. A writer that finds a row full replaces the first token in it that nobody asked for lately, so its
/// cost does not depend on how much is remembered. Each write also looks at a few other places and empties
/// those whose time is over.
/// </summary>
internal sealed class VerifiedTable(VerifiedLimits limits)
{
    private const int Places = 8;
    private const int SweepAtAWrite = 4;
    private const int MostEmptiedForRoom = 64;

    private readonly Lock _gate = new();
    private readonly int _rows = Math.Max(1, limits.Tokens / Places);
    private ulong[]? _words;
    private VerifiedToken?[]? _tokens;
    private int _hand;
    private int _count;
    private long _bytes;

    public int Count => Volatile.Read(ref _count);

    public long Bytes => Volatile.Read(ref _bytes);

    public VerifiedToken? Find(in TokenDigest digest)
    {
        if (Volatile.Read(ref _tokens) is not { } tokens)
        {
            return null;
        }
        var row = Row(digest);
        var words = _words.AsSpan(row, Places);
        for (var place = 0; place < words.Length; place++)
        {
            if (words[place] == digest.A
                && Volatile.Read(ref tokens[row + place]) is { } found && found.Digest == digest)
            {
                if (!found.IsUsed)
                {
                    found.IsUsed = true;
                }
                return found;
            }
        }
        return null;
    }

    /// <param name="token">Is remembered, unless it alone is larger than all may be.</param>
    /// <param name="over">Tokens whose <c>exp</c> is not after this time are over.</param>
    public void Add(VerifiedToken token, DateTime over)
    {
        lock (_gate)
        {
            MakeArrays_NeedsLock();
            var row = Row(token.Digest);
            Empty_NeedsLock(PlaceFor_NeedsLock(row, token.Digest, over, out var place));
            Sweep_NeedsLock(over);
            if (HasRoom_NeedsLock(token.Bytes))
            {
                _words[place] = token.Digest.A;
                Volatile.Write(ref _tokens[place], token);
                _count++;
                _bytes += token.Bytes;
            }
        }
    }

    /// <summary>Forgets this very object; one that took its place since stays.</summary>
    public void Remove(VerifiedToken token)
    {
        lock (_gate)
        {
            var row = Row(token.Digest);
            for (var place = row; _tokens is not null && place < row + Places; place++)
            {
                if (ReferenceEquals(_tokens[place], token))
                {
                    Empty_NeedsLock(place);
                }
            }
        }
    }

    [MemberNotNull(nameof(_words), nameof(_tokens))]
    private void MakeArrays_NeedsLock()
    {
        _words ??= new ulong[_rows * Places];
        if (_tokens is null)
        {
            Volatile.Write(ref _tokens, new VerifiedToken?[_rows * Places]);
        }
    }

    /// <summary>The place of this digest in its row: its own, else an empty one, else one whose time is over,
    /// else the first that was not asked for since it was last passed over.</summary>
    private int PlaceFor_NeedsLock(int row, in TokenDigest digest, DateTime over, out int place)
    {
        var best = (Rank: int.MaxValue, Place: row);
        for (place = row; place < row + Places; place++)
        {
            var rank = _tokens![place] switch
            {
                { } same when same.Digest == digest => 0,
                null => 1,
                { } old when old.ValidTo <= over => 2,
                { IsUsed: false } => 3,
                _ => 4,
            };
            best = rank < best.Rank ? (rank, place) : best;
        }
        if (best.Rank == 4)
        {
            // All were asked for: each gets to prove it again, and one of them, by chance, goes.
            best.Place = row + (int)(digest.B % Places);
            for (var other = row; other < row + Places; other++)
            {
                _tokens![other]!.IsUsed = false;
            }
        }
        return place = best.Place;
    }

    private void Sweep_NeedsLock(DateTime over)
    {
        for (var step = 0; step < SweepAtAWrite; step++)
        {
            var place = NextPlace_NeedsLock();
            if (_tokens![place] is { } old && old.ValidTo <= over)
            {
                Empty_NeedsLock(place);
            }
        }
    }

    private bool HasRoom_NeedsLock(int bytes)
    {
        for (var step = 0; _bytes + bytes > limits.Bytes && step < MostEmptiedForRoom; step++)
        {
            Empty_NeedsLock(NextPlace_NeedsLock());
        }
        return _bytes + bytes <= limits.Bytes;
    }

    private int NextPlace_NeedsLock() => _hand = (_hand + 1) % _tokens!.Length;

    private void Empty_NeedsLock(int place)
    {
        if (_tokens![place] is not { } old)
        {
            return;
        }
        _count--;
        _bytes -= old.Bytes;
        _words![place] = 0;
        Volatile.Write(ref _tokens[place], null);
    }

    private int Row(in TokenDigest digest) => (int)(((digest.A >> 32) * (ulong)_rows) >> 32) * Places;
}
