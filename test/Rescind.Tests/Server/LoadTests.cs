using System.Collections.Concurrent;

namespace Rescind.Tests.Server;

/// <summary>Many callers at once: nobody gets an error that is not stated, and nobody gets in with a token
/// whose logout was answered.</summary>
public sealed class LoadTests
{
    [Fact]
    public async Task Two_hundred_logins_at_once_are_answered_or_told_to_come_again()
    {
        await using var server = await ServerUnderTest.StartAsync();
        var users = new List<Tokens>();
        for (var i = 0; i < 20; i++)
        {
            users.Add(await server.RegisterAsync());
        }

        var replies = await Task.WhenAll(Enumerable.Range(0, 200).Select(i => server.PostAsync(
            "/api/auth/login", new { email = users[i % 20].Email, password = ServerUnderTest.Password })));

        Assert.All(replies, reply => Assert.True(
            reply.Status == 200 || reply is { Status: 503, Code: "busy" }, $"{reply.Status}: {reply.Text}"));
        Assert.All(
            replies.Where(reply => reply.Status == 503),
                reply => Assert.True(reply.Headers.ContainsKey("Retry-After")));
        Assert.True(replies.Count(reply => reply.Status == 200) >= 100);
        var good = replies.First(reply => reply.Status == 200);
        Assert.Equal(200, await server.ProfileStatusAsync(Tokens.Of(good.Json).Access));
    }

    [Fact]
    public async Task No_token_is_accepted_after_its_logout_was_answered()
    {
        await using var server = await ServerUnderTest.StartAsync();
        var sessions = new List<Tokens>();
        for (var i = 0; i < 200; i++)
        {
            sessions.Add(i % 50 == 0 ? await server.RegisterAsync()
                : await server.LogInAsync(sessions[i - 1].Email));
        }
        var loggedOut = new ConcurrentDictionary<int, bool>();
        var mistakes = new ConcurrentQueue<string>();

        // 1,800 reads of 200 sessions, and in their midst the 200 logouts.
        var calls = Enumerable.Range(0, 2_000)
            .Select(i => i % 10 == 9 ? LogOutAsync(i / 10) : ReadAsync(i % 200));
        await Task.WhenAll(calls);

        Assert.Empty(mistakes);
        Assert.Equal(200, loggedOut.Count);
        foreach (var tokens in sessions)
        {
            Assert.Equal(401, await server.ProfileStatusAsync(tokens.Access));
        }

        async Task LogOutAsync(int index)
        {
            var reply = await server.PostAsync("/api/auth/logout", null, sessions[index].Access);
            loggedOut[index] = true;
            if (reply.Status != 200)
            {
                mistakes.Enqueue($"logout answered {reply.Status}: {reply.Text}");
            }
        }

        async Task ReadAsync(int index)
        {
            var wasLoggedOut = loggedOut.ContainsKey(index);
            var reply = await server.GetAsync("/api/users/profile", sessions[index].Access);
            if (reply.Status is not (200 or 401) || (wasLoggedOut && reply.Status == 200))
            {
                mistakes.Enqueue($"profile answered {reply.Status}, logged out before: {wasLoggedOut}");
            }
        }
    }
}
