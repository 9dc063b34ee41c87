using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Options;
using Rescind;

namespace Microsoft.Extensions.DependencyInjection;

/// <summary>Keeps the blacklist in Redis.</summary>
public static class RedisBlacklistExtensions
{
    /// <summary>Keeps revocations in Redis, for a fleet of nodes. Who, why and when stay in each node's
    /// memory.
    /// </summary>
    /// <param name="blacklist">What <c>AddTokenBlacklist()</c> returned.</param>
    /// <param name="configuration"><c>redis://[user:pass@]host[:port][/db]</c>, <c>rediss://…</c> with TLS,
    /// or a connection string of StackExchange.Redis.</param>
    /// <param name="configure">Names in Redis. Default: <see cref="RedisOptions"/> as it is made.</param>
    public static OptionsBuilder<BlacklistOptions> UseRedis(
        this OptionsBuilder<BlacklistOptions> blacklist, string configuration,
        Action<RedisOptions>? configure = null)
    {
        ArgumentNullException.ThrowIfNull(blacklist);
        ArgumentException.ThrowIfNullOrEmpty(configuration);
        blacklist.Services.AddSingleton(services =>
        {
            var names = new RedisOptions();
            configure?.Invoke(names);
            return RedisStore.Open(
                configuration, services.GetRequiredService<IOptions<BlacklistOptions>>().Value, names,
                services.GetService<TimeProvider>(), services.GetService<ILogger<RedisStore>>());
        });
        blacklist.Services.AddSingleton(services => services.GetRequiredService<RedisStore>().Log);
        return blacklist;
    }
}
