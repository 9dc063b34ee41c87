using System.Net.Http.Json;

namespace Rescind.Tests.Server;

/// <summary>What every answer carries, and to whom browsers may show it.</summary>
public sealed class HeaderTests
{
    [Fact]
    public async Task Behind_a_proxy_that_ends_TLS_browsers_are_told_to_keep_to_it()
    {
        await using var open = await ServerUnderTest.StartAsync();
        Assert.False((await SendAsync(open, ("X-Forwarded-Proto", "https"))).Headers.ContainsKey("Strict-Transport-Security"));
        await using var behind = await ServerUnderTest.StartAsync(("FORWARDED_PROXIES", "127.0.0.1"));
        Assert.False((await SendAsync(behind)).Headers.ContainsKey("Strict-Transport-Security"));

        var reply = await SendAsync(behind, ("X-Forwarded-Proto", "https"), ("X-Forwarded-For", "198.51.100.7"));

        Assert.Equal("max-age=31536000; includeSubDomains", reply.Headers["Strict-Transport-Security"]);
        Assert.Equal(("nosniff", "DENY"), (reply.Headers["X-Content-Type-Options"], reply.Headers["X-Frame-Options"]));
    }

    [Fact]
    public async Task A_refusal_that_comes_from_a_fault_carries_them_too()
    {
        await using var server = await ServerUnderTest.StartAsync(("FORWARDED_PROXIES", "127.0.0.1"));
        File.Delete(Path.Combine(server.Data, "accounts.db"));
        Microsoft.Data.Sqlite.SqliteConnection.ClearAllPools();

        using var request = new HttpRequestMessage(HttpMethod.Post, "/api/auth/login");
        request.Headers.Add("X-Forwarded-Proto", "https");
        request.Content = JsonContent.Create(new { email = "a@example.com", password = ServerUnderTest.Password });
        var reply = await Reply.OfAsync(await server.Http.SendAsync(request));

        reply.IsRefusal(503, "store_unavailable");
        Assert.Equal(("nosniff", "DENY"), (reply.Headers["X-Content-Type-Options"], reply.Headers["X-Frame-Options"]));
        Assert.Equal("max-age=31536000; includeSubDomains", reply.Headers["Strict-Transport-Security"]);
    }

    [Fact]
    public async Task Other_origins_may_call_only_when_they_are_named()
    {
        (string, string) origin = ("Origin", "https://app.example.com");
        await using var closed = await ServerUnderTest.StartAsync();
        Assert.False((await SendAsync(closed, origin)).Headers.ContainsKey("Access-Control-Allow-Origin"));
        await using var open = await ServerUnderTest.StartAsync(("CORS_ORIGINS", "https://app.example.com"));

        Assert.Equal("https://app.example.com", (await SendAsync(open, origin)).Headers["Access-Control-Allow-Origin"]);
        Assert.False((await SendAsync(open, ("Origin", "https://evil.example.com"))).Headers
            .ContainsKey("Access-Control-Allow-Origin"));
    }

    private static async Task<Reply> SendAsync(ServerUnderTest server, params (string Name, string Value)[] headers)
    {
        using var request = new HttpRequestMessage(HttpMethod.Get, "/health/live");
        foreach (var (name, value) in headers)
        {
            request.Headers.Add(name, value);
        }
        return await Reply.OfAsync(await server.Http.SendAsync(request));
    }
}
