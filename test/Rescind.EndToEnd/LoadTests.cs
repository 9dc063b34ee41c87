using System.Collections.Concurrent;

namespace Rescind.EndToEnd;

/// <summary>Many callers at once against a real process.</summary>
public sealed class LoadTests(ITestOutputHelper output)
{
    [Fact]
    public async Task No_call_fails_and_no_token_is_accepted_after_its_logout_answered()
    {
        await using var server = await ServerProcess.StartedAsync(("RATE_LIMIT_ENABLED", "false"));
        var app = new MobileApp(server.Client);
        var logins = await Task.WhenAll(Enumerable.Range(0, 200).Select(_ => app.SendAsync(
            HttpMethod.Post, "/api/auth/login", null,
            new { email = ServerProcess.AdminEmail, password = ServerProcess.AdminPassword })));
        Assert.All(logins, login => Assert.Contains(login.Status, new[] { 200, 503 }));
        var tokens = logins.Where(login => login.Status == 200)
            .Select(login => login.Body.GetProperty("access_token").GetString()!).ToList();
        output.WriteLine($"200 log-ins at once: {tokens.Count} answered 200, {200 - tokens.Count} the stated 503");
        Assert.True(tokens.Count >= 50);

        // A user has at most 100 sessions, so some of these have ended already; the others must work.
        var alive = new List<string>();
        foreach (var token in tokens)
        {
            if (await app.ProfileAsync(token) == 200)
            {
                alive.Add(token);
            }
        }
        Assert.InRange(alive.Count, 50, 100);
        var (ended, wrong) = (new ConcurrentDictionary<string, bool>(StringComparer.Ordinal), new ConcurrentBag<string>());
        await Parallel.ForEachAsync(
            Enumerable.Range(0, 2000), new ParallelOptions { MaxDegreeOfParallelism = 200 },
            async (i, _) =>
            {
                var isLogOut = i % 40 == 39;
                var token = alive[(isLogOut ? i / 40 : i) % alive.Count];
                var hadEnded = ended.ContainsKey(token);
                if (isLogOut)
                {
                    var status = await app.LogOutAsync(token);
                    ended[token] = true;
                    if (status is not (200 or 401))
                    {
                        wrong.Add($"logout {status}");
                    }
                    return;
                }
                var read = await app.ProfileAsync(token);
                if (read is not (200 or 401) || (hadEnded && read == 200))
                {
                    wrong.Add($"profile {read}, had ended: {hadEnded}");
                }
            });
        Assert.Empty(wrong);
        Assert.NotEmpty(ended);
        output.WriteLine($"2,000 profile reads and log-outs at once, {ended.Count} sessions ended, none accepted afterwards");
    }
}
