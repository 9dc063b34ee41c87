using System.Diagnostics;
using Microsoft.AspNetCore.Authentication.JwtBearer;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting.Server.Features;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Caching.Hybrid;
using Microsoft.Extensions.Caching.Memory;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using Microsoft.IdentityModel.JsonWebTokens;
using Microsoft.IdentityModel.Tokens;
using StackExchange.Redis;

namespace Rescind.Benchmarks.Pipeline;

/// <summary>
/// One endpoint behind JwtBearer on a real Kestrel, in the way that its variant says. It writes its address to
/// its output and lives until its input ends.
/// </summary>
internal static class PipelineServer
{
    /// <summary>How long the two caches believe that a token is not revoked.</summary>
    private static readonly TimeSpan CacheLife = TimeSpan.FromSeconds(5);

    public static readonly IReadOnlyList<(string Name, string Words)> Variants =
    [
        ("none", "no authentication at all"),
        ("plain", "JwtBearer, no blacklist"),
        ("guard", "Rescind"),
        ("remember", "Rescind, `RememberVerified()`"),
        ("exists", "`EXISTS` in Redis per request"),
        ("memory", "`EXISTS` behind MemoryCache, 5 s"),
        ("hybrid", "`EXISTS` behind HybridCache, 5 s"),
    ];

    public static async Task<int> RunAsync(string variant, string folder, string redis)
    {
        var builder = WebApplication.CreateSlimBuilder();
        builder.Logging.ClearProviders();
        if (variant != "none")
        {
            AddAuthentication(builder.Services, folder);
        }
        await AddVariantAsync(builder.Services, variant, redis);
        var app = builder.Build();
        app.Urls.Add("http://127.0.0.1:0");
        var endpoint = app.MapGet("/me", () => "ok");
        if (variant != "none")
        {
            endpoint.RequireAuthorization();
        }
        app.MapGet("/spent", () =>
        {
            var cpu = Process.GetCurrentProcess().TotalProcessorTime.TotalMicroseconds;
            return $"{cpu:F0} {GC.GetTotalAllocatedBytes(precise: true)}";
        });
        await app.StartAsync();
        Console.WriteLine(app.Services.GetRequiredService<Microsoft.AspNetCore.Hosting.Server.IServer>()
            .Features.Get<IServerAddressesFeature>()!.Addresses.Single());
        await Console.In.ReadToEndAsync();
        await app.StopAsync();
        return 0;
    }

    private static void AddAuthentication(IServiceCollection services, string folder)
    {
        services.AddAuthorization();
        services.AddAuthentication(JwtBearerDefaults.AuthenticationScheme).AddJwtBearer(bearer =>
        {
            bearer.MapInboundClaims = false;
            bearer.TokenValidationParameters = new TokenValidationParameters
            {
                ValidIssuer = SigningWorld.Issuer, ValidAudience = SigningWorld.Audience,
                IssuerSigningKey = SigningWorld.ReadKey(folder).Key,
            };
        });
    }

    private static async Task AddVariantAsync(IServiceCollection services, string variant, string redis)
    {
        switch (variant)
        {
            case "none" or "plain":
                return;
            case "guard":
                services.AddTokenBlacklist();
                return;
            case "remember":
                services.AddTokenBlacklist().RememberVerified();
                return;
        }
        var connection = await ConnectionMultiplexer.ConnectAsync(redis);
        services.AddMemoryCache();
        services.AddHybridCache();
        services.Configure<JwtBearerOptions>(JwtBearerDefaults.AuthenticationScheme, bearer =>
            bearer.Events = new JwtBearerEvents
            {
                OnTokenValidated = async context =>
                {
                    var id = ((JsonWebToken)context.SecurityToken).Id;
                    if (await IsRevokedAsync(variant, context.HttpContext.RequestServices, connection, id))
                    {
                        context.Fail("revoked");
                    }
                },
            });
    }

    private static Task<bool> IsRevokedAsync(
        string variant, IServiceProvider services, ConnectionMultiplexer redis, string id)
    {
        var key = $"blacklist:{id}";
        return variant switch
        {
            "exists" => redis.GetDatabase().KeyExistsAsync(key),
            "memory" => services.GetRequiredService<IMemoryCache>().GetOrCreateAsync(key, entry =>
            {
                entry.AbsoluteExpirationRelativeToNow = CacheLife;
                return redis.GetDatabase().KeyExistsAsync(key);
            }),
            _ => services.GetRequiredService<HybridCache>().GetOrCreateAsync(
                key, _ => new ValueTask<bool>(redis.GetDatabase().KeyExistsAsync(key)),
                new HybridCacheEntryOptions
                {
                    Expiration = CacheLife, LocalCacheExpiration = CacheLife,
                    Flags = HybridCacheEntryFlags.DisableDistributedCache,
                }).AsTask(),
        };
    }
}
