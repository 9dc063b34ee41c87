using System.Text.Json;
using Microsoft.IdentityModel.JsonWebTokens;
using Rescind.Tests.Redis;

namespace Rescind.EndToEnd.Hostile;

/// <summary>The tokens of a run. They end all the time, because the drawn requests revoke; whoever's has ended logs in
/// again.</summary>
internal sealed class Callers(MobileApp app, Known known) : IDisposable
{
    private readonly SemaphoreSlim _gate = new(1);
    private MobileApp.Session? _user;
    private MobileApp.Session? _admin;
    private string _revoked = "";
    private string _expired = "";

    public int LogIns { get; private set; }

    public void Dispose() => _gate.Dispose();

    public async Task StartAsync()
    {
        var gone = await app.RegisterAsync();
        (_revoked, _expired) = (gone.Access, MobileApp.Expired(gone));
        Assert.Equal(200, await app.LogOutAsync(gone.Access));
        await RenewAsync(Who.User, null);
        await RenewAsync(Who.Admin, null);
    }

    public string? TokenOf(Who who, int seed) => who switch
    {
        Who.User => _user!.Access,
        Who.Admin => _admin!.Access,
        Who.Revoked => _revoked,
        Who.Expired => _expired,
        Who.Garbage => (seed % 5) switch
        {
            0 => "garbage", 1 => _user!.Access[..^5], 2 => _user!.Refresh, 3 => "eyJhbGciOiJub25lIn0.e30.", _ => new string('a', 9_000),
        },
        _ => null,
    };

    /// <summary>A new session for somebody whose token was refused, unless another has seen to it.</summary>
    public async Task RenewAsync(Who who, string? refused)
    {
        await _gate.WaitAsync();
        try
        {
            if (who == Who.User && (_user is null || _user.Access == refused))
            {
                _user = await app.RegisterAsync();
                known.Add("user_id", _user.UserId);
                known.Add("refresh_token", _user.Refresh);
                known.Add("session_id", new JsonWebToken(_user.Access).GetPayloadValue<string>("sid"));
                LogIns++;
            }
            if (who == Who.Admin && (_admin is null || _admin.Access == refused))
            {
                // Who was revoked many times in a row gets no token for some seconds (docs/decisions/0028).
                var admin = new { email = ServerProcess.AdminEmail, password = ServerProcess.AdminPassword };
                await Eventually.TrueAsync(
                    async () => (await app.SendAsync(HttpMethod.Post, "/api/auth/login", null, admin)).Status != 503,
                    "tokens are issued");
                _admin = await app.LogInAsync(admin.email, admin.password);
                LogIns++;
            }
        }
        finally
        {
            _gate.Release();
        }
    }
}
