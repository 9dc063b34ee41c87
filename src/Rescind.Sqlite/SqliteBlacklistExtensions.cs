using Microsoft.Extensions.DependencyInjection.Extensions;
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
}
