// The ready auth server, in two calls over the library's public ones. Reading order of the rooms: Settings
// (what the operator wrote) → Accounts and Sessions (who logs in) → Tokens (what they get and show) →
// Revoking and Administration (what ends it) → Answers (what the caller sees) → Operations (what the operator
// sees).
using Microsoft.AspNetCore.Authentication.JwtBearer;
using Microsoft.AspNetCore.DataProtection;
using Microsoft.AspNetCore.HttpOverrides;
using Microsoft.AspNetCore.Identity;
using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.DependencyInjection.Extensions;
using Microsoft.Extensions.Logging.Console;
using Rescind.AspNetCore;
using Rescind.Redis;
using Rescind.Server.Accounts;
using Rescind.Server.Administration;
using Rescind.Server.Answers;
using Rescind.Server.Audit;
using Rescind.Server.Database;
using Rescind.Server.Limits;
using Rescind.Server.Mail;
using Rescind.Server.Maintenance;
using Rescind.Server.Mirror;
using Rescind.Server.Operations;
using Rescind.Server.Revoking;
using Rescind.Server.Sessions;
using Rescind.Server.Settings;
using Rescind.Server.Tokens;

namespace Rescind.Server;

internal static class AuthServer
{
    private const long LargestBody = 1024 * 1024;

    /// <summary>Adds everything the server needs.</summary>
    /// <exception cref="StartRefusedException">A setting is wrong.</exception>
    public static WebApplicationBuilder AddAuthServer(this WebApplicationBuilder builder)
    {
        builder.Environment.EnvironmentName = SettingsReader.EnvironmentName(
            builder.Configuration, builder.Environment.EnvironmentName);
        var settings = SettingsReader.Read(builder.Configuration, builder.Environment.EnvironmentName);
        var services = builder.Services;
        services.AddSingleton(settings);

        // The host read its environment before we could; everybody else should see ours.
        services.AddSingleton<IHostEnvironment>(builder.Environment);
        services.TryAddSingleton(TimeProvider.System);
        AddListener(builder, settings);
        AddOperations(builder, settings);
        Telemetry.Add(builder, settings);
        AddAccounts(services);
        AddTokens(services, settings);
        services.AddSingleton<Revoker>();
        services.AddSingleton<LogOut>();
        services.AddSingleton<LogOutAll>();
        services.AddSingleton<RevokeToken>();
        services.AddSingleton<RevokeUserTokens>();
        services.AddSingleton<RevokeTokenById>();
        services.AddSingleton<SecurityIncident>();
        services.AddSingleton<Users>();
        services.AddSingleton<ImportUsers>();
        services.AddSingleton<BlacklistedTokens>();
        services.AddSingleton<Hits>();
        AddMaintenance(services);
        services.AddSingleton<CountHits>(provider => provider.GetRequiredService<Hits>().CountAsync);
        return builder;
    }

    /// <summary>Maps everything the server answers.</summary>
    public static WebApplication MapAuthServer(this WebApplication app)
    {
        var settings = app.Services.GetRequiredService<ServerSettings>();
        app.Use(app.Services.GetRequiredService<StrangeProxy>().Look);
        if (settings.Proxies.Count > 0)
        {
            app.UseForwardedHeaders();
        }
        app.Use(app.Services.GetRequiredService<OperatorDoor>().Guard);
        app.UseExceptionHandler();
        app.UseStatusCodePages(context => Wordless.AnswerAsync(context.HttpContext));
        app.Use(ResponseHeaders.Add);
        app.UseRouting();
        if (settings.CorsOrigins.Count > 0)
        {
            app.UseCors();
        }
        app.Use(StrayCaller.Ignore);
        app.UseAuthentication();
        app.UseAuthorization();
        Endpoints.Map(app, settings);
        return app;
    }

    private static void AddListener(WebApplicationBuilder builder, ServerSettings settings)
    {
        builder.WebHost.ConfigureKestrel(kestrel =>
        {
            kestrel.AddServerHeader = false;
            kestrel.Limits.MaxRequestBodySize = LargestBody;
        });
        if (settings.Urls(builder.Configuration) is { } urls)
        {
            builder.WebHost.UseUrls(urls);
        }
        builder.Services.Configure<ForwardedHeadersOptions>(forwarded =>
        {
            forwarded.ForwardedHeaders = ForwardedHeaders.XForwardedFor | ForwardedHeaders.XForwardedProto;
            forwarded.ForwardLimit = null;
            forwarded.KnownProxies.Clear();
            forwarded.KnownIPNetworks.Clear();
            foreach (var proxy in settings.Proxies)
            {
                forwarded.KnownIPNetworks.Add(proxy);
            }
        });
        builder.Services.AddCors(cors => cors.AddDefaultPolicy(policy => policy
            .WithOrigins([.. settings.CorsOrigins]).AllowAnyHeader().AllowAnyMethod()));
    }

    private static void AddOperations(WebApplicationBuilder builder, ServerSettings settings)
    {
        var services = builder.Services;
        builder.Logging.ClearProviders();
        builder.Logging.AddConsole(console => console.FormatterName = ConsoleLines.FormatterName)
            .AddConsoleFormatter<ConsoleLines, ConsoleFormatterOptions>();
        builder.Logging.AddFilter("Microsoft.AspNetCore", LogLevel.Warning);

        // Why the server does not start is said once, by Program.cs.
        builder.Logging.AddFilter("Microsoft.Extensions.Hosting.Internal.Host", LogLevel.Critical);

        // It repeats at every poll what the checks say once when it changes.
        builder.Logging.AddFilter("Microsoft.Extensions.Diagnostics.HealthChecks", LogLevel.None);
        services.ConfigureHttpJsonOptions(json => JsonRules.Apply(json.SerializerOptions));
        services.Configure<RouteHandlerOptions>(routes => routes.ThrowOnBadRequest = true);
        services.AddExceptionHandler<FaultHandler>();
        services.AddProblemDetails();
        services.AddOpenApi("v1", ApiDescription.Configure);
        services.AddSingleton<AddToMetrics>(answer => MetricsAdditions.Add(answer, settings));
        services.AddSingleton<Readiness>();
        services.AddHealthChecks().AddCheck<AccountsHealth>(AccountsHealth.Name);
        services.AddHostedService<Startup>();
        services.Configure<HostOptions>(host => host.ShutdownTimeout = TimeSpan.FromSeconds(15));
    }

    private static void AddAccounts(IServiceCollection services)
    {
        services.AddSingleton<IDbContextFactory<AccountsDb>, AccountsDbFactory>();
        services.AddSingleton<AccountStore>();
        services.AddSingleton<Preparation>();
        services.AddHostedService(provider => provider.GetRequiredService<Preparation>());
        services.AddSingleton<PasswordHasher<Account>>();
        services.AddSingleton<IPasswordHasher<Account>, PasswordFormats>();
        services.Configure<LockoutOptions>(
            lockout => lockout.DefaultLockoutTimeSpan = TimeSpan.FromMinutes(15));
        services.AddSingleton<Passwords>();
        services.AddSingleton<Strangers>();
        services.AddSingleton<FailedLogins>();
        services.AddSingleton<LoginGate>();
        services.AddSingleton<RateLimits>();
        services.AddSingleton<StrangeProxy>();
        services.AddSingleton<FirstAdministrator>();
        services.AddSingleton<SessionBook>();
        services.AddSingleton<Rotation>();
        services.AddSingleton<ListSessions>();
        services.AddSingleton<EndSession>();
        services.AddSingleton<Register>();
        services.AddSingleton<LogIn>();
        services.AddSingleton<Refresh>();
        services.AddSingleton<Profile>();
        services.AddSingleton<CredentialChange>();
        services.AddSingleton<ChangePassword>();
        services.AddSingleton<PasswordResets>();
        services.AddSingleton<DeleteAccount>();
        services.AddSingleton<PostOffice>();
        services.AddHostedService(provider => provider.GetRequiredService<PostOffice>());
    }

    private static void AddMaintenance(IServiceCollection services)
    {
        services.AddSingleton<AuditRetention>();
        services.AddSingleton<Thresholds>();
        services.AddSingleton<SecurityStatus>();
        services.AddSingleton<Alerts>();
        services.AddHostedService(provider => provider.GetRequiredService<Alerts>());
        services.AddSingleton<Schedule>();
        services.AddHostedService(provider => provider.GetRequiredService<Schedule>());
        services.AddHostedService<StoreWatch>();
    }

    private static void AddTokens(IServiceCollection services, ServerSettings settings)
    {
        services.AddSingleton<TokenIssuer>();
        services.AddSingleton<OlderTokens>();
        services.AddSingleton<OwnTokens>();
        services.AddSingleton<ValidateToken>();

        // Authentication brings data protection, which would keep keys in the user's home; nothing here needs
        // any.
        services.AddDataProtection().UseEphemeralDataProtectionProvider();
        services.AddAuthentication(JwtBearerDefaults.AuthenticationScheme).AddJwtBearer();
        services.AddOptions<JwtBearerOptions>(JwtBearerDefaults.AuthenticationScheme)
            .Configure<TimeProvider, Blacklist>((bearer, clock, blacklist) =>
                BearerScheme.Configure(bearer, settings, clock, blacklist));
        services.AddAuthorizationBuilder().AddPolicy(Caller.AdminPolicy, policy => policy
            .RequireAuthenticatedUser()
            .RequireAssertion(context => Caller.IsAdministrator(context.User)));
        AddBlacklist(services, settings);
    }

    private static void AddKeyMirror(IServiceCollection services, RedisSettings redis)
    {
        if (redis.KeyMirror is not { } template)
        {
            return;
        }
        services.AddSingleton<MirrorQueue>();
        services.AddSingleton(provider => RedisKeyMirror.Open(
            redis.Address, template, null, provider.GetRequiredService<TimeProvider>(),
            provider.GetRequiredService<ILogger<RedisKeyMirror>>()));
        services.AddHostedService<KeyMirror>();
    }

    private static void AddBlacklist(IServiceCollection services, ServerSettings settings)
    {
        var blacklist = services.AddTokenBlacklist(blacklist =>
        {
            blacklist.ClockSkew = TokenRules.ClockSkew;
            blacklist.LongestTokenLifetime = settings.LongestLifetime;
            blacklist.TokensCarryIssuedAt = settings.TokensCarryIssuedAt;
            blacklist.Freshness = settings.Freshness;
            blacklist.WaitFor = settings.WaitFor;
            blacklist.RefuseWhenUnknown = settings.RefuseWhenUnknown;
        }).RememberVerified();
        var file = settings.Data.PathOf("rescind.db");
        if (settings.Redis is { } redis)
        {
            blacklist.UseRedis(redis.Address, options =>
            {
                options.Node = settings.Node;
                options.LogKey = redis.LogKey;
                options.Servers = redis.Servers;
            }).KeepLocally(file);
            services.AddSingleton<RedisGate>();
            services.AddSingleton(provider => RedisWindows.Open(
                redis.Address, provider.GetRequiredService<TimeProvider>(),
                provider.GetRequiredService<ILogger<RedisWindows>>()));
            AddKeyMirror(services, redis);
        }
        else
        {
            blacklist.UseSqlite(file);
        }
        AuditSetup.Add(services);
    }
}
