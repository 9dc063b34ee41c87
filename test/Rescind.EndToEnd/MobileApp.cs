using System.Net.Http.Headers;
using System.Net.Http.Json;
using System.Text;
using System.Text.Json;
using Microsoft.IdentityModel.JsonWebTokens;
using Microsoft.IdentityModel.Tokens;

namespace Rescind.EndToEnd;

/// <summary>What a client does with the server: log in, present tokens, log out.</summary>
internal sealed class MobileApp(HttpClient client)
{
    public const string Password = "a password of the end-to-end tests";

    public sealed record Session(string Access, string Refresh, string UserId);

    public async Task<Session> RegisterAsync() =>
        await SessionOfAsync("/api/auth/register", new { email = $"{Guid.NewGuid():n}@rescind.example", password = Password });

    public async Task<Session> LogInAsync(string email, string password = Password) =>
        await SessionOfAsync("/api/auth/login", new { email, password });

    public async Task<(int Status, JsonElement Body)> SendAsync(
        HttpMethod method, string path, string? token = null, object? body = null)
    {
        using var request = new HttpRequestMessage(method, path);
        request.Headers.Authorization = token is null ? null : new AuthenticationHeaderValue("Bearer", token);
        request.Content = body is null ? null : JsonContent.Create(body);
        using var answer = await client.SendAsync(request);
        var text = await answer.Content.ReadAsStringAsync();
        return ((int)answer.StatusCode, text.Length == 0 ? default : JsonDocument.Parse(text).RootElement);
    }

    public async Task<int> ProfileAsync(string token) =>
        (await SendAsync(HttpMethod.Get, "/api/users/profile", token)).Status;

    public async Task<int> ValidateAsync(string token) =>
        (await SendAsync(HttpMethod.Get, "/api/auth/token/validate", token)).Status;

    public async Task<int> LogOutAsync(string token) =>
        (await SendAsync(HttpMethod.Post, "/api/auth/logout", token)).Status;

    public async Task<int> RefreshAsync(string refreshToken) =>
        (await SendAsync(HttpMethod.Post, "/api/auth/refresh-token", null, new { refresh_token = refreshToken })).Status;

    /// <summary>The access token of a session as it will be when its time is over.</summary>
    public static string Expired(Session session)
    {
        var now = DateTimeOffset.UtcNow;
        return Signed(new Dictionary<string, object>
        {
            ["iss"] = "rescind", ["aud"] = "rescind", ["sub"] = session.UserId, ["jti"] = new JsonWebToken(session.Access).Id,
            ["sid"] = new JsonWebToken(session.Access).GetPayloadValue<string>("sid"), ["token_type"] = "access_token",
            ["iat"] = now.AddHours(-1).ToUnixTimeSeconds(), ["exp"] = now.AddMinutes(-30).ToUnixTimeSeconds(),
        });
    }

    /// <summary>A token made elsewhere with the same key; the server has never seen it.</summary>
    public static string Minted(string subject, string? tokenId)
    {
        var now = DateTimeOffset.UtcNow;
        var claims = new Dictionary<string, object>
        {
            ["iss"] = "rescind", ["aud"] = "rescind", ["sub"] = subject, ["iat"] = now.ToUnixTimeSeconds(),
            ["exp"] = now.AddMinutes(20).ToUnixTimeSeconds(), ["token_type"] = "access_token",
        };
        if (tokenId is not null)
        {
            claims["jti"] = tokenId;
        }
        return Signed(claims);
    }

    private static string Signed(Dictionary<string, object> claims)
    {
        var key = new SymmetricSecurityKey(Encoding.UTF8.GetBytes(ServerProcess.Secret));
        return new JsonWebTokenHandler { SetDefaultTimesOnTokenCreation = false }.CreateToken(
            JsonSerializer.Serialize(claims), new SigningCredentials(key, SecurityAlgorithms.HmacSha256));
    }

    private async Task<Session> SessionOfAsync(string path, object body)
    {
        var (status, answer) = await SendAsync(HttpMethod.Post, path, null, body);
        Assert.True(status is 200 or 201, $"{path} answered {status}: {answer}");
        return new Session(
            answer.GetProperty("access_token").GetString()!, answer.GetProperty("refresh_token").GetString()!,
            answer.GetProperty("user").GetProperty("id").GetString()!);
    }
}
