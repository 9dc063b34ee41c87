using System.Net;
using System.Net.Http.Headers;
using System.Net.Http.Json;
using System.Text.Json;

namespace Rescind.Cli;

/// <summary>The server said no, or could not be asked. The message is one line for people.</summary>
internal sealed class RefusedException(string message) : Exception(message);

/// <summary>Calls the administration of a server, as an administrator. A log-in that ends meanwhile is made
/// anew, so that what takes longer than a token lives comes to its end.</summary>
internal sealed class AdminClient : IDisposable
{
    private const int MostWaits = 10;
    private static readonly JsonSerializerOptions Json =
        new() { PropertyNamingPolicy = JsonNamingPolicy.SnakeCaseLower };

    private readonly HttpClient _http;
    private readonly string? _email;

    private AdminClient(string server, string? email, TimeSpan longestWait)
    {
        _email = email;
        _http = new HttpClient
        {
            BaseAddress = Uri.TryCreate(server, UriKind.Absolute, out var address)
                ? address
                : throw new RefusedException($"'{server}' is not an address; write https://host."),
            Timeout = longestWait,
        };
    }

    /// <summary>How long one call may take.</summary>
    public static TimeSpan LongestWait => TimeSpan.FromSeconds(100);

    /// <summary>Logs in, with a password or with a token that is at hand.</summary>
    /// <exception cref="RefusedException">It does not work.</exception>
    public static async Task<AdminClient> ConnectAsync(
        string server, string? email, TimeSpan longestWait, CancellationToken cancel)
    {
        var client = new AdminClient(server, email, longestWait);
        if (email is not null)
        {
            await client.LogInAsync(cancel);
            return client;
        }
        client.Show(Environment.GetEnvironmentVariable("RESCIND_TOKEN")
            ?? throw new RefusedException("Who are you? Set --email, or RESCIND_TOKEN."));
        return client;
    }

    /// <summary>Sends a call; waits as long as the server asks for when it limits callers.</summary>
    /// <exception cref="RefusedException">The answer is not a good one.</exception>
    public async Task<JsonElement> SendAsync(
        HttpMethod method, string path, object? body, CancellationToken cancel)
    {
        var (waits, isRenewed) = (0, _email is null);
        while (true)
        {
            using var request = new HttpRequestMessage(method, path);
            request.Content = body is null ? null : JsonContent.Create(body, options: Json);
            using var answer = await TrySendAsync(request, cancel);
            if (answer.StatusCode == HttpStatusCode.TooManyRequests && waits++ < MostWaits
                && answer.Headers.RetryAfter?.Delta is { } wait)
            {
                await Task.Delay(wait, cancel);
                continue;
            }
            var json = await ReadAsync(answer, cancel);
            if (answer.IsSuccessStatusCode)
            {
                return json;
            }
            if (isRenewed || TextOf(json, "code") != "token_expired")
            {
                var reason = TextOf(json, "detail") ?? "no reason given";
                throw new RefusedException($"{path} answered {(int)answer.StatusCode}: {reason}");
            }
            await LogInAsync(cancel);
            isRenewed = true;
        }
    }

    public void Dispose() => _http.Dispose();

    private async Task LogInAsync(CancellationToken cancel)
    {
        var password = Environment.GetEnvironmentVariable("RESCIND_PASSWORD")
            ?? throw new RefusedException("RESCIND_PASSWORD is missing: the administrator's password.");
        _http.DefaultRequestHeaders.Authorization = null;
        var answer = await SendAsync(
            HttpMethod.Post, "/api/auth/login", new { email = _email, password }, cancel);
        Show(answer.GetProperty("access_token").GetString()!);
    }

    private void Show(string token) =>
        _http.DefaultRequestHeaders.Authorization = new AuthenticationHeaderValue("Bearer", token);

    private async Task<HttpResponseMessage> TrySendAsync(HttpRequestMessage request, CancellationToken cancel)
    {
        try
        {
            return await _http.SendAsync(request, cancel);
        }
        catch (HttpRequestException fault)
        {
            throw new RefusedException($"{_http.BaseAddress} cannot be reached: {fault.Message}");
        }
        catch (TaskCanceledException) when (!cancel.IsCancellationRequested)
        {
            throw new RefusedException(
                $"{_http.BaseAddress} did not answer within {_http.Timeout.TotalSeconds:0.#} s.");
        }
    }

    private static async Task<JsonElement> ReadAsync(HttpResponseMessage answer, CancellationToken cancel)
    {
        try
        {
            return JsonElement.Parse(await answer.Content.ReadAsStringAsync(cancel));
        }
        catch (JsonException)
        {
            throw new RefusedException(
                $"The answer ({(int)answer.StatusCode}) is not that of a Rescind server.");
        }
    }

    /// <summary>A gateway in between may answer in its own way.</summary>
    private static string? TextOf(JsonElement problem, string name) =>
        problem.ValueKind == JsonValueKind.Object && problem.TryGetProperty(name, out var text)
            && text.ValueKind == JsonValueKind.String
                ? text.GetString()
                : null;
}
