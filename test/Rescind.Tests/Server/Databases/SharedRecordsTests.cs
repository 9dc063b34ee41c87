using System.Text.Json;

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

    private static string? Next(Reply reply) =>
        reply.Json.GetProperty("next_cursor") is { ValueKind: JsonValueKind.String } next ? next.GetString() : null;
}
