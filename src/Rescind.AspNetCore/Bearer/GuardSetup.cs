using Microsoft.AspNetCore.Authentication.JwtBearer;
using Microsoft.Extensions.Options;

namespace Rescind.AspNetCore;

/// <summary>
/// Puts the guard into the options of every bearer scheme, those added while the application runs included,
/// and refuses options that would leave a scheme unguarded or let a token outlive its revocation.
/// Post-configuration runs after all configuration, and validation after all post-configuration: what comes
/// later than the guard is wrapped or noticed, never missed.
/// </summary>
internal sealed class GuardSetup(
    Guard guard, IOptions<BlacklistOptions> blacklist, IEnumerable<VerifiedLimits> limits)
    : IPostConfigureOptions<JwtBearerOptions>, IValidateOptions<JwtBearerOptions>
{
    public void PostConfigure(string? name, JwtBearerOptions options)
    {
        if (options.Events is GuardEvents && options.EventsType is null)
        {
            return;
        }
        // Options that change are made anew, and a memory with them.
        var memory = limits.LastOrDefault() is { } limit ? new VerifiedMemory(limit, guard.Logger) : null;
        options.Events = new GuardEvents(guard, options.Events, options.EventsType, memory);
        options.EventsType = null;
    }

    public ValidateOptionsResult Validate(string? name, JwtBearerOptions options)
    {
        var faults = Faults(options).Select(fault => $"Token blacklist, bearer scheme \"{name}\": {fault}")
            .ToList();
        return faults.Count == 0 ? ValidateOptionsResult.Success : ValidateOptionsResult.Fail(faults);
    }

    private IEnumerable<string> Faults(JwtBearerOptions options)
    {
        if (options.EventsType is { } type)
        {
            yield return $"EventsType was set to {type.Name} after the guard was put in place, so revoked "
                + "tokens would pass. Set EventsType in AddJwtBearer or Configure, or call "
                + "AddTokenBlacklist() after the PostConfigure that sets it.";
        }
        if (options.Events is not GuardEvents)
        {
            yield return "Events was replaced after the guard was put in place, so revoked tokens would "
                + "pass. Set Events in AddJwtBearer or Configure, chain options.Events.OnTokenValidated "
                + "instead of replacing Events, or call AddTokenBlacklist() after the PostConfigure that "
                + "replaces it.";
        }
        if (options.UseSecurityTokenValidators)
        {
            yield return "UseSecurityTokenValidators gives tokens of an old type that has no stable "
                + "identity. Set it to false and use TokenHandlers.";
        }
        foreach (var fault in LifetimeFaults(options))
        {
            yield return fault;
        }
    }

    /// <summary>A revocation is kept until the token's <c>exp</c> plus
    /// <see cref="BlacklistOptions.ClockSkew"/>; a validator that accepts it longer would revive
    /// it.</summary>
    private IEnumerable<string> LifetimeFaults(JwtBearerOptions options)
    {
        var rules = options.TokenValidationParameters;
        if (rules.ClockSkew > blacklist.Value.ClockSkew)
        {
            yield return $"TokenValidationParameters.ClockSkew ({rules.ClockSkew}) is larger than "
                + $"BlacklistOptions.ClockSkew ({blacklist.Value.ClockSkew}), so a revoked token would be "
                + "accepted again at its end. Lower the first or raise the second.";
        }
        if (!rules.ValidateLifetime)
        {
            yield return "TokenValidationParameters.ValidateLifetime is false, so a token outlives its "
                + "revocation. Set it to true.";
        }
        if (!rules.RequireExpirationTime)
        {
            yield return "TokenValidationParameters.RequireExpirationTime is false, so a token without exp "
                + "outlives its revocation. Set it to true.";
        }
    }
}
