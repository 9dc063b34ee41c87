using System.Diagnostics;
using System.Net;
using System.Text;
using System.Text.Json;
using Microsoft.IdentityModel.JsonWebTokens;
using Microsoft.IdentityModel.Tokens;
using Rescind.Tests.Redis;

namespace Rescind.EndToEnd;

/// <summary>The samples do what they say. The test command builds them first.</summary>
public sealed class SampleTests
{
    private static readonly string Root = Path.GetFullPath(Path.Combine(AppContext.BaseDirectory, "../../../../.."));

    private static readonly string Configuration =
        AppContext.BaseDirectory.Contains("/Release/", StringComparison.Ordinal) ? "Release" : "Debug";

    [Fact]
    public async Task The_worker_revokes_checks_and_explains()
    {
        var folder = Directory.CreateTempSubdirectory("rescind-sample-");
        using var worker = Run("worker.cs", folder.FullName, Path.Combine(folder.FullName, "rescind.db"));
        var output = await worker.StandardOutput.ReadToEndAsync();
        await worker.WaitForExitAsync();
        Assert.Equal(0, worker.ExitCode);
        Assert.Contains("before: Accepted", output, StringComparison.Ordinal);
        Assert.Contains("after:  Revoked, Everywhere", output, StringComparison.Ordinal);
        Assert.Contains("Token rule, logout by user-1", output, StringComparison.Ordinal);
        folder.Delete(recursive: true);
    }

    [Fact]
    public async Task The_minimal_api_refuses_a_token_after_its_logout()
    {
        var folder = Directory.CreateTempSubdirectory("rescind-sample-");
        var port = RedisServer.FreePort();
        using var api = Run("minimal-api.cs", folder.FullName, "--urls", $"http://127.0.0.1:{port}");
        using var client = new HttpClient { BaseAddress = new Uri($"http://127.0.0.1:{port}") };
        try
        {
            await UntilHealthyAsync(client, api);
            client.DefaultRequestHeaders.Authorization = new("Bearer", Token("reader"));
            Assert.Equal("alice", await client.GetStringAsync("/me"));
            Assert.Equal(HttpStatusCode.Forbidden, (await client.GetAsync("/token-blacklist/revocations")).StatusCode);
            Assert.Equal(HttpStatusCode.OK, (await client.PostAsync("/logout", null)).StatusCode);
            Assert.Equal(HttpStatusCode.Unauthorized, (await client.GetAsync("/me")).StatusCode);

            client.DefaultRequestHeaders.Authorization = new("Bearer", Token("admin"));
            var list = JsonDocument.Parse(await client.GetStringAsync("/token-blacklist/revocations"));
            Assert.Equal("logout", list.RootElement.GetProperty("items")[0].GetProperty("reason").GetString());
        }
        finally
        {
            api.Kill(entireProcessTree: true);
            await api.WaitForExitAsync();
            folder.Delete(recursive: true);
        }
    }

    private static async Task UntilHealthyAsync(HttpClient client, Process api)
    {
        var started = Stopwatch.GetTimestamp();
        while (Stopwatch.GetElapsedTime(started) < TimeSpan.FromSeconds(60))
        {
            Assert.False(api.HasExited);
            try
            {
                if ((await client.GetAsync("/health")).IsSuccessStatusCode)
                {
                    return;
                }
            }
            catch (HttpRequestException)
            {
                // It does not listen yet.
            }
            await Task.Delay(50);
        }
        Assert.Fail("The sample did not become healthy.");
    }

    private static string Token(string role)
    {
        var now = DateTimeOffset.UtcNow;
        var key = new SymmetricSecurityKey(Encoding.UTF8.GetBytes(ServerProcess.Secret));
        return new JsonWebTokenHandler().CreateToken(
            JsonSerializer.Serialize(new
            {
                iss = "https://issuer.example", aud = "sample", sub = "alice", jti = Guid.NewGuid().ToString(), role,
                iat = now.ToUnixTimeSeconds(), exp = now.AddMinutes(10).ToUnixTimeSeconds(),
            }),
            new SigningCredentials(key, SecurityAlgorithms.HmacSha256));
    }

    private static Process Run(string sample, string folder, params string[] arguments)
    {
        var start = new ProcessStartInfo(
            "dotnet",
            ["run", Path.Combine(Root, "samples", sample), "-c", Configuration, "--no-build", "--", .. arguments])
        {
            WorkingDirectory = folder, RedirectStandardOutput = true, UseShellExecute = false,
        };
        start.Environment["SAMPLE_SECRET"] = ServerProcess.Secret;
        return Process.Start(start)!;
    }
}
