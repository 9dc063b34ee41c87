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
            "rescind_alerts_total{", "http_server_request_duration_seconds_count",
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
        await using var guarded = await ServerUnderTest.StartAsync(("METRICS_TOKEN", "a token of the operator"));
        (await guarded.GetAsync("/metrics")).IsRefusal(401, "token_missing");
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
}
