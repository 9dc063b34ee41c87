using Microsoft.Extensions.DependencyInjection;
using Rescind.Tests.Redis;

namespace Rescind.Tests.Server;

/// <summary>A node that is started while Redis is away has nothing to compare its clock with but the database, and nobody is
/// logged out for what a wrong one says.</summary>
public sealed class WrongClockTests(PostgresServer postgres) : IClassFixture<PostgresServer>
{
    /// <summary>By such a clock a retry looks like a replay, a good token as if it were not valid yet or over, and what is
    /// issued would be refused elsewhere.</summary>
    [Theory]
    [InlineData(10)]
    [InlineData(-10)]
    [InlineData(60 * 24 * 8)]
    public async Task A_node_that_is_started_with_a_wrong_clock_while_redis_is_away_issues_nothing_and_ends_nothing(int minutes)
    {
        await using var redis = await RedisServer.StartAsync();
        await using var server = await StartAsync(redis);
        var first = await server.RegisterAsync();
        var second = await RefreshAsync(server, first.Refresh);

        await redis.KillAsync();
        server.Clock.Advance(TimeSpan.FromMinutes(minutes));
        await server.RestartAsync();
        foreach (var refresh in new[] { first.Refresh, second.Refresh })
        {
            (await PostAsync(server, refresh)).IsRefusal(503, "issuing_stopped");
        }
        (await server.PostAsync("/api/auth/login", new { email = first.Email, password = ServerUnderTest.Password }))
            .IsRefusal(503, "issuing_stopped");

        server.Clock.Advance(TimeSpan.FromMinutes(-minutes));
        await redis.StartProcessAsync();
        await server.UntilAsync(() => server.Services.GetRequiredService<Blacklist>().GetStatus().Fresh);
        Assert.Equal(IdOf(second.Refresh), IdOf((await RefreshAsync(server, first.Refresh)).Refresh));
        (await PostAsync(server, second.Access)).IsRefusal(401, "token_invalid");
    }

    [Fact]
    public async Task With_a_right_clock_it_goes_on_without_redis()
    {
        await using var redis = await RedisServer.StartAsync();
        await using var server = await StartAsync(redis);
        var tokens = await server.RegisterAsync();

        await redis.KillAsync();
        await server.RestartAsync();

        await RefreshAsync(server, tokens.Refresh);
        await server.LogInAsync(tokens.Email);
    }

    [Fact]
    public async Task A_retry_is_judged_by_the_clock_of_the_database()
    {
        await using var server = await ServerUnderTest.StartAsync(("DATABASE_URL", await postgres.NewDatabaseAsync()));
        var tokens = await server.RegisterAsync();
        var next = await RefreshAsync(server, tokens.Refresh);

        server.Clock.Advance(TimeSpan.FromSeconds(31));

        Assert.Equal(IdOf(next.Refresh), IdOf((await RefreshAsync(server, tokens.Refresh)).Refresh));
    }

    private static Task<Reply> PostAsync(ServerUnderTest server, string refresh) =>
        server.PostAsync("/api/auth/refresh", new { refresh_token = refresh });

    private static async Task<Tokens> RefreshAsync(ServerUnderTest server, string refresh)
    {
        var reply = await PostAsync(server, refresh);
        reply.IsSuccess();
        return Tokens.Of(reply.Json);
    }

    private static string? IdOf(string token) => MintedTokens.Read(token).GetProperty("jti").GetString();

    private async Task<ServerUnderTest> StartAsync(RedisServer redis) => await ServerUnderTest.StartAsync(
        ("DATABASE_URL", await postgres.NewDatabaseAsync()), ("REDIS_URL", redis.Url));
}
