using System.Text.Json;

namespace Rescind.EndToEnd.Chaos;

/// <summary>Clients and faults in a world, and what is left in the end.</summary>
internal sealed class Season(World world, Plan plan)
{
    private const int Users = 4;

    /// <summary>Longer than the checker allows, so that it is the checker that says so.</summary>
    private static readonly TimeSpan Patience = Checker.Recovery + TimeSpan.FromSeconds(15);

    private readonly History _history = world.History;
    private readonly Known _known = new();

    public async Task LiveAsync()
    {
        using var caller = new Caller(world);
        using var over = new CancellationTokenSource();
        var app = new MobileApp(world.All[0].Server.Client);
        var admin = (await app.LogInAsync(ServerProcess.AdminEmail, ServerProcess.AdminPassword)).Access;
        var clients = new Clients(caller, _history, _known, admin, over.Token);
        foreach (var node in world.All)
        {
            _history.Note(node.Name, "started", word: node.Policy);
        }
        for (var number = 1; number <= Users; number++)
        {
            var email = $"user{number}@rescind.example";
            var (status, body) = await app.SendAsync(
                HttpMethod.Post, "/api/auth/register", null, new { email, password = MobileApp.Password });
            Assert.Equal(201, status);
            _known.Users[$"user{number}"] = (body.GetProperty("user").GetProperty("id").GetString()!, email);
        }
        List<Task> work =
        [
            .. Enumerable.Range(0, 4).Select(_ => clients.MintAsync()), .. _known.Users.Keys.Select(clients.UseAsync),
            .. Enumerable.Range(0, 6).Select(_ => clients.AskAgainAsync()), clients.ReadAsync(), clients.TryDeadAsync(),
            world.OldData.CopyAsync(over.Token),
        ];
        try
        {
            await plan.RunAsync(_history);
            _history.Note("", "healed");
            await FreshAsync(caller, admin);
        }
        finally
        {
            await over.CancelAsync();
            await Task.WhenAll(work);
        }
        await EndAsync(caller, clients, app, admin);
    }

    /// <summary>Waits until every node knows everything and owes nothing.</summary>
    private async Task FreshAsync(Caller caller, string admin)
    {
        var healed = _history.Now;
        await Task.WhenAll(caller.Nodes.Select(async node =>
        {
            while (_history.Now - healed < Patience.TotalMicroseconds)
            {
                var answer = await caller.CallAsync(
                    node, "read", "fresh?", HttpMethod.Get, "/api/auth/admin/blacklist-metrics", admin);
                if (answer.IsDone && IsFresh(answer.Body.GetProperty("service_health")))
                {
                    _history.Note(node, "fresh");
                    return;
                }
                await Task.Delay(50);
            }
        }));
    }

    private static bool IsFresh(JsonElement health) =>
        health.GetProperty("fresh").GetBoolean() && health.GetProperty("journal_pending").GetInt64() == 0;

    private async Task EndAsync(Caller caller, Clients clients, MobileApp app, string admin)
    {
        foreach (var (user, (_, email)) in _known.Users)
        {
            // nginx gives up before a machine that does much else has computed a hash.
            var answer = new Answer(0, default);
            for (var tries = 0; tries < 5 && !answer.IsDone; tries++)
            {
                await Task.Delay(tries * 500);
                answer = await caller.CallAsync(Caller.Front, "late log-in", user, HttpMethod.Post, "/api/auth/login", null,
                    new { email, password = MobileApp.Password });
            }
            _history.Note(Caller.Front, "last log-in", user, answer.Status);
        }
        await Parallel.ForEachAsync(_known.Tokens, async (token, _) =>
            await clients.CheckEverywhereAsync(token.Key, token.Value, "last check"));
        foreach (var node in caller.Nodes)
        {
            var metrics = await caller.CallAsync(
                node, "read", "count", HttpMethod.Get, "/api/auth/admin/blacklist-metrics", admin);
            if (metrics.IsDone)
            {
                var rules = metrics.Body.GetProperty("blacklist_metrics").GetProperty("rules");
                _history.Note(node, "count", "", rules.GetProperty("token").GetInt32(), rules.GetRawText());
            }
        }
        await AuditAsync(app, admin);
    }

    private async Task AuditAsync(MobileApp app, string admin)
    {
        // What the other nodes wrote arrives within a second.
        await Task.Delay(TimeSpan.FromSeconds(2));
        await foreach (var one in EventsAsync(app, admin, "token_blacklisted"))
        {
            NoteToken(one, "audited");
        }
        await foreach (var one in EventsAsync(app, admin, "revocation_lifted"))
        {
            NoteToken(one, "lift audited");
        }
        var users = _known.Users.ToDictionary(user => user.Value.Id, user => user.Key, StringComparer.Ordinal);
        await foreach (var one in EventsAsync(app, admin, "user_tokens_revoked"))
        {
            if (one.GetProperty("actor_type").GetString() == "admin")
            {
                _history.Note("", "user audited", users[one.GetProperty("user_id").GetString()!]);
            }
        }
        var (status, verified) = await app.SendAsync(HttpMethod.Get, "/api/auth/admin/audit/verify", admin);
        Assert.Equal(200, status);
        _history.Note("", "audit verified", "", verified.GetProperty("intact").GetBoolean() ? 200 : 0, verified.GetRawText());
    }

    /// <summary>An event names its token; where the node had no record of what was lifted, it names the rule.</summary>
    private void NoteToken(JsonElement one, string what)
    {
        var name = one.GetProperty("jti").GetString() is { } jti ? _known.Audited.GetValueOrDefault(jti[..8])
            : one.GetProperty("note").GetString() is { } rule ? _known.Lifted.GetValueOrDefault(rule) : null;
        if (name is not null)
        {
            _history.Note("", what, name);
        }
    }

    private static async IAsyncEnumerable<JsonElement> EventsAsync(MobileApp app, string admin, string type)
    {
        for (string? cursor = ""; cursor is not null;)
        {
            var (_, page) = await app.SendAsync(
                HttpMethod.Get, $"/api/auth/admin/audit?event_type={type}&limit=1000&cursor={cursor}", admin);
            foreach (var one in page.GetProperty("items").EnumerateArray())
            {
                yield return one;
            }
            cursor = page.GetProperty("next_cursor").GetString();
        }
    }
}
