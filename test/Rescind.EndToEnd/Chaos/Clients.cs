using Microsoft.IdentityModel.JsonWebTokens;

namespace Rescind.EndToEnd.Chaos;

/// <summary>What clients do, each in a loop until the end: mint, revoke, lift, log in, refresh, log out, ask, read.</summary>
internal sealed class Clients(Caller caller, History history, Known known, string admin, CancellationToken over)
{
    private const string Jti = "/api/auth/admin/revoke-token-by-jti";

    /// <summary>Tokens that were made elsewhere with the same key: revoked one by one, some of them lifted.</summary>
    public async Task MintAsync()
    {
        while (!over.IsCancellationRequested)
        {
            var (name, id) = (known.NextMinted(), Guid.NewGuid().ToString());
            var token = MobileApp.Minted("a stranger", id);
            history.Note("", "mint", name, 200);
            known.Keep(name, token);
            await CheckAsync(caller.Somewhere, name, token);
            if (Random.Shared.Next(8) == 0)
            {
                continue; // lives on
            }
            known.Audited[id[..8]] = name;
            var answer = await caller.CallAsync(
                caller.Somewhere, "revoke", name, HttpMethod.Post, Jti, admin, new { jti = id, reason = "admin_action" });
            await CheckEverywhereAsync(name, token);
            if (answer.IsDone && Random.Shared.Next(4) == 0)
            {
                var rule = answer.Body.GetProperty("receipt").GetProperty("id").GetString();
                known.Lifted[rule!] = name;
                await PauseAsync(300);
                await caller.CallAsync(caller.Somewhere, "lift", name, HttpMethod.Delete,
                    $"/api/auth/admin/revocations/{rule}", admin, new { reason = "restored" });
                await CheckEverywhereAsync(name, token);
            }
            await PauseAsync(100);
        }
    }

    /// <summary>Any token that was ever seen, asked again.</summary>
    public async Task AskAgainAsync()
    {
        while (!over.IsCancellationRequested)
        {
            if (known.Some() is { } some)
            {
                await CheckAsync(caller.Somewhere, some.Key, some.Value);
            }
            await PauseAsync(20);
        }
    }

    /// <summary>A thief who has the refresh token of a session that was ended.</summary>
    public async Task TryDeadAsync()
    {
        while (!over.IsCancellationRequested)
        {
            if (known.SomeDead() is { } dead)
            {
                await caller.CallAsync(caller.Somewhere, "dead refresh", dead.Key, HttpMethod.Post, "/api/auth/refresh", null,
                    new { refresh_token = dead.Value });
            }
            await PauseAsync(100);
        }
    }

    /// <summary>What an operator looks at.</summary>
    public async Task ReadAsync()
    {
        string[] paths =
        [
            "/api/auth/admin/blacklist-metrics", "/api/auth/admin/audit?limit=20", "/api/auth/admin/revocations?limit=20",
            "/health/ready", "/api/auth/sessions", "/api/auth/security/status", "/api/auth/admin/users?query=a",
        ];
        while (!over.IsCancellationRequested)
        {
            var path = paths[Random.Shared.Next(paths.Length)];
            await caller.CallAsync(caller.Somewhere, "read", path, HttpMethod.Get, path, admin);
            await PauseAsync(200);
        }
    }

    /// <summary>A user: sessions, one after the other.</summary>
    public async Task UseAsync(string user)
    {
        var (id, email) = known.Users[user];
        for (var number = 1; !over.IsCancellationRequested; number++)
        {
            await PauseAsync(300);
            var session = $"{user}/s{number}";
            var answer = await caller.CallAsync(caller.Somewhere, "login", session + "/1", HttpMethod.Post,
                "/api/auth/login", null, new { email, password = MobileApp.Password });
            if (!answer.IsDone)
            {
                continue;
            }
            var pair = Take(session + "/1", answer);
            await CheckEverywhereAsync(session + "/1", pair.Access);
            var refreshing = RefreshAsync(session, pair.Refresh);
            if (Random.Shared.Next(4) == 0)
            {
                // Whichever is faster: what the refresh makes ends as well.
                await EndAsync(user, id, session + "/1", pair);
            }
            if (await refreshing is not { } next)
            {
                continue;
            }
            await CheckEverywhereAsync(session + "/2", next.Access);
            await EndAsync(user, id, session + "/2", next);
        }
    }

    public async Task<Answer> CheckAsync(string where, string name, string token, string what = "check") =>
        await caller.CallAsync(where, what, name, HttpMethod.Get, "/api/auth/token/validate", token);

    public Task CheckEverywhereAsync(string name, string token, string what = "check") =>
        Task.WhenAll(caller.Nodes.Select(node => CheckAsync(node, name, token, what)));

    /// <summary>A client whose answer was lost sends the same token again, within the time that the server allows.</summary>
    private async Task<(string Access, string Refresh)?> RefreshAsync(string session, string refresh)
    {
        for (var tries = 0; tries < 3; tries++)
        {
            var answer = await caller.CallAsync(caller.Somewhere, "refresh", session + "/2", HttpMethod.Post,
                "/api/auth/refresh", null, new { refresh_token = refresh });
            if (answer.IsDone)
            {
                return Take(session + "/2", answer);
            }
            await PauseAsync(500);
        }
        return null;
    }

    private async Task EndAsync(string user, string id, string name, (string Access, string Refresh) pair)
    {
        var ((access, refresh), session) = (pair, name[..name.LastIndexOf('/')]);
        (string On, string Path, string? Token, object Body) end = Random.Shared.Next(5) switch
        {
            0 => (session, "/api/auth/logout", null, new { refresh_token = refresh }),
            1 => (user, "/api/auth/logout-all", access, new { }),
            2 => (user, "/api/auth/admin/revoke-user-tokens", admin, new { user_id = id, reason = "admin_action" }),
            3 => (session, "/api/auth/revoke", access, new { token = refresh }),
            _ => (session, "/api/auth/logout", access, new { }),
        };
        var answer = await caller.CallAsync(
            caller.Somewhere, "revoke", end.On, HttpMethod.Post, end.Path, end.Token, end.Body);
        if (answer.IsDone)
        {
            known.Dead[name] = refresh;
            if (end.Token == admin)
            {
                history.Note("", "revoked by an administrator", user);
            }
        }
        foreach (var one in new[] { session + "/2", session + "/1" })
        {
            if (known.Tokens.TryGetValue(one, out var token))
            {
                await CheckEverywhereAsync(one, token);
            }
        }
    }

    private (string Access, string Refresh) Take(string name, Answer answer)
    {
        known.Keep(name, answer.Text("access_token")!);
        return (answer.Text("access_token")!, answer.Text("refresh_token")!);
    }

    private Task PauseAsync(int milliseconds) => Task.Delay(Random.Shared.Next(milliseconds), over)
        .ContinueWith(_ => { }, CancellationToken.None, TaskContinuationOptions.ExecuteSynchronously, TaskScheduler.Default);
}
