using System.Collections.Concurrent;
using System.Security.Cryptography;
using System.Text.Json;
using Microsoft.IdentityModel.JsonWebTokens;
using Rescind.Tests.Redis;

namespace Rescind.EndToEnd;

/// <summary>What was answered stays, whatever happens to the process.</summary>
public sealed class DurabilityTests(ITestOutputHelper output)
{
    /// <summary>10 in the ordinary run, 100 by <c>dotnet run build.cs soak kill</c>.</summary>
    private static readonly int Rounds =
        int.TryParse(Environment.GetEnvironmentVariable("RESCIND_SOAK_ROUNDS"), out var rounds) ? rounds : 10;

    [Fact]
    public async Task A_logout_survives_kill_9_right_after_its_answer()
    {
        await using var server = await ServerProcess.StartedAsync();
        var app = new MobileApp(server.Client);
        var ended = new List<MobileApp.Session>();
        var lasting = await app.LogInAsync(ServerProcess.AdminEmail, ServerProcess.AdminPassword);
        for (var round = 0; round < Rounds; round++)
        {
            var session = await app.LogInAsync(ServerProcess.AdminEmail, ServerProcess.AdminPassword);
            Assert.Equal(200, await app.ProfileAsync(session.Access));
            Assert.Equal(200, await app.LogOutAsync(session.Access));
            await server.KillAsync();
            ended.Add(session);

            await server.StartAsync();
            Assert.Equal((401, 401), (await app.ProfileAsync(session.Access), await app.RefreshAsync(session.Refresh)));
        }
        foreach (var session in ended)
        {
            Assert.Equal(401, await app.ProfileAsync(session.Access));
        }
        Assert.Equal(200, await app.ProfileAsync(lasting.Access));
        output.WriteLine($"{Rounds} rounds of logout, kill -9, start: every token stayed refused");
    }

    /// <summary>32 callers revoke tokens without a pause and 8 log in, whose hashing takes longest, while the
    /// server is told to stop: who had been let in is answered, and what was answered is there afterwards, with
    /// its audit event.</summary>
    [Fact]
    public async Task SIGTERM_under_load_drains_and_loses_nothing_that_was_answered()
    {
        await using var server = await ServerProcess.StartedAsync();
        var app = new MobileApp(server.Client);
        var admin = await app.LogInAsync(ServerProcess.AdminEmail, ServerProcess.AdminPassword);
        var (answered, stop) = (new ConcurrentBag<string>(), false);
        var callers = Enumerable.Range(0, 32).Select(async _ =>
        {
            while (!Volatile.Read(ref stop))
            {
                var token = MobileApp.Minted(admin.UserId, Guid.NewGuid().ToString());
                var status = await StatusOfAsync(() => app.SendAsync(HttpMethod.Post, "/api/auth/revoke", token));
                Assert.Contains(status, new[] { 200, 0 });
                if (status == 0)
                {
                    return;
                }
                answered.Add(token);
            }
        }).ToList();
        await Eventually.TrueAsync(() => answered.Count > 64, "every caller was answered twice");
        var logins = Enumerable.Range(0, 8).Select(_ => StatusOfAsync(() => app.SendAsync(
            HttpMethod.Post, "/api/auth/login", null,
            new { email = ServerProcess.AdminEmail, password = ServerProcess.AdminPassword }))).ToList();
        await Task.WhenAny(logins); // four at a time are computed, so others wait
        Assert.Contains(logins, login => !login.IsCompleted);

        Assert.Equal(0, await server.StopAsync());
        Volatile.Write(ref stop, true);
        await Task.WhenAll(callers);

        // What had not reached the server yet is turned away; all that it had taken on is answered.
        var statuses = await Task.WhenAll(logins);
        Assert.All(statuses, status => Assert.Contains(status, new[] { 200, 0 }));
        Assert.Contains(200, statuses);

        await server.StartAsync();
        var (_, opened) = await app.SendAsync(HttpMethod.Get, "/api/auth/sessions", admin.Access);
        var isIn = statuses.Count(status => status == 200);
        Assert.Equal(1 + isIn, opened.GetProperty("sessions").GetArrayLength());
        output.WriteLine($"{answered.Count} revocations and {isIn} log-ins answered before SIGTERM was done");
        await Parallel.ForEachAsync(answered, async (token, _) => Assert.Equal(401, await app.ProfileAsync(token)));
        var audited = await AuditedTokensAsync(app, admin.Access);
        Assert.Empty(answered.Select(token => new JsonWebToken(token).Id[..8]).Except(audited));
        var (_, chains) = await app.SendAsync(HttpMethod.Get, "/api/auth/admin/audit/verify", admin.Access);
        Assert.True(chains.GetProperty("intact").GetBoolean());
    }

    [Fact]
    public async Task A_million_live_revocations_are_loaded_within_seconds()
    {
        await using var server = new ServerProcess();
        var jti = Guid.NewGuid().ToString();
        var token = MobileApp.Minted("somebody", jti);
        await FillAsync(Path.Combine(server.Data, "rescind.db"), 1_000_000, jti);

        await using var empty = new ServerProcess();
        var readyEmpty = await empty.StartAsync();
        var ready = await server.StartAsync();
        output.WriteLine($"ready with 1,000,000 live revocations after {ready.TotalSeconds:n2} s, with none after {readyEmpty.TotalSeconds:n2} s");
        if (ready > 5 * readyEmpty)
        {
            // The machine may have stood still for a while in one of them.
            await using var again = new ServerProcess();
            readyEmpty = new[] { readyEmpty, await again.StartAsync() }.Max();
        }
        Assert.InRange(ready / readyEmpty, 0, 5);
        Assert.InRange(ready.TotalSeconds, 0, 40);
        var app = new MobileApp(server.Client);
        Assert.Equal((401, 200), (await app.ValidateAsync(token), await app.ValidateAsync(MobileApp.Minted("somebody", "another"))));
        var admin = await app.LogInAsync(ServerProcess.AdminEmail, ServerProcess.AdminPassword);
        var (_, metrics) = await app.SendAsync(HttpMethod.Get, "/api/auth/admin/blacklist-metrics", admin.Access);
        var index = metrics.GetProperty("blacklist_metrics");
        Assert.Equal(1_000_001, index.GetProperty("index_entries").GetInt64());
        var each = index.GetProperty("index_bytes").GetInt64() / 1_000_001.0;
        output.WriteLine($"{each:n1} bytes of node memory an entry");
        Assert.InRange(each, 20, 40);
    }

    /// <summary>0: not answered, because the server was gone.</summary>
    private static async Task<int> StatusOfAsync(Func<Task<(int Status, JsonElement Body)>> call)
    {
        try
        {
            return (await call()).Status;
        }
        catch (HttpRequestException)
        {
            return 0;
        }
    }

    /// <summary>The tokens, shortened, of all events of revoked tokens.</summary>
    private static async Task<HashSet<string>> AuditedTokensAsync(MobileApp app, string admin)
    {
        var (tokens, cursor) = (new HashSet<string>(StringComparer.Ordinal), (string?)"");
        while (cursor is not null)
        {
            var (_, page) = await app.SendAsync(
                HttpMethod.Get, $"/api/auth/admin/audit?event_type=token_blacklisted&limit=1000&cursor={cursor}", admin);
            foreach (var one in page.GetProperty("items").EnumerateArray())
            {
                tokens.Add(one.GetProperty("jti").GetString()![..8]);
            }
            cursor = page.GetProperty("next_cursor").GetString();
        }
        return tokens;
    }

    private static async Task FillAsync(string path, int count, string jti)
    {
        await using var store = SqliteStore.Open(path);
        var blacklist = new Blacklist(log: store.Log, records: store.Records);
        await blacklist.LoadAsync();
        await blacklist.RevokeAsync(Revocation.OfToken("rescind", jti));
        var expiry = DateTimeOffset.UtcNow.AddDays(1);
        var batch = new LogEntry[10_000];
        for (var made = 0; made < count; made += batch.Length)
        {
            for (var i = 0; i < batch.Length; i++)
            {
                var bytes = RandomNumberGenerator.GetBytes(16);
                var key = new UInt128(BitConverter.ToUInt64(bytes), (BitConverter.ToUInt64(bytes, 8) & ~7UL) | (byte)RuleKind.Token);
                batch[i] = new LogEntry { Id = new RevocationId(RuleKind.Token, key, 1), ExpiresAt = expiry };
            }
            await store.Log.AppendAsync(batch, CancellationToken.None);
        }
    }
}
