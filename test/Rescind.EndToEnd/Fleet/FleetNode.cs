using System.Text.Json;
using Rescind.Tests.Redis;

namespace Rescind.EndToEnd.Fleet;

/// <summary>What a revocation was answered with.</summary>
internal sealed record Receipt(int Status, string State, int Confirmed, int Expected, double ElapsedMs);

/// <summary>One server process of a fleet, with the calls that fleet tests need.</summary>
internal sealed class FleetNode : IAsyncDisposable
{
    private readonly MobileApp _app;
    private string? _admin;

    private FleetNode(ServerProcess server) => (Server, _app) = (server, new MobileApp(server.Client));

    public ServerProcess Server { get; }

    public static FleetNode Of(string redis, string name, params (string Name, string? Value)[] settings) => new(
        new ServerProcess([("REDIS_URL", redis), ("RESCIND_NODE", name), .. settings]));

    /// <summary>Starts the process, and logs its administrator in once.</summary>
    public async Task StartAsync()
    {
        await Server.StartAsync();
        _admin ??= (await _app.LogInAsync(ServerProcess.AdminEmail, ServerProcess.AdminPassword)).Access;
    }

    /// <summary>How a check of a token ends: 200 accepted, 401 revoked, 503 unknown.</summary>
    public Task<int> CheckAsync(string token) => _app.ValidateAsync(token);

    /// <summary>A call that asks the process and nothing else.</summary>
    public async Task IsAliveAsync() => Assert.Equal(200, (await _app.SendAsync(HttpMethod.Get, "/health/live")).Status);

    public async Task<Receipt> RevokeAsync(string tokenId)
    {
        var (status, body) = (0, default(JsonElement));
        await Eventually.TrueAsync(async () =>
        {
            (status, body) = await _app.SendAsync(
                HttpMethod.Post, "/api/auth/admin/revoke-token-by-jti", _admin,
                new { jti = tokenId, reason = "admin_action" });

            // A node that got no processor for a bound cannot know whether its administrator's token still counts.
            return status != 503 || body.GetProperty("code").GetString() != "revocation_unknown";
        }, "the node knows its administrator");
        if (status is not (200 or 202))
        {
            // Said only then: after 100,000 revocations the output is 100 MB.
            Assert.Fail($"The revocation answered {status}: {body}\n{Server.Output}");
        }
        var receipt = body.GetProperty("receipt");
        return new Receipt(
            status, receipt.GetProperty("state").GetString()!, receipt.GetProperty("nodes_confirmed").GetInt32(),
            receipt.GetProperty("nodes_expected").GetInt32(), receipt.GetProperty("elapsed_ms").GetDouble());
    }

    /// <summary>As <see cref="RevokeAsync"/>, again where the node's disk answered because a busy machine's Redis took
    /// longer than 50 ms.</summary>
    public async Task<Receipt> RevokeInLogAsync(string tokenId)
    {
        var receipt = await RevokeAsync(tokenId);
        for (var i = 0; i < 10 && receipt.State == "journaled"; i++)
        {
            receipt = await RevokeAsync(tokenId);
        }
        return receipt;
    }

    /// <summary>Lifts the revocation of a token.</summary>
    public async Task LiftAsync(string tokenId)
    {
        var (_, list) = await _app.SendAsync(
            HttpMethod.Get, $"/api/auth/admin/revocations?type=token&value={tokenId}", _admin);
        var id = Assert.Single(list.GetProperty("items").EnumerateArray()).GetProperty("id").GetString();
        var (status, _) = await _app.SendAsync(
            HttpMethod.Delete, $"/api/auth/admin/revocations/{id}", _admin, new { reason = "restored" });
        Assert.InRange(status, 200, 202);
    }

    public async Task<JsonElement> MetricsAsync()
    {
        var (status, body) = await _app.SendAsync(HttpMethod.Get, "/api/auth/admin/blacklist-metrics", _admin);
        Assert.Equal(200, status);
        return body;
    }

    /// <summary>Revocations of single tokens that this node knows.</summary>
    public async Task<long> CountAsync() => (await MetricsAsync())
        .GetProperty("blacklist_metrics").GetProperty("rules").GetProperty("token").GetInt64();

    /// <summary>A token that no server has seen, and its id.</summary>
    public static (string Token, string Id) NewToken()
    {
        var id = Guid.NewGuid().ToString();
        return (MobileApp.Minted("user", id), id);
    }

    public ValueTask DisposeAsync() => Server.DisposeAsync();
}
