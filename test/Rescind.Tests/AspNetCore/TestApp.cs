using System.Diagnostics.Metrics;
using System.Net.Http.Headers;
using System.Net.Http.Json;
using System.Text.Json;
using Microsoft.AspNetCore.Authentication.JwtBearer;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Hosting.Server;
using Microsoft.AspNetCore.Hosting.Server.Features;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Options;

namespace Rescind.Tests.AspNetCore;

/// <summary>An application of somebody who uses the library, behind a real Kestrel on a free loopback
/// port.</summary>
internal sealed class TestApp : IAsyncDisposable
{
    private readonly WebApplication _app;

    private TestApp(WebApplication app, HttpClient client) => (_app, Client) = (app, client);

    public HttpClient Client { get; }

    public Blacklist Blacklist => _app.Services.GetRequiredService<Blacklist>();

    public IServiceProvider Services => _app.Services;

    /// <summary>Starts it; <c>GET /me</c> needs a caller, <c>GET /open</c> does not.</summary>
    public static async Task<TestApp> StartAsync(
        Action<IServiceCollection> services, Action<WebApplication>? map = null)
    {
        var app = Build(services, map);
        try
        {
            await app.StartAsync();
        }
        catch
        {
            await app.DisposeAsync();
            throw;
        }
        var address = app.Services.GetRequiredService<IServer>()
            .Features.Get<IServerAddressesFeature>()!.Addresses.Single();
        return new TestApp(app, new HttpClient { BaseAddress = new Uri(address) });
    }

    /// <summary>The usual one: one bearer scheme, which is the default, and the blacklist.</summary>
    public static Task<TestApp> StartAsync(
        TestTokens tokens, Action<WebApplication>? map = null, Action<BlacklistOptions>? configure = null,
        IRevocationLog? log = null) =>
        StartAsync(
            services =>
            {
                services.AddAuthentication(JwtBearerDefaults.AuthenticationScheme)
                    .AddJwtBearer(tokens.Accept);
                services.AddTokenBlacklist(configure);
                if (log is not null)
                {
                    services.AddSingleton(log);
                }
            },
            map);

    /// <summary>The message with which the start was refused.</summary>
    public static async Task<string> RefusedStartAsync(
        Action<IServiceCollection> services, Action<WebApplication>? map = null)
    {
        var fault = await Assert.ThrowsAnyAsync<Exception>(async () =>
        {
            await using var started = await StartAsync(services, map);
        });
        return fault.Message;
    }

    public Task<HttpResponseMessage> GetAsync(string path, string? token = null) =>
        SendAsync(HttpMethod.Get, path, token);

    public Task<HttpResponseMessage> PostAsync(string path, string? token, object? body = null) =>
        SendAsync(HttpMethod.Post, path, token, body is null ? null : JsonContent.Create(body));

    public async Task<HttpResponseMessage> SendAsync(
        HttpMethod method, string path, string? token = null, HttpContent? body = null)
    {
        using var request = new HttpRequestMessage(method, new Uri(path, UriKind.Relative));
        request.Content = body;
        if (token is not null)
        {
            request.Headers.Authorization = new AuthenticationHeaderValue("Bearer", token);
        }
        return await Client.SendAsync(request);
    }

    public async ValueTask DisposeAsync()
    {
        Client.Dispose();
        await _app.StopAsync();
        await _app.DisposeAsync();
    }

    private static WebApplication Build(Action<IServiceCollection> services, Action<WebApplication>? map)
    {
        var builder = WebApplication.CreateSlimBuilder();
        builder.Configuration.Sources.Clear();
        builder.Logging.ClearProviders();
        builder.Services.AddAuthorization();
        services(builder.Services);
        var app = builder.Build();
        app.Urls.Add("http://127.0.0.1:0");
        app.MapGet("/me", (HttpContext context) => context.User.FindFirst("sub")?.Value ?? "")
            .RequireAuthorization();
        app.MapGet("/open", (HttpContext context) => context.GetTokenVerdict()?.ToString() ?? "none");
        map?.Invoke(app);
        return app;
    }
}

/// <summary>What tests ask of an answer.</summary>
internal static class Answers
{
    public static async Task<JsonElement> JsonAsync(this HttpResponseMessage answer) =>
        JsonElement.Parse(await answer.Content.ReadAsStringAsync());

    /// <summary>The options of the scheme Bearer.</summary>
    public static JwtBearerOptions GetBearer(this IServiceProvider services) =>
        services.GetRequiredService<IOptionsMonitor<JwtBearerOptions>>().Get("Bearer");

    /// <summary>Asserts a problem with this status and code, and gives it.</summary>
    public static async Task<JsonElement> ProblemAsync(
        this HttpResponseMessage answer, int status, string code)
    {
        var text = await answer.Content.ReadAsStringAsync();
        Assert.True(
            status == (int)answer.StatusCode, $"{(int)answer.StatusCode} instead of {status}: {text}");
        Assert.Equal("application/problem+json", answer.Content.Headers.ContentType?.MediaType);
        var problem = JsonElement.Parse(text);
        Assert.Equal(code, problem.GetProperty("code").GetString());
        Assert.Equal(status, problem.GetProperty("status").GetInt32());
        Assert.False(string.IsNullOrEmpty(problem.GetProperty("detail").GetString()));
        return problem;
    }

    /// <summary>Asserts the one answer to a revoked token.</summary>
    public static async Task AssertRevokedAsync(this HttpResponseMessage answer)
    {
        await answer.ProblemAsync(401, "token_revoked");
        Assert.Equal(
            "Bearer error=\"invalid_token\", error_description=\"The token has been revoked\"",
            Assert.Single(answer.Headers.GetValues("WWW-Authenticate")));
    }
}

/// <summary>Sums the measurements of one instrument of one application, by one tag.</summary>
internal sealed class Counted : IDisposable
{
    private readonly MeterListener _listener = new();
    private readonly Dictionary<string, long> _sums = new(StringComparer.Ordinal);

    public Counted(IServiceProvider services, string instrument, string tag)
    {
        var meter = services.GetRequiredService<IMeterFactory>().Create("Rescind");
        _listener.InstrumentPublished = (published, listener) =>
        {
            if (ReferenceEquals(published.Meter, meter) && published.Name == instrument)
            {
                listener.EnableMeasurementEvents(published);
            }
        };
        _listener.SetMeasurementEventCallback<long>((_, value, tags, _) => Add(value, tags, tag));
        _listener.Start();
    }

    public long this[string value]
    {
        get
        {
            lock (_sums)
            {
                return _sums.GetValueOrDefault(value);
            }
        }
    }

    public void Dispose() => _listener.Dispose();

    private void Add(long value, ReadOnlySpan<KeyValuePair<string, object?>> tags, string tag)
    {
        foreach (var one in tags)
        {
            if (one.Key == tag)
            {
                lock (_sums)
                {
                    var name = (string)one.Value!;
                    _sums[name] = _sums.GetValueOrDefault(name) + value;
                }
            }
        }
    }
}

/// <summary>Sends without saying how much comes.</summary>
internal sealed class Chunked : HttpContent
{
    private readonly HttpContent _inner;

    public Chunked(HttpContent inner)
    {
        _inner = inner;
        Headers.ContentType = inner.Headers.ContentType;
    }

    protected override Task SerializeToStreamAsync(Stream stream, System.Net.TransportContext? context) =>
        _inner.CopyToAsync(stream);

    protected override bool TryComputeLength(out long length)
    {
        length = 0;
        return false;
    }
}
