using System.Collections.Concurrent;
using System.Collections.Frozen;
using Microsoft.Extensions.Caching.Hybrid;
using Microsoft.Extensions.Caching.Memory;
using Microsoft.Extensions.DependencyInjection;
using ZiggyCreatures.Caching.Fusion;

namespace Rescind.Benchmarks;

/// <summary>A way to know whether a token is revoked.</summary>
internal abstract class Contender
{
    public abstract string Name { get; }

    /// <summary>Revokes the ids of numbers below <paramref name="count"/>.</summary>
    public abstract void Fill(long count);

    public abstract bool IsRevoked(string id);

    /// <summary>How many of these are revoked.</summary>
    public virtual int Check(string[] ids)
    {
        var found = 0;
        foreach (var id in ids)
        {
            found += IsRevoked(id) ? 1 : 0;
        }
        return found;
    }

    /// <summary>Native memory, which the collector does not count.</summary>
    public virtual long NativeBytes => 0;
}

/// <summary>What most code that checks in memory does.</summary>
internal sealed class ConcurrentDictionaryWay : Contender
{
    private readonly ConcurrentDictionary<string, long> _revoked = new(StringComparer.Ordinal);

    public override string Name => "ConcurrentDictionary";

    public override void Fill(long count)
    {
        for (var i = 0L; i < count; i++)
        {
            _revoked[Jtis.Text(i)] = long.MaxValue;
        }
    }

    public override bool IsRevoked(string id) => _revoked.TryGetValue(id, out var expiry) && expiry > 0;
}

/// <summary>A dictionary of UUIDs: what fits when every jti is one.</summary>
internal sealed class GuidDictionaryWay : Contender
{
    private readonly Dictionary<Guid, uint> _revoked = [];

    public override string Name => "Dictionary<Guid, uint>";

    public override void Fill(long count)
    {
        for (var i = 0L; i < count; i++)
        {
            _revoked[Jtis.Guid(i)] = uint.MaxValue;
        }
    }

    public override bool IsRevoked(string id) => Guid.TryParseExact(id, "D", out var parsed) && _revoked.ContainsKey(parsed);
}

/// <summary>Frozen: the fastest set that .NET has, and one that cannot grow.</summary>
internal sealed class FrozenSetWay : Contender
{
    private FrozenSet<string> _revoked = FrozenSet<string>.Empty;

    public override string Name => "FrozenSet";

    public override void Fill(long count)
    {
        var ids = new string[count];
        for (var i = 0L; i < count; i++)
        {
            ids[i] = Jtis.Text(i);
        }
        _revoked = ids.ToFrozenSet(StringComparer.Ordinal);
    }

    public override bool IsRevoked(string id) => _revoked.Contains(id);
}

internal sealed class MemoryCacheWay : Contender, IDisposable
{
    private readonly MemoryCache _revoked = new(new MemoryCacheOptions());

    public override string Name => "MemoryCache";

    public override void Fill(long count)
    {
        for (var i = 0L; i < count; i++)
        {
            _revoked.Set(Jtis.Text(i), value: true, DateTimeOffset.UtcNow.AddDays(1));
        }
    }

    public override bool IsRevoked(string id) => _revoked.TryGetValue(id, out _);

    public void Dispose() => _revoked.Dispose();
}

internal sealed class FusionCacheWay : Contender, IDisposable
{
    private readonly FusionCache _revoked = new(new FusionCacheOptions());
    private readonly FusionCacheEntryOptions _day = new(TimeSpan.FromDays(1));

    public override string Name => "FusionCache";

    public override void Fill(long count)
    {
        for (var i = 0L; i < count; i++)
        {
            _revoked.Set(Jtis.Text(i), value: true, _day);
        }
    }

    public override bool IsRevoked(string id) => _revoked.TryGet<bool>(id, _day).HasValue;

    public void Dispose() => _revoked.Dispose();
}

/// <summary>HybridCache has no way to ask without fetching; flags that forbid to write keep a miss a miss.</summary>
internal sealed class HybridCacheWay : Contender, IDisposable
{
    private static readonly HybridCacheEntryOptions Day = new() { Expiration = TimeSpan.FromDays(1) };

    private static readonly HybridCacheEntryOptions LookOnly = new()
    {
        Flags = HybridCacheEntryFlags.DisableLocalCacheWrite | HybridCacheEntryFlags.DisableDistributedCache,
    };

    private readonly ServiceProvider _services;
    private readonly HybridCache _revoked;

    public HybridCacheWay()
    {
        var services = new ServiceCollection();
        services.AddHybridCache();
        _services = services.BuildServiceProvider();
        _revoked = _services.GetRequiredService<HybridCache>();
    }

    public override string Name => "HybridCache";

    public override void Fill(long count)
    {
        for (var i = 0L; i < count; i++)
        {
            _revoked.SetAsync(Jtis.Text(i), value: true, Day).AsTask().Wait();
        }
    }

    public override bool IsRevoked(string id)
    {
        var check = _revoked.GetOrCreateAsync(id, static _ => ValueTask.FromResult(false), LookOnly);
        return check.IsCompletedSuccessfully ? check.Result : check.AsTask().Result;
    }

    public void Dispose() => _services.Dispose();
}
