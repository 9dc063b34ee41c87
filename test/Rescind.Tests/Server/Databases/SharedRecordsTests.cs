using System.Text.Json;
using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.DependencyInjection;
using Rescind.Server.Audit;
using Rescind.Server.Database;
using Rescind.Server.Records;
using Rescind.Tests.Redis;

namespace Rescind.Tests.Server;

/// <summary>Who, why and when, in the database that nodes share.</summary>
public sealed class SharedRecordsTests
{
    [Fact]
    public async Task Pages_join_and_filters_hold_and_an_outage_leaves_what_this_node_made()
    {
        await using var postgres = new PostgresServer();
        await postgres.InitializeAsync();
        await using var server = await ServerUnderTest.StartAsync(("DATABASE_URL", await postgres.NewDatabaseAsync()));
        var admin = await server.LogInAsAdminAsync();
        for (var i = 0; i < 7; i++)
        {
            (await server.PostAsync("/api/auth/admin/revoke-token-by-jti",
                new { jti = $"token-{i}", reason = i % 2 == 0 ? "even" : "odd" }, admin.Access)).IsSuccess();
        }

        Assert.Equal(["token-6", "token-4", "token-2", "token-0"], await ListAsync("reason=even&limit=3"));
        Assert.Equal(7, (await ListAsync("limit=2")).Count);
        Assert.Equal(["token-3"], await ListAsync("value=token-3"));
        Assert.Empty(await ListAsync("type=subject"));
        (await server.GetAsync("/api/auth/admin/revocations?cursor=nonsense", admin.Access))
            .IsRefusal(400, "validation_failed");

        var first = await server.GetAsync("/api/auth/admin/revocations?limit=2", admin.Access);
        await postgres.StopAsync();
        Assert.Equal(7, (await ListAsync("limit=3")).Count);
        (await server.GetAsync($"/api/auth/admin/revocations?cursor={Next(first)}", admin.Access))
            .IsRefusal(503, "store_unavailable");
        (await server.PostAsync("/api/auth/admin/revoke-token-by-jti",
            new { jti = "while-away", reason = "even" }, admin.Access)).IsSuccess();

        await postgres.StartProcessAsync();
        Assert.Equal("while-away", (await ListAsync("limit=3"))[0]);

        async Task<List<string>> ListAsync(string query)
        {
            var (found, cursor) = (new List<string>(), (string?)null);
            do
            {
                var reply = await server.GetAsync($"/api/auth/admin/revocations?{query}&cursor={cursor}", admin.Access);
                reply.IsSuccess();
                found.AddRange(reply.Json.GetProperty("items").EnumerateArray()
                    .Select(one => one.GetProperty("target").GetProperty("value").GetString()!));
                cursor = Next(reply);
            }
            while (cursor is not null);
            return found;
        }
    }

    /// <summary>The news of two nodes come in either order, also in one batch.</summary>
    [Theory]
    [InlineData(true, false)]
    [InlineData(false, false)]
    [InlineData(true, true)]
    [InlineData(false, true)]
    public async Task A_lift_stays_and_what_was_not_recorded_gives_way(bool liftIsFirst, bool isOneBatch)
    {
        await using var server = await ServerUnderTest.StartAsync();
        var store = server.Services.GetRequiredService<AccountStore>();
        var (made, lift) = MadeAndLifted();
        Revocation[] news = liftIsFirst ? [lift, made] : [made, lift];
        foreach (var batch in isOneBatch ? [news] : news.Select(one => new[] { one }))
        {
            await PutAsync(store, batch);
        }

        var row = await store.ReadAsync(db => db.Revocations.SingleAsync(), CancellationToken.None);
        Assert.Equal(RecentRecordsTests.Lifted(made, lift), row.ToRevocation());
    }

    /// <summary>The one made it and the other lifts it, or both lift it, and both carry that over at once.
    /// </summary>
    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task Nodes_that_write_one_record_at_once_keep_what_both_say(bool bothLift)
    {
        await using var postgres = new PostgresServer();
        await postgres.InitializeAsync();
        await using var server = await ServerUnderTest.StartAsync(("DATABASE_URL", await postgres.NewDatabaseAsync()));
        var (store, shipper) = (
            server.Services.GetRequiredService<AccountStore>(), server.Services.GetRequiredService<AuditShipper>());
        var (made, lift) = MadeAndLifted();
        var late = made with { LiftedAt = lift.LiftedAt + TimeSpan.FromMinutes(1), LiftedBy = "too late" };
        if (bothLift)
        {
            await PutAsync(store, made);
        }

        await store.WhileAnotherWritesAsync(
            postgres,
            other => SharedRecords.PutAsync(other, [RevocationRow.Of(lift)]),
            async () =>
            {
                await server.Services.GetRequiredService<AuditTrail>().NoteAsync(
                    new AuditEvent("revocation_lifted") { Record = RevocationRow.Of(bothLift ? late : made) });
                await shipper.ShipAsync(CancellationToken.None);
                return true;
            });

        var row = await store.ReadAsync(db => db.Revocations.SingleAsync(), CancellationToken.None);
        Assert.Equal(RecentRecordsTests.Lifted(made, lift), row.ToRevocation());
        Assert.DoesNotContain(server.LogEntries, line => line.Contains("Audit events wait", StringComparison.Ordinal));
    }

    [Fact]
    public async Task A_lift_on_a_node_without_the_record_is_an_event_and_a_record_there()
    {
        await using var redis = await RedisServer.StartAsync();
        await using var one = await ServerUnderTest.StartAsync(("REDIS_URL", redis.Url), ("RESCIND_NODE", "one"));
        await using var two = await ServerUnderTest.StartAsync(("REDIS_URL", redis.Url), ("RESCIND_NODE", "two"));
        var (user, admin) = (await one.RegisterAsync(), await two.LogInAsAdminAsync());
        var session = await IdAsync(one, "/api/auth/logout", new { }, user.Access);
        var subject = await IdAsync(
            one, "/api/auth/admin/revoke-user-tokens", new { user_id = "somebody", reason = "admin_action" },
            (await one.LogInAsAdminAsync()).Access);
        await two.UntilAsync(() => two.LiveRevocations() == 2);

        foreach (var id in new[] { session, subject })
        {
            (await two.SendAsync(
                HttpMethod.Delete, $"/api/auth/admin/revocations/{id}", new { reason = "restored" }, admin.Access))
                .IsSuccess();
        }

        var list = await two.GetAsync("/api/auth/admin/revocations", admin.Access);
        Assert.Equal(
            [(subject, "somebody", "restored"), (session, "", "restored")],
            list.Json.GetProperty("items").EnumerateArray().Select(item => (
                item.GetProperty("id").GetString(), item.GetProperty("target").GetProperty("value").GetString(),
                item.GetProperty("lift_reason").GetString())));
        var events = await two.GetAsync("/api/auth/admin/audit?event_type=revocation_lifted", admin.Access);
        Assert.Equal(
            [("somebody", "somebody"), (null, session)],
            events.Json.GetProperty("items").EnumerateArray().Select(item => (
                item.GetProperty("user_id").GetString(),
                item.GetProperty("user_id").GetString() ?? item.GetProperty("note").GetString())));
        Assert.All(events.Json.GetProperty("items").EnumerateArray(), item => Assert.Equal(
            ("restored", admin.UserId), (item.GetProperty("reason").GetString(), item.GetProperty("actor").GetString())));
    }

    private static (Revocation Made, Revocation Lift) MadeAndLifted()
    {
        var lift = RecentRecordsTests.LiftOf(1);
        return (
            Revocation.OfToken("i", "t") with
            {
                Id = lift.Id, Reason = "logout", Actor = "a", Note = "n", MadeAt = lift.MadeAt.AddDays(-1),
                ExpiresAt = lift.MadeAt,
            },
            lift);
    }

    private static Task<int> PutAsync(AccountStore store, params Revocation[] records) => store.WriteAsync(
        async db =>
        {
            await SharedRecords.PutAsync(db, [.. records.Select(RevocationRow.Of)]);
            return await db.SaveChangesAsync();
        },
        CancellationToken.None);

    private static async Task<string?> IdAsync(ServerUnderTest node, string path, object body, string token)
    {
        var reply = await node.PostAsync(path, body, token);
        reply.IsSuccess();
        return reply.Json.GetProperty("receipt").GetProperty("id").GetString();
    }

    private static string? Next(Reply reply) =>
        reply.Json.GetProperty("next_cursor") is { ValueKind: JsonValueKind.String } next ? next.GetString() : null;
}
