using System.Collections.Concurrent;
using System.Text;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Logging;
using Rescind.Tests.Redis;

namespace Rescind.Tests.Server;

/// <summary>What the operator sees, and who else does not.</summary>
public sealed class TelemetryTests
{
    [Fact]
    public async Task Prometheus_reads_the_metrics_of_the_library_and_of_the_server()
    {
        await using var server = await ServerUnderTest.StartAsync(("ENVIRONMENT", "Development"));
        var user = await server.RegisterAsync();
        Assert.Equal(200, await server.ProfileStatusAsync(user.Access));
        (await server.PostAsync("/api/auth/logout", null, user.Access)).IsSuccess();
        Assert.Equal(401, await server.ProfileStatusAsync(user.Access));

        var reply = await server.GetAsync("/metrics");

        Assert.Equal((200, "text/plain"), (reply.Status, reply.MediaType));
        foreach (var name in new[]
        {
            "rescind_checks_total{", "verdict=\"revoked\"", "rescind_revocations_total{", "rescind_guard_decisions_total{",
            "rescind_audit_recorded_total", "rescind_audit_lost_total", "rescind_audit_waiting", "rescind_database_available",
            "rescind_alerts_total{", "rescind_thresholds_passed_total", "http_server_request_duration_seconds_count",
        })
        {
            Assert.Contains(name, reply.Text, StringComparison.Ordinal);
        }
        Assert.DoesNotContain(user.UserId, reply.Text, StringComparison.Ordinal);
    }

    [Fact]
    public async Task In_production_they_are_closed_unless_the_token_is_shown()
    {
        await using var closed = await ServerUnderTest.StartAsync();
        (await closed.GetAsync("/metrics")).IsRefusal(404, "not_found");
        foreach (var spelling in new[] { "/Metrics", "/METRICS/", "/%6detrics", "/OpenApi/v1.json", "/OPENAPI/v1.json" })
        {
            (await closed.GetAsync(spelling)).IsRefusal(404, "not_found");
        }
        await using var guarded = await ServerUnderTest.StartAsync(("METRICS_TOKEN", "a token of the operator"));
        (await guarded.GetAsync("/metrics")).IsRefusal(401, "token_missing");
        (await guarded.GetAsync("/Metrics")).IsRefusal(401, "token_missing");
        (await guarded.GetAsync("/metrics", "a guess")).IsRefusal(401, "token_invalid");
        Assert.Equal(200, (await guarded.GetAsync("/metrics", "a token of the operator")).Status);
        Assert.Equal(200, (await guarded.GetAsync("/openapi/v1.json", "a token of the operator")).Status);
    }

    [Fact]
    public async Task A_management_port_has_them_and_nothing_else()
    {
        var (port, management) = (RedisServer.FreePort(), RedisServer.FreePort());
        await using var server = new ServerUnderTest();
        await server.StartWithAsync(("urls", $"http://127.0.0.1:{port}"), ("MANAGEMENT_PORT", $"{management}"));
        using var inside = new HttpClient { BaseAddress = new Uri($"http://127.0.0.1:{management}") };

        Assert.Equal(200, (int)(await inside.GetAsync("/metrics")).StatusCode);
        Assert.Equal(200, (int)(await inside.GetAsync("/openapi/v1.json")).StatusCode);
        Assert.Equal(200, (int)(await inside.GetAsync("/health/ready")).StatusCode);
        Assert.Equal(404, (int)(await inside.GetAsync("/api/users/profile")).StatusCode);
        (await server.GetAsync("/metrics")).IsRefusal(404, "not_found");
        (await server.GetAsync("/openapi/v1.json")).IsRefusal(404, "not_found");
        (await server.GetAsync("/api/users/profile")).IsRefusal(401, "token_missing");
    }

    /// <summary>Metrics and traces are pushed to a collector by the standard variables. The receiver here takes the
    /// HTTP form of the protocol and looks for the names in it; no collector can be installed on every machine.</summary>
    [Fact]
    public async Task The_standard_variables_push_metrics_and_traces()
    {
        var received = new ConcurrentDictionary<string, string>();
        var builder = WebApplication.CreateSlimBuilder();
        builder.Logging.ClearProviders();
        builder.WebHost.UseUrls("http://127.0.0.1:0");
        await using var receiver = builder.Build();
        receiver.MapPost("/v1/{signal}", async (string signal, HttpRequest request) =>
        {
            Assert.Equal("application/x-protobuf", request.ContentType);
            using var body = new MemoryStream();
            await request.Body.CopyToAsync(body);
            var text = Encoding.Latin1.GetString(body.ToArray());
            received.AddOrUpdate(signal, text, (_, before) => before + text);
            return Results.Bytes([], "application/x-protobuf");
        });
        await receiver.StartAsync();
        await using var server = await ServerUnderTest.StartAsync(
            ("OTEL_EXPORTER_OTLP_ENDPOINT", receiver.Urls.First()), ("OTEL_EXPORTER_OTLP_PROTOCOL", "http/protobuf"),
            ("OTEL_METRIC_EXPORT_INTERVAL", "200"), ("OTEL_BSP_SCHEDULE_DELAY", "200"));
        var user = await server.RegisterAsync();
        Assert.Equal(200, await server.ProfileStatusAsync(user.Access));

        bool Has(string signal, params string[] names) =>
            received.TryGetValue(signal, out var text) && names.All(text.Contains);
        await server.UntilAsync(() => Has("metrics", "rescind.checks", "rescind.audit.recorded", "service.name")
            && Has("traces", "/api/users/profile", "service.name"));
        Assert.All(received.Values, text => Assert.DoesNotContain(user.Access, text));
    }
}
