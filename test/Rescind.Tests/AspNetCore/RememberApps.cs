using Microsoft.AspNetCore.Authentication;
using Microsoft.AspNetCore.Authentication.JwtBearer;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.DependencyInjection;

namespace Rescind.Tests.AspNetCore;

/// <summary>Applications that remember what was verified, and what their callers look like from
/// inside.</summary>
internal static class RememberApps
{
    public static Task<TestApp> StartAsync(
        TestTokens tokens, Action<JwtBearerOptions>? configure = null,
        Action<IServiceCollection>? services = null, Action<WebApplication>? map = null,
        int? remember = 1_000) =>
        TestApp.StartAsync(
            all =>
            {
                all.AddAuthentication("Bearer").AddJwtBearer(options =>
                {
                    tokens.Accept(options);
                    configure?.Invoke(options);
                });
                var blacklist = all.AddTokenBlacklist();
                if (remember is { } most)
                {
                    blacklist.RememberVerified(most);
                }
                services?.Invoke(all);
            },
            app =>
            {
                app.MapGet("/seen", (Delegate)DescribeAsync).RequireAuthorization();
                map?.Invoke(app);
            });

    /// <summary>Counts tokens judged, by how it was known who signed them: <c>signature</c> or
    /// <c>memory</c>.</summary>
    public static Counted Counts(TestApp app) => new(app.Services, "rescind.guard.verifications", "by");

    public static async Task RememberAsync(TestApp app, params string[] tokens)
    {
        foreach (var token in tokens)
        {
            Assert.Equal(200, await StatusAsync(app, token));
        }
    }

    public static async Task<int> StatusAsync(TestApp app, string token, string path = "/me")
    {
        using var answer = await app.GetAsync(path, token);
        return (int)answer.StatusCode;
    }

    /// <summary>Everything that an endpoint can see of its caller.</summary>
    private static async Task<string> DescribeAsync(HttpContext context)
    {
        var result = await context.AuthenticateAsync();
        var claims = context.User.Identities.SelectMany(identity => identity.Claims.Select(claim =>
            $"{claim.Type}={claim.Value} ({claim.ValueType}, {claim.Issuer}, {claim.OriginalIssuer}, "
            + $"{claim.Subject == identity}) "
            + string.Join(' ', claim.Properties.Select(one => $"{one.Key}={one.Value}"))));
        var identities = context.User.Identities.Select(identity =>
            $"{identity.GetType().Name} {identity.AuthenticationType} {identity.NameClaimType} "
            + $"{identity.RoleClaimType} {identity.Label} {identity.BootstrapContext} {identity.IsAuthenticated}");
        var items = result.Properties!.Items.OrderBy(item => item.Key, StringComparer.Ordinal)
            .Select(item => $"{item.Key}={item.Value}");
        return string.Join('\n',
        [
            context.User.GetType().Name, .. identities, .. claims, .. items,
            result.Ticket!.AuthenticationScheme, await context.GetTokenAsync("access_token") ?? "no token",
            context.GetTokenFacts().ToString() ?? "no facts", context.GetTokenVerdict().ToString() ?? "none",
        ]);
    }
}
