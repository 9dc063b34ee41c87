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
