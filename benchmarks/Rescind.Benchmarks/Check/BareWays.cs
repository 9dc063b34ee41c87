using System.IO.Hashing;
using System.Runtime.InteropServices;
using StackExchange.Redis;

namespace Rescind.Benchmarks;

/// <summary>The index alone, from the jti: what a structure is compared with, without clocks, counters and
/// rules.</summary>
internal sealed class ProbeWay : Contender
{
    private const string Issuer = OurWay.Issuer;
    private readonly TokenTable _table = new();

    public const string Words = "Rescind, the look-up alone";

    public override string Name => Words;

    public override long NativeBytes => _table.Bytes;

    public override void Fill(long count)
    {
        for (var i = 0L; i < count; i++)
        {
            _table.Add_NeedsLock(TokenKey.Of(RuleKind.Token, Issuer, Jtis.Text(i)), 1, uint.MaxValue);
        }
    }

    public override bool IsRevoked(string id) => _table.Contains(TokenKey.Of(RuleKind.Token, Issuer, id));
}

/// <summary>KrakenD's way: a Bloom filter and nothing behind it (10 bits an entry, 7 hashes by double hashing).
/// It refuses good tokens, and forgets nothing before it is rebuilt.</summary>
internal sealed class BloomWay : Contender
{
    private const int BitsEach = 10;
    private const int Hashes = 7;
    private ulong[] _bits = [];

    public override string Name => "Bloom filter alone";

    public override void Fill(long count)
    {
        _bits = new ulong[(count * BitsEach / 64) + 1];
        for (var i = 0L; i < count; i++)
        {
            var (first, second) = Split(Jtis.Text(i));
            for (var k = 0UL; k < Hashes; k++)
            {
                var bit = Bit(first + (k * second));
                _bits[bit >> 6] |= 1UL << (int)(bit & 63);
            }
        }
    }

    public override bool IsRevoked(string id)
    {
        var (first, second) = Split(id);
        for (var k = 0UL; k < Hashes; k++)
        {
            var bit = Bit(first + (k * second));
            if ((_bits[bit >> 6] & (1UL << (int)(bit & 63))) == 0)
            {
                return false;
            }
        }
        return true;
    }

    private static (ulong First, ulong Second) Split(string id)
    {
        var hash = XxHash128.HashToUInt128(MemoryMarshal.AsBytes(id.AsSpan()));
        return ((ulong)hash, (ulong)(hash >> 64) | 1);
    }

    private ulong Bit(ulong hash) => (ulong)(((UInt128)hash * ((ulong)_bits.Length * 64)) >> 64);
}

/// <summary>What most services do: <c>EXISTS</c> for each request, awaited, on a real server on loopback.</summary>
internal sealed class RedisWay : Contender, IAsyncDisposable
{
    private readonly RedisProcess _server;
    private readonly ConnectionMultiplexer _pool;
    private readonly IDatabase _db;

    private RedisWay(RedisProcess server, ConnectionMultiplexer pool) =>
        (_server, _pool, _db) = (server, pool, pool.GetDatabase());

    public override string Name => "EXISTS in Redis, awaited";

    public static async Task<RedisWay> StartAsync()
    {
        var server = await RedisProcess.StartAsync();
        return new RedisWay(server, await server.ConnectAsync());
    }

    public override void Fill(long count)
    {
        for (var i = 0L; i < count; i += 1000)
        {
            var batch = Enumerable.Range(0, (int)Math.Min(1000, count - i))
                .Select(j => new KeyValuePair<RedisKey, RedisValue>("blacklist:" + Jtis.Text(i + j), "1"));
            _db.StringSet([.. batch]);
        }
    }

    public override bool IsRevoked(string id) => _db.KeyExists("blacklist:" + id);

    public override int Check(string[] ids) => CheckAsync(ids).Result;

    public async ValueTask DisposeAsync()
    {
        await _pool.DisposeAsync();
        await _server.DisposeAsync();
    }

    private async Task<int> CheckAsync(string[] ids)
    {
        var found = 0;
        foreach (var id in ids)
        {
            found += await _db.KeyExistsAsync("blacklist:" + id) ? 1 : 0;
        }
        return found;
    }
}
