using Rescind.Server.Sessions;

namespace Rescind.Tests.Server;

/// <summary>The devices of a user.</summary>
public abstract class SessionTests(ServerUnderTest server)
{
    [Fact]
    public async Task A_user_sees_its_devices_and_ends_one_of_them()
    {
        var phone = await server.RegisterAsync();
        var laptop = await server.LogInAsync(phone.Email);

        var list = await server.GetAsync("/api/auth/sessions", phone.Access);

        list.IsSuccess();
        var sessions = list.Json.GetProperty("sessions").EnumerateArray().ToDictionary(
            one => one.GetProperty("session_id").GetString()!, one => one);
        Assert.Equal(2, sessions.Count);
        Assert.True(sessions[phone.Session].GetProperty("current").GetBoolean());
        Assert.False(sessions[laptop.Session].GetProperty("current").GetBoolean());
        Assert.Equal("127.0.0.1", sessions[laptop.Session].GetProperty("ip").GetString());

        var ended = await server.SendAsync(
            HttpMethod.Delete, $"/api/auth/sessions/{laptop.Session}", null, phone.Access);
        ended.IsSuccess();
        Assert.Equal("everywhere", ended.Json.GetProperty("receipt").GetProperty("state").GetString());
        (await server.GetAsync("/api/users/profile", laptop.Access)).IsRefusal(401, "token_revoked");
        Assert.Equal(200, await server.ProfileStatusAsync(phone.Access));
        var left = (await server.GetAsync("/api/auth/sessions", phone.Access)).Json.GetProperty("sessions");
        Assert.Equal(phone.Session, Assert.Single(left.EnumerateArray()).GetProperty("session_id").GetString());
    }

    [Fact]
    public async Task Nobody_ends_a_session_of_somebody_else()
    {
        var (owner, stranger) = (await server.RegisterAsync(), await server.RegisterAsync());

        (await server.SendAsync(
            HttpMethod.Delete, $"/api/auth/sessions/{owner.Session}", null, stranger.Access))
            .IsRefusal(404, "not_found");

        Assert.Equal(200, await server.ProfileStatusAsync(owner.Access));
    }

    [Fact]
    public async Task A_session_that_has_ended_is_ended_once_more_without_another_rule()
    {
        var (owner, admin) = (await server.RegisterAsync(), await server.LogInAsAdminAsync());
        var (one, two) = (await server.LogInAsync(owner.Email), await server.LogInAsync(owner.Email));
        var first = await EndAsync(owner, one.Session);
        (await server.PostAsync("/api/auth/logout-all", null, two.Access)).IsSuccess();
        owner = await server.LogInAsync(owner.Email);
        var before = server.LiveRevocations();

        // What hits the second one is a rule for the user, which may be lifted: it gets one of its own, once.
        foreach (var (session, more) in new[] { (one.Session, 0), (one.Session, 0), (two.Session, 1), (two.Session, 1) })
        {
            var again = await EndAsync(owner, session);
            Assert.Equal(session, again.Json.GetProperty("session_id").GetString());
            Assert.Equal("everywhere", again.Json.GetProperty("receipt").GetProperty("state").GetString());
            Assert.Equal(before + more, server.LiveRevocations());
        }
        Assert.Equal(IdOf(first), IdOf(await EndAsync(owner, one.Session)));

        (await server.SendAsync(
            HttpMethod.Delete, "/api/auth/admin/revocations/" + IdOf(first), new { reason = "restored" }, admin.Access))
            .IsSuccess();
        Assert.NotEqual(IdOf(first), IdOf(await EndAsync(owner, one.Session)));

        static string? IdOf(Reply reply) => reply.Json.GetProperty("receipt").GetProperty("id").GetString();
    }

    private async Task<Reply> EndAsync(Tokens owner, string session)
    {
        var ended = await server.SendAsync(
            HttpMethod.Delete, $"/api/auth/sessions/{session}", null, owner.Access);
        ended.IsSuccess();
        return ended;
    }

    [Fact]
    public async Task The_oldest_session_ends_when_a_user_has_too_many()
    {
        var first = await server.RegisterAsync();
        for (var count = 1; count < SessionBook.MostSessions; count++)
        {
            await server.LogInAsync(first.Email);
        }
        Assert.Equal(200, await server.ProfileStatusAsync(first.Access));

        var last = await server.LogInAsync(first.Email);

        (await server.GetAsync("/api/users/profile", first.Access)).IsRefusal(401, "token_revoked");
        var list = await server.GetAsync("/api/auth/sessions", last.Access);
        Assert.Equal(SessionBook.MostSessions, list.Json.GetProperty("sessions").GetArrayLength());
    }
}

public sealed class SessionTestsOnSqlite(ServerUnderTest server)
    : SessionTests(server), IClassFixture<ServerUnderTest>;

public sealed class SessionTestsOnPostgres(ServerOnPostgres server)
    : SessionTests(server), IClassFixture<ServerOnPostgres>;
