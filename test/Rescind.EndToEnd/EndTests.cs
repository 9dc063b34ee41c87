using System.Diagnostics;
using Rescind.Tests.Redis;
using Rescind.Tests.Server;

namespace Rescind.EndToEnd;

/// <summary>A service manager's SIGTERM ends a server in time whatever is away, and nothing that was answered is
/// lost.</summary>
public sealed class EndTests(ITestOutputHelper output)
{
    /// <summary>Requests that are under way have 15 s; the service managers of <c>deploy/</c> wait for 30.</summary>
    private static readonly TimeSpan Limit = TimeSpan.FromSeconds(20);

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task A_server_ends_in_time_whatever_is_away(bool areFrozen)
    {
        await using var postgres = new PostgresServer();
        await postgres.InitializeAsync();
        await using var redis = await RedisServer.StartAsync();
        await using var server = await ServerProcess.StartedAsync(
            ("REDIS_URL", redis.Url), ("DATABASE_URL", await postgres.NewDatabaseAsync()));
        var app = new MobileApp(server.Client);
        var session = await app.RegisterAsync();
        await (areFrozen
            ? Task.WhenAll(redis.FreezeAsync(), postgres.FreezeAsync())
            : Task.WhenAll(redis.KillAsync(), postgres.KillAsync()));
        try
        {
            Assert.InRange(await app.LogOutAsync(session.Access), 200, 202);
            var asked = Record.ExceptionAsync(
                () => app.LogInAsync(ServerProcess.AdminEmail, ServerProcess.AdminPassword));
            var begun = Stopwatch.GetTimestamp();
            Assert.Equal(0, await server.StopAsync());
            var took = Stopwatch.GetElapsedTime(begun);
            output.WriteLine($"{(areFrozen ? "Frozen" : "Killed")}: ended {took.TotalSeconds:n1} s after SIGTERM; a log-in: "
                + ((await asked)?.Message ?? "answered"));
            Assert.InRange(took, TimeSpan.Zero, Limit);
        }
        finally
        {
            await (areFrozen
                ? Task.WhenAll(redis.ResumeAsync(), postgres.ResumeAsync())
                : Task.WhenAll(redis.StartProcessAsync(), postgres.StartProcessAsync()));
        }
        await server.StartAsync();
        Assert.Equal(401, await app.ProfileAsync(session.Access));
    }
}
