using Microsoft.AspNetCore.Authorization;

namespace Rescind.AspNetCore;

/// <summary>
/// The authorization policies that administration endpoints were mapped with. A misspelt name would make them
/// answer 500 to everybody, and an operator would learn that during an incident; so the start is refused
/// instead.
/// </summary>
internal sealed class AdminPolicies(IAuthorizationPolicyProvider provider)
{
    private readonly Lock _gate = new();
    private readonly HashSet<string> _unchecked = [];

    public void Add(string policy)
    {
        lock (_gate)
        {
            _unchecked.Add(policy);
        }
    }

    /// <exception cref="InvalidOperationException">A policy does not exist.</exception>
    public async Task CheckAsync()
    {
        string[] names;
        lock (_gate)
        {
            names = [.. _unchecked];
            _unchecked.Clear();
        }
        foreach (var name in names)
        {
            if (await provider.GetPolicyAsync(name) is null)
            {
                throw new InvalidOperationException(
                    $"MapTokenBlacklistAdmin(\"{name}\"): there is no authorization policy of that name. "
                    + $"Add it: services.AddAuthorizationBuilder().AddPolicy(\"{name}\", "
                    + "policy => policy.RequireRole(...)).");
            }
        }
    }
}
