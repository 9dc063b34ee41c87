using System.Diagnostics.Metrics;
using Microsoft.AspNetCore.Authentication.JwtBearer;
using Microsoft.AspNetCore.Hosting;
using Microsoft.Extensions.DependencyInjection.Extensions;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Options;
using Rescind;
using Rescind.AspNetCore;

namespace Microsoft.Extensions.DependencyInjection;

/// <summary>Adds the token blacklist to an application.</summary>
public static class TokenBlacklistServiceCollectionExtensions
{
    /// <summary>Every JWT bearer scheme of this application refuses revoked tokens from now on: 401 with
    /// <c>error="invalid_token"</c> and the code <c>token_revoked</c>. May stand before or after
    /// <c>AddJwtBearer</c>, and calling it twice does no harm.</summary>
    /// <remarks>
    /// Choose a store on the result, for example <c>.UseSqlite("rescind.db")</c>; without one revocations
    /// live in this process's memory and the health check <c>token-blacklist</c> is Degraded. The start is
    /// refused, with a message that says the remedy, when there is no bearer scheme; when a scheme's events
    /// are replaced after the guard was put in place; with <c>UseSecurityTokenValidators</c>; when a scheme
    /// accepts tokens longer than <see cref="BlacklistOptions.ClockSkew"/> after their end; with two stores;
    /// and when the log cannot be read.
    /// </remarks>
    /// <param name="services">The services.</param>
    /// <param name="configure">Sets options; may be given in several calls.</param>
    /// <returns>The builder on which a store is chosen.</returns>
    public static OptionsBuilder<BlacklistOptions> AddTokenBlacklist(
        this IServiceCollection services, Action<BlacklistOptions>? configure = null)
    {
        ArgumentNullException.ThrowIfNull(services);
        var options = services.AddOptions<BlacklistOptions>();
        if (configure is not null)
        {
            options.Configure(configure);
        }
        if (services.Any(service => service.ServiceType == typeof(Guard)))
        {
            return options;
        }
        services.AddLogging();
        services.AddMetrics();
        services.AddAuthorization();
        services.TryAddSingleton(provider => Make(provider, services));
        services.AddSingleton<GuardMetrics>();
        services.AddSingleton<Guard>();
        services.AddSingleton<GuardSetup>();
        services.AddSingleton<IPostConfigureOptions<JwtBearerOptions>>(
            provider => provider.GetRequiredService<GuardSetup>());
        services.AddSingleton<IValidateOptions<JwtBearerOptions>>(
            provider => provider.GetRequiredService<GuardSetup>());
        services.AddSingleton<GuardCheck>();
        services.AddSingleton<AdminPolicies>();
        services.AddSingleton<CleanupMemory>();
        services.AddSingleton<Clock>();
        services.AddSingleton<IStartupFilter, RefusalBody>();
        services.AddHostedService<BlacklistService>();
        services.AddSingleton<BlacklistHealth>();
        services.AddHealthChecks().AddCheck<BlacklistHealth>(BlacklistHealth.Name);
        return options;
    }

    /// <summary>A token whose signature a bearer scheme has verified is not verified again for each request:
    /// its SHA-256, what it says and a copy of its caller are remembered. Revocations lose nothing by it: the
    /// blacklist is asked on every request as always.</summary>
    /// <remarks>
    /// Judged anew on every request, as the scheme would: lifetime, audience, issuer, type, algorithm, and
    /// that the very key object that verified the token is one of the scheme's or its provider's now. The
    /// signature itself is verified again after 5 minutes, when the scheme's options or its provider's
    /// metadata change, and in any doubt. Each request gets a caller of its own, and the application's events
    /// run as always; <c>CaseSensitiveClaimsIdentity.SecurityToken</c> is null on a remembered caller, as on
    /// any cloned one, while <c>TokenValidatedContext.SecurityToken</c> and <c>SaveToken</c> work.
    /// <para>Left alone, with one line in the log that says why: schemes with a handler or token handlers of
    /// another type, and those whose rules set <c>SignatureValidator</c>, <c>IssuerSigningKeyResolver</c>,
    /// <c>CryptoProviderFactory</c>, <c>TokenReader</c>, a replay cache, or the like. Encrypted tokens, and
    /// those longer than 8,192 characters, are never remembered.</para>
    /// <para>The price: whoever holds a token can tell by the time of an answer whether this process has seen
    /// it within the last minutes. See docs/threats.md.</para>
    /// </remarks>
    /// <param name="blacklist">What <c>AddTokenBlacklist()</c> returned.</param>
    /// <param name="tokens">The most tokens that each bearer scheme remembers; at least 8. Further ones take
    /// the place of such as nobody asks for.</param>
    /// <param name="bytes">The most memory that they take, as this library counts it: about 4 kB for a token
    /// of ten claims. A token that does not fit is not remembered.</param>
    /// <exception cref="ArgumentOutOfRangeException">A limit is too small.</exception>
    public static OptionsBuilder<BlacklistOptions> RememberVerified(
        this OptionsBuilder<BlacklistOptions> blacklist, int tokens = 16_384, long bytes = 64 * 1024 * 1024)
    {
        ArgumentNullException.ThrowIfNull(blacklist);
        ArgumentOutOfRangeException.ThrowIfLessThan(tokens, 8);
        ArgumentOutOfRangeException.ThrowIfLessThan(bytes, 0);
        blacklist.Services.AddSingleton(new VerifiedLimits(tokens, bytes));
        return blacklist;
    }

    private static Blacklist Make(IServiceProvider provider, IServiceCollection services)
    {
        var stores = services.Where(service => service.ServiceType == typeof(IRevocationLog)).ToList();
        if (stores.Count > 1)
        {
            throw new InvalidOperationException(
                $"Token blacklist: {stores.Count} stores are registered "
                + $"({string.Join(", ", stores.Select(NameOf))}), and a revocation can only go to one. Keep "
                + "one of them.");
        }
        return new Blacklist(
            provider.GetRequiredService<IOptions<BlacklistOptions>>().Value,
            provider.GetService<IRevocationLog>(),
            provider.GetService<IRevocationRecords>(),
            provider.GetService<TimeProvider>(),
            provider.GetService<ILogger<Blacklist>>(),
            provider.GetService<IMeterFactory>());
    }

    /// <summary>The name a user knows a registration by: its type, or the method that registered it, which
    /// for a lambda stands between angle brackets in its own name.</summary>
    private static string NameOf(ServiceDescriptor store)
    {
        if ((store.ImplementationType ?? store.ImplementationInstance?.GetType()) is { } type)
        {
            return type.Name;
        }
        var factory = store.ImplementationFactory!.Method;
        if (factory.ReturnType != typeof(IRevocationLog) && factory.ReturnType != typeof(object))
        {
            return factory.ReturnType.Name;
        }
        var (start, end) = (factory.Name.IndexOf('<'), factory.Name.IndexOf('>'));
        return start == 0 && end > 1 ? factory.Name[1..end] : factory.Name;
    }
}
