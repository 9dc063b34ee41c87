using Microsoft.AspNetCore.Authentication.JwtBearer;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Options;
using Microsoft.IdentityModel.Tokens;

namespace Rescind.Tests.AspNetCore;

/// <summary>An application that believes to be guarded and is not refuses to start, and says why.</summary>
public sealed class GuardStartTests
{
    private readonly TestTokens _tokens = new();

    [Fact]
    public async Task Later_PostConfigure_that_replaces_Events_refuses_the_start()
    {
        var message = await RefusedAsync(options => options.Events = new JwtBearerEvents());
        Assert.Contains("scheme \"Bearer\": Events was replaced", message, StringComparison.Ordinal);
        Assert.Contains("chain options.Events.OnTokenValidated", message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Later_PostConfigure_that_sets_EventsType_refuses_the_start()
    {
        var message = await RefusedAsync(options => options.EventsType = typeof(ScopedEvents));
        Assert.Contains("scheme \"Bearer\": EventsType was set", message, StringComparison.Ordinal);
        Assert.Contains("Set EventsType in AddJwtBearer", message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Options_changed_after_they_were_read_refuse_the_start()
    {
        var message = await TestApp.RefusedStartAsync(Plain, app =>
            app.Services.GetRequiredService<IOptionsMonitor<JwtBearerOptions>>().Get("Bearer")
                .Events = new());
        Assert.Contains("scheme \"Bearer\": Events was replaced", message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task No_bearer_scheme_at_all_refuses_the_start(bool hasAuthentication)
    {
        var message = await TestApp.RefusedStartAsync(services =>
        {
            services.AddTokenBlacklist();
            if (hasAuthentication)
            {
                services.AddAuthentication("Cookies").AddCookie();
            }
        });
        Assert.Contains("no JWT bearer scheme", message, StringComparison.Ordinal);
        Assert.Contains("AddJwtBearer", message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task UseSecurityTokenValidators_refuses_the_start()
    {
        var message = await RefusedAsync(options => options.UseSecurityTokenValidators = true);
        Assert.Contains("scheme \"Bearer\": UseSecurityTokenValidators", message, StringComparison.Ordinal);
        Assert.Contains("use TokenHandlers", message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Validation_that_outlives_revocations_refuses_the_start()
    {
        var message = await RefusedAsync(options =>
        {
            options.TokenValidationParameters.ClockSkew = TimeSpan.FromMinutes(6);
            options.TokenValidationParameters.ValidateLifetime = false;
            options.TokenValidationParameters.RequireExpirationTime = false;
        });
        Assert.Contains("ClockSkew (00:06:00) is larger", message, StringComparison.Ordinal);
        Assert.Contains("ValidateLifetime is false", message, StringComparison.Ordinal);
        Assert.Contains("RequireExpirationTime is false", message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Handler_that_makes_its_own_events_refuses_the_start()
    {
        var message = await TestApp.RefusedStartAsync(services =>
        {
            services.AddAuthentication("Own")
                .AddScheme<JwtBearerOptions, OwnEventsHandler>("Own", _tokens.Accept);
            services.AddTokenBlacklist();
        });
        Assert.Contains("scheme \"Own\": its handler OwnEventsHandler", message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Two_stores_refuse_the_start_and_are_named()
    {
        var message = await TestApp.RefusedStartAsync(services =>
        {
            Plain(services);
            services.AddSingleton<IRevocationLog>(new SilentLog());
            services.AddSingleton<IRevocationLog>(_ => new SilentLog());
        });
        Assert.Contains(nameof(SilentLog), message, StringComparison.Ordinal);
        Assert.Contains(nameof(Two_stores_refuse_the_start_and_are_named), message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Option_out_of_range_refuses_the_start_and_is_named()
    {
        var message = await TestApp.RefusedStartAsync(services =>
        {
            Plain(services);
            services.AddTokenBlacklist(options => options.Freshness = TimeSpan.Zero);
        });
        Assert.Contains("Freshness", message, StringComparison.Ordinal);
    }

    /// <summary>Whoever stole such a key writes any <c>kid</c>, so a revocation of it can be passed by.</summary>
    [Theory]
    [InlineData(null, 1)]
    [InlineData("", 1)]
    [InlineData("k1", 0)]
    public async Task A_key_without_an_id_is_told_at_the_start(string? id, int lines)
    {
        var told = new LogLines();
        await using var app = await TestApp.StartAsync(services =>
        {
            Plain(services);
            services.AddLogging(logging => logging.AddProvider(told));
            services.PostConfigure<JwtBearerOptions>("Bearer", options =>
                options.TokenValidationParameters.IssuerSigningKeys = [new SymmetricSecurityKey(new byte[32]) { KeyId = id }]);
        });
        Assert.Equal(lines, told.Of(2003).Count);
    }

    private void Plain(IServiceCollection services)
    {
        services.AddAuthentication("Bearer").AddJwtBearer(_tokens.Accept);
        services.AddTokenBlacklist();
    }

    private Task<string> RefusedAsync(Action<JwtBearerOptions> later) => TestApp.RefusedStartAsync(services =>
    {
        Plain(services);
        services.PostConfigure("Bearer", later);
    });

    private sealed class OwnEventsHandler(
        IOptionsMonitor<JwtBearerOptions> options, Microsoft.Extensions.Logging.ILoggerFactory logger,
        System.Text.Encodings.Web.UrlEncoder encoder) : JwtBearerHandler(options, logger, encoder)
    {
        protected override Task<object> CreateEventsAsync() => Task.FromResult<object>(new JwtBearerEvents());
    }
}
