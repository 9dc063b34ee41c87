using System.Text;
using System.Text.Json;
using Rescind.Tests.Redis;
using StackExchange.Redis;

namespace Rescind.EndToEnd.Fleet;

/// <summary>An older service looks for a key for each token, and writes such keys. While both run, each refuses what the
/// other has revoked.</summary>
public sealed class KeyMirrorTests
{
    private const string Prefix = "mita:blacklist:token:";

    private static readonly (string, string?)[] Mirror = [("REDIS_KEY_MIRROR", Prefix + "{jti}")];

    [Fact]
    public async Task What_is_revoked_here_is_refused_by_old_workers()
    {
        await using var fleet = await ServerFleet.StartAsync(1, Mirror);
        var (node, app) = (fleet.Nodes[0], new MobileApp(fleet.Nodes[0].Server.Client));
        await using var pool = await fleet.Redis.ConnectAsync();
        var old = pool.GetDatabase();

        var (_, single) = FleetNode.NewToken();
        await node.RevokeAsync(single);
        await UntilRefusedByOldAsync(old, single);

        var session = await app.RegisterAsync();
        Assert.InRange(await app.LogOutAsync(session.Access), 200, 202);
        await UntilRefusedByOldAsync(old, IdOf(session.Access));
        await UntilRefusedByOldAsync(old, IdOf(session.Refresh));
        var left = await old.KeyTimeToLiveAsync(Prefix + IdOf(session.Access));
        Assert.InRange(left!.Value, TimeSpan.FromMinutes(25), TimeSpan.FromMinutes(30));

        var admin = await app.LogInAsync(ServerProcess.AdminEmail, ServerProcess.AdminPassword);
        var again = await app.LogInAsync(ServerProcess.AdminEmail, ServerProcess.AdminPassword);
        var (status, _) = await app.SendAsync(HttpMethod.Post, "/api/auth/logout-all", admin.Access);
        Assert.InRange(status, 200, 202);
        await UntilRefusedByOldAsync(old, IdOf(admin.Refresh));
        await UntilRefusedByOldAsync(old, IdOf(again.Access));
        var later = await app.LogInAsync(ServerProcess.AdminEmail, ServerProcess.AdminPassword);
        Assert.Equal(200, await app.ProfileAsync(later.Access));
        Assert.False(await old.KeyExistsAsync(Prefix + IdOf(later.Access)));
    }

    [Fact]
    public async Task What_old_workers_revoke_is_refused_here_and_a_lift_stays()
    {
        await using var fleet = await ServerFleet.StartAsync(2, Mirror);
        var app = new MobileApp(fleet.Nodes[0].Server.Client);
        var session = await app.RegisterAsync();
        var id = IdOf(session.Access);
        await using var pool = await fleet.Redis.ConnectAsync();
        var old = pool.GetDatabase();

        // Old workers ask whether there is a key: what it holds says nothing, and one that is no text stops nobody.
        await old.HashSetAsync(Prefix + "not a text", "field", "value");
        await old.StringSetAsync(Prefix + id, "revoked", TimeSpan.FromMinutes(30));
        foreach (var node in fleet.Nodes)
        {
            await Eventually.TrueAsync(async () => await node.CheckAsync(session.Access) == 401, "the key is adopted");
        }

        // Only one node adopts, and each only once.
        int Adopted() => fleet.Nodes.Sum(node => node.Server.Output.Split("Adopted a revocation").Length - 1);
        await Eventually.TrueAsync(() => Adopted() == 2, "both keys are adopted");
        var adopter = fleet.Nodes.Single(node => node.Server.Output.Contains("Adopted a revocation", StringComparison.Ordinal));
        await adopter.LiftAsync(id);
        foreach (var node in fleet.Nodes)
        {
            await Eventually.TrueAsync(async () => await node.CheckAsync(session.Access) == 200, "it is lifted");
        }
        await Eventually.TrueAsync(async () => !await old.KeyExistsAsync(Prefix + id), "the key is gone");
        await Task.Delay(TimeSpan.FromSeconds(6));
        Assert.Equal(200, await fleet.Nodes[0].CheckAsync(session.Access));
        Assert.Equal(2, Adopted());
    }

    [Fact]
    public async Task What_was_revoked_while_Redis_was_away_is_written_later()
    {
        await using var fleet = await ServerFleet.StartAsync(1, Mirror);
        await fleet.Redis.FreezeAsync();
        var (_, id) = FleetNode.NewToken();
        Assert.Equal("journaled", (await fleet.Nodes[0].RevokeAsync(id)).State);
        await fleet.Nodes[0].Server.KillAsync();
        await fleet.Nodes[0].Server.StartAsync();
        await fleet.Redis.ResumeAsync();
        await using var pool = await fleet.Redis.ConnectAsync();
        await UntilRefusedByOldAsync(pool.GetDatabase(), id);
    }

    private static Task UntilRefusedByOldAsync(IDatabase old, string id) =>
        Eventually.TrueAsync(() => old.KeyExistsAsync(Prefix + id), "an old worker finds the key");

    private static string IdOf(string token)
    {
        var part = token.Split('.')[1].Replace('-', '+').Replace('_', '/');
        var json = Encoding.UTF8.GetString(Convert.FromBase64String(part.PadRight((part.Length + 3) / 4 * 4, '=')));
        return JsonDocument.Parse(json).RootElement.GetProperty("jti").GetString()!;
    }
}
