using System.Text.Json;
using Microsoft.IdentityModel.JsonWebTokens;
using Rescind.Tests.Redis;
using Rescind.Tests.Server;

namespace Rescind.EndToEnd.Fleet;

/// <summary>Two server processes on one PostgreSQL and one Redis behave as one.</summary>
public sealed class SharedDatabaseTests
{
    [Fact]
    public async Task Sessions_refresh_races_limits_audit_and_maintenance_are_those_of_one_server()
    {
        await using var postgres = new PostgresServer();
        await postgres.InitializeAsync();
        await using var redis = await RedisServer.StartAsync();
        var url = await postgres.NewDatabaseAsync();
        await using var one = Node(redis, url, "one");
        await using var two = Node(redis, url, "two");
        await Task.WhenAll(one.StartAsync(), two.StartAsync());
        MobileApp[] apps = [new(one.Client), new(two.Client)];
        var begun = DateTimeOffset.UtcNow;

        var session = await apps[0].RegisterAsync();
        Assert.Equal(200, await apps[1].ProfileAsync(session.Access));
        var pairs = await Task.WhenAll(Enumerable.Range(0, 20).Select(number => apps[number % 2].SendAsync(
            HttpMethod.Post, "/api/auth/refresh", null, new { refresh_token = session.Refresh })));
        Assert.All(pairs, pair => Assert.Equal(200, pair.Status));
        Assert.Single(pairs.Select(pair => IdOf(pair.Body.GetProperty("refresh_token").GetString()!)).Distinct());

        var newest = pairs[0].Body;
        var (listed, sessions) = await apps[1].SendAsync(
            HttpMethod.Get, "/api/auth/sessions", newest.GetProperty("access_token").GetString());
        Assert.Equal((200, 1), (listed, sessions.GetProperty("sessions").GetArrayLength()));
        var ended = await apps[1].LogOutAsync(session.Access);
        AssertDone(200, ended);
        await Task.Delay(TimeSpan.FromSeconds(ended == 200 ? 0 : 3));
        Assert.Equal(401, await apps[0].RefreshAsync(newest.GetProperty("refresh_token").GetString()!));

        var admin = await apps[0].LogInAsync(ServerProcess.AdminEmail, ServerProcess.AdminPassword);
        await RecordsAreSharedAsync(apps, admin);
        await CountsTogetherAsync(apps);
        await MaintainsOnceAsync(apps, admin, begun);
        var (_, verified) = await apps[1].SendAsync(HttpMethod.Get, "/api/auth/admin/audit/verify", admin.Access);
        Assert.True(verified.GetProperty("intact").GetBoolean(), verified.ToString());
        Assert.Equal(2, verified.GetProperty("nodes").GetArrayLength());
    }

    /// <summary>Where Redis takes longer than 50 ms on a busy machine, this node's disk answers for it.</summary>
    private static void AssertDone(int status, int answered) => Assert.True(answered == status || answered == 202, $"{answered}");

    private static ServerProcess Node(RedisServer redis, string url, string name) => new(
        ("REDIS_URL", redis.Url), ("DATABASE_URL", url), ("RESCIND_NODE", name), ("RATE_LIMIT_ENABLED", null),
        ("AUDIT_KEY", "a key that all nodes of the tests share"), ("MAINTENANCE_DAILY", "* * * * *"));

    /// <summary>What one node revoked the other lists, explains and lifts.</summary>
    private static async Task RecordsAreSharedAsync(MobileApp[] apps, MobileApp.Session admin)
    {
        var value = Guid.NewGuid().ToString();
        var (made, rule) = await apps[0].SendAsync(HttpMethod.Post, "/api/auth/admin/revocations", admin.Access,
            new { target = new { type = "token", value }, reason = "lost_phone", note = "in a taxi" });
        AssertDone(201, made);
        var id = rule.GetProperty("id").GetString();
        var found = default(JsonElement);
        await Eventually.TrueAsync(async () =>
        {
            var (_, list) = await apps[1].SendAsync(
                HttpMethod.Get, $"/api/auth/admin/revocations?value={value}", admin.Access);
            found = list.GetProperty("items").EnumerateArray().SingleOrDefault();
            return found.ValueKind == JsonValueKind.Object;
        }, "the record arrives");
        Assert.Equal(("in a taxi", id), (found.GetProperty("note").GetString(), found.GetProperty("id").GetString()));
        var why = default(JsonElement);
        await Eventually.TrueAsync(async () =>
        {
            (_, why) = await apps[1].SendAsync(HttpMethod.Get, $"/api/auth/admin/explain?jti={value}", admin.Access);
            return why.GetProperty("rules").GetArrayLength() > 0;
        }, "the revocation arrives");
        Assert.Equal(admin.UserId, why.GetProperty("rules")[0].GetProperty("actor").GetString());

        var (lifted, _) = await apps[1].SendAsync(
            HttpMethod.Delete, $"/api/auth/admin/revocations/{id}", admin.Access, new { reason = "restored" });
        AssertDone(200, lifted);
        await Eventually.TrueAsync(async () =>
        {
            var (_, list) = await apps[1].SendAsync(
                HttpMethod.Get, $"/api/auth/admin/revocations?value={value}", admin.Access);
            return list.GetProperty("items")[0].GetProperty("lift_reason").GetString() == "restored";
        }, "the lift is recorded");
    }

    /// <summary>Five calls a minute, whichever node is asked. A machine that stalls lets a node count for itself for a
    /// second, so another user has another try.</summary>
    private static async Task CountsTogetherAsync(MobileApp[] apps)
    {
        var refused = 0;
        for (var user = 0; user < 15 && refused != 7; user++)
        {
            await Task.Delay(TimeSpan.FromSeconds(1.1));
            refused = 0;
            for (var i = 0; i < 12; i++)
            {
                var (status, _) = await apps[i % 2].SendAsync(
                    HttpMethod.Post, "/api/auth/revoke", MobileApp.Minted($"user {user}", "t"), new { token = "none" });
                refused += status == 429 ? 1 : 0;
            }
        }
        Assert.Equal(7, refused);
    }

    /// <summary>The "daily" work is due every minute here.</summary>
    private static async Task MaintainsOnceAsync(MobileApp[] apps, MobileApp.Session admin, DateTimeOffset begun)
    {
        var due = begun.AddMinutes(1);
        due = new DateTimeOffset(due.Year, due.Month, due.Day, due.Hour, due.Minute, 0, TimeSpan.Zero);
        var wait = due.AddSeconds(5) - DateTimeOffset.UtcNow;
        await Task.Delay(wait > TimeSpan.Zero ? wait : TimeSpan.Zero);
        var minutes = new List<string>();
        foreach (var item in await CleanupsAsync(apps[0], admin, begun))
        {
            minutes.Add(item.GetProperty("timestamp").GetDateTimeOffset().ToString("HH:mm"));
        }
        Assert.NotEmpty(minutes);
        Assert.Equal(minutes.Distinct(), minutes);
    }

    private static async Task<IEnumerable<JsonElement>> CleanupsAsync(
        MobileApp app, MobileApp.Session admin, DateTimeOffset since)
    {
        // Events of the other node arrive within a second.
        await Task.Delay(TimeSpan.FromSeconds(1));
        var (status, answer) = await app.SendAsync(
            HttpMethod.Get, $"/api/auth/admin/audit?event_type=blacklist_cleanup&since={since.UtcDateTime:yyyy-MM-dd'T'HH:mm:ss'Z'}",
            admin.Access);
        Assert.Equal(200, status);
        return answer.GetProperty("items").EnumerateArray();
    }

    private static string IdOf(string token) => new JsonWebToken(token).Id;
}
