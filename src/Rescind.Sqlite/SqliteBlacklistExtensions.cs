using Microsoft.Extensions.DependencyInjection.Extensions;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Options;
using Rescind;

namespace Microsoft.Extensions.DependencyInjection;

/// <summary>Keeps the blacklist in a SQLite file.</summary>
public static class SqliteBlacklistExtensions
{
    /// <summary>Keeps revocations and their records in a SQLite file, for one process. Every revocation is on
    /// disk before its call returns.</summary>
    /// <param name="blacklist">What <c>AddTokenBlacklist()</c> returned.</param>
    /// <param name="path">The file; made when it does not exist. Relative to the working folder.</param>
    public static OptionsBuilder<BlacklistOptions> UseSqlite(
        this OptionsBuilder<BlacklistOptions> blacklist, string path)
    {
        ArgumentNullException.ThrowIfNull(blacklist);
        ArgumentException.ThrowIfNullOrEmpty(path);
        blacklist.Services.TryAddSingleton(
            services => SqliteStore.Open(path, services.GetService<TimeProvider>()));
        blacklist.Services.AddSingleton(services => services.GetRequiredService<SqliteStore>().Log);
        blacklist.Services.AddSingleton(services => services.GetRequiredService<SqliteStore>().Records);
        return blacklist;
    }

    /// <summary>Keeps a copy of the shared log, and who, why and when, in a SQLite file of this process. Own
    /// revocations are committed to it while they are appended, so they outlive any outage of the shared log;
    /// a start while the log is away refuses all that this node knew.</summary>
    /// <param name="blacklist">What <c>AddTokenBlacklist()</c> returned, after a shared log was chosen:
    /// <c>.UseRedis(…).KeepLocally("rescind.db")</c>.</param>
    /// <param name="path">The file; made when it does not exist. One process a file.</param>
    /// <exception cref="InvalidOperationException">No log was chosen yet, or it is a local one.</exception>
    public static OptionsBuilder<BlacklistOptions> KeepLocally(
        this OptionsBuilder<BlacklistOptions> blacklist, string path)
    {
        ArgumentNullException.ThrowIfNull(blacklist);
        ArgumentException.ThrowIfNullOrEmpty(path);
        var shared = TakeSharedLog(blacklist.Services);
        blacklist.Services.AddSingleton(services => SqliteStore.KeepLocally(
            path, shared(services), services.GetRequiredService<IOptions<BlacklistOptions>>().Value,
            services.GetService<TimeProvider>(), services.GetService<ILogger<SqliteStore>>()));
        blacklist.Services.AddSingleton(services => services.GetRequiredService<SqliteStore>().Log);
        blacklist.Services.AddSingleton(services => services.GetRequiredService<SqliteStore>().Records);
        return blacklist;
    }

    /// <summary>Takes the log that was chosen out of the services: the journaled one takes its
    /// place.</summary>
    private static Func<IServiceProvider, IRevocationLog> TakeSharedLog(IServiceCollection services)
    {
        var chosen = services.LastOrDefault(one => one.ServiceType == typeof(IRevocationLog));
        if (chosen is null || services.Any(one => one.ServiceType == typeof(SqliteStore)))
        {
            throw new InvalidOperationException(
                "KeepLocally keeps a copy of a shared log, so choose that first, once: "
                + "AddTokenBlacklist().UseRedis(\"redis://…\").KeepLocally(\"rescind.db\").");
        }
        services.Remove(chosen);
        return provider => (IRevocationLog)(chosen.ImplementationInstance
            ?? chosen.ImplementationFactory?.Invoke(provider)
            ?? ActivatorUtilities.CreateInstance(provider, chosen.ImplementationType!));
    }
}
