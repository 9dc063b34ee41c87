using Microsoft.Extensions.DependencyInjection;
using Rescind.Tests.Redis;

namespace Rescind.Tests.Server;

/// <summary>A node that is started while Redis is away has nothing to compare its clock with. Refresh tokens are judged by
/// the clock of the database, and nobody is logged out for what a wrong one says.</summary>
public sealed class WrongClockTests(PostgresServer postgres) : IClassFixture<PostgresServer>
{
    private static readonly TimeSpan Off = TimeSpan.FromMinutes(10);

    [Fact]
    public async Task By_a_clock_that_is_ahead_a_retry_is_no_replay()
    {
        await using var redis = await RedisServer.StartAsync();
        await using var server = await StartAsync(redis);
        var tokens = await server.RegisterAsync();
        var next = await RefreshAsync(server, tokens.Refresh);

        await redis.KillAsync();
        server.Clock.Advance(Off);
        await server.RestartAsync();

        Assert.Equal(IdOf(next.Refresh), IdOf((await RefreshAsync(server, tokens.Refresh)).Refresh));
    }

    [Fact]
    public async Task What_was_rotated_by_a_clock_that_is_behind_can_be_tried_again_elsewhere()
    {
        await using var redis = await RedisServer.StartAsync();
        await using var server = await StartAsync(redis);
        var tokens = await server.RegisterAsync();
        var longAgo = (server.Clock.GetUtcNow() - Off - Off).ToUnixTimeSeconds();
        var older = MintedTokens.Sign(MintedTokens.Claims(tokens.UserId).With("token_type", "refresh_token")
            .With("jti", IdOf(tokens.Refresh)!).With("sid", tokens.Session!).With("iat", longAgo).With("nbf", longAgo)
            .With("auth_time", longAgo));

        await redis.KillAsync();
        server.Clock.Advance(-Off);
        await server.RestartAsync();
        var next = await RefreshAsync(server, older);

        server.Clock.Advance(Off);
        await GoOnAsync(redis, server);
        Assert.Equal(IdOf(next.Refresh), IdOf((await RefreshAsync(server, older)).Refresh));
    }

    /// <summary>The token looks as if it were not valid yet, or over.</summary>
    [Theory]
    [InlineData(-10)]
    [InlineData(60 * 24 * 8)]
    public async Task A_good_token_is_not_called_bad_by_a_clock_that_nobody_knows(int minutes)
    {
        await using var redis = await RedisServer.StartAsync();
        await using var server = await StartAsync(redis);
        var tokens = await server.RegisterAsync();

        await redis.KillAsync();
        server.Clock.Advance(TimeSpan.FromMinutes(minutes));
        await server.RestartAsync();
        (await PostAsync(server, tokens.Refresh)).IsRefusal(503, "issuing_stopped");

        server.Clock.Advance(TimeSpan.FromMinutes(-minutes));
        await GoOnAsync(redis, server);
        await RefreshAsync(server, tokens.Refresh);
        (await PostAsync(server, tokens.Access)).IsRefusal(401, "token_invalid");
    }

    private static async Task GoOnAsync(RedisServer redis, ServerUnderTest server)
    {
        await redis.StartProcessAsync();
        await server.UntilAsync(() => server.Services.GetRequiredService<Blacklist>().GetStatus().Fresh);
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
