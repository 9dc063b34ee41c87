using System.Reflection;
using Microsoft.AspNetCore.Authentication;
using Microsoft.AspNetCore.Authentication.JwtBearer;
using Microsoft.Extensions.Options;

namespace Rescind.AspNetCore;

/// <summary>
/// The check at the start: there is a bearer scheme, and each has the guard in it. An application that
/// believes to be guarded and is not must not serve a single request.
/// </summary>
internal sealed class GuardCheck(
    IEnumerable<IAuthenticationSchemeProvider> providers,
    IOptionsMonitor<JwtBearerOptions> monitor,
    GuardSetup setup)
{
    private static readonly string[] EventFactories = ["InitializeEventsAsync", "CreateEventsAsync"];

    /// <summary>Names of all schemes that take JWTs.</summary>
    public async Task<IReadOnlyList<string>> SchemesAsync() =>
        [.. (await BearerSchemesAsync()).Select(scheme => scheme.Name)];

    /// <summary>Names of those with a key of the application's own that has no id: its revocation can be
    /// passed by.</summary>
    public async Task<IReadOnlyList<string>> SchemesWithoutKeyIdAsync() =>
    [
        .. (await SchemesAsync()).Where(scheme =>
            monitor.Get(scheme).TokenValidationParameters is { } rules
            && (rules.IssuerSigningKeys ?? []).Append(rules.IssuerSigningKey)
                .Any(key => key is not null && string.IsNullOrEmpty(key.KeyId))),
    ];

    /// <exception cref="InvalidOperationException">A scheme is not guarded, or there is none.</exception>
    /// <exception cref="OptionsValidationException">As <see cref="GuardSetup"/> says.</exception>
    public async Task RunAsync()
    {
        var schemes = await BearerSchemesAsync();
        if (schemes.Count == 0)
        {
            throw new InvalidOperationException(
                "Token blacklist: no JWT bearer scheme is registered, so no revoked token would be refused. "
                + "Call services.AddAuthentication().AddJwtBearer(...), or remove AddTokenBlacklist().");
        }
        foreach (var scheme in schemes)
        {
            CheckHandler(scheme);
            // Reading the options validates them; once more, because the object may have been changed since.
            var again = setup.Validate(scheme.Name, monitor.Get(scheme.Name));
            if (again.Failed)
            {
                throw new OptionsValidationException(scheme.Name, typeof(JwtBearerOptions), again.Failures);
            }
        }
    }

    private async Task<IReadOnlyList<AuthenticationScheme>> BearerSchemesAsync()
    {
        if (providers.LastOrDefault() is not { } provider)
        {
            return [];
        }
        var all = await provider.GetAllSchemesAsync();
        return [.. all.Where(scheme => typeof(JwtBearerHandler).IsAssignableFrom(scheme.HandlerType))];
    }

    /// <summary>A handler of the application's own may take its events from elsewhere than the
    /// options.</summary>
    private static void CheckHandler(AuthenticationScheme scheme)
    {
        foreach (var name in EventFactories)
        {
            var method = scheme.HandlerType.GetMethod(
                name, BindingFlags.Instance | BindingFlags.NonPublic, Type.EmptyTypes);
            if (method!.DeclaringType!.IsSubclassOf(typeof(JwtBearerHandler)))
            {
                throw new InvalidOperationException(
                    $"Token blacklist, bearer scheme \"{scheme.Name}\": its handler "
                    + $"{scheme.HandlerType.Name} overrides {name}, so the guard in its options could be "
                    + "passed by. Put the events into JwtBearerOptions.Events or EventsType instead.");
            }
        }
    }
}
