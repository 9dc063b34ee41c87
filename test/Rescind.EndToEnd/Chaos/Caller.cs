using System.Net.Http.Headers;
using System.Net.Http.Json;
using System.Text.Json;

namespace Rescind.EndToEnd.Chaos;

/// <summary>How a call was answered.</summary>
internal sealed record Answer(int Status, JsonElement Body)
{
    public bool IsDone => Status is >= 200 and < 300;

    public string? Text(string name) =>
        Body.ValueKind == JsonValueKind.Object && Body.TryGetProperty(name, out var value)
            && value.ValueKind == JsonValueKind.String ? value.GetString() : null;
}

/// <summary>Asks the nodes, each by itself or whichever nginx takes, and writes down every answer.</summary>
internal sealed class Caller : IDisposable
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(8);

    /// <summary>An answer that is dated by so much more or less comes from a node whose clock is wrong.</summary>
    private static readonly TimeSpan WrongTime = TimeSpan.FromMinutes(1);

    private readonly History _history;
    private readonly Dictionary<string, HttpClient> _ways = new(StringComparer.Ordinal);

    public Caller(World world)
    {
        _history = world.History;
        Nodes = [.. world.All.Select(node => node.Name)];
        foreach (var node in world.All)
        {
            _ways[node.Name] = WayTo(node.Server.Port);
        }
        _ways[Front] = WayTo(world.Front.Port);
    }

    public static string Front => "front";

    public IReadOnlyList<string> Nodes { get; }

    /// <summary>Somewhere, drawn at random: half of the calls go the way that clients go.</summary>
    public string Somewhere => Random.Shared.Next(2) == 0 ? Front : Nodes[Random.Shared.Next(Nodes.Count)];

    /// <param name="where">A node, or <see cref="Front"/>.</param>
    /// <param name="what">For the history.</param>
    /// <param name="on">For the history.</param>
    public async Task<Answer> CallAsync(
        string where, string what, string on, HttpMethod method, string path, string? token = null, object? body = null)
    {
        using var request = new HttpRequestMessage(method, path);
        request.Headers.Authorization = token is null ? null : new AuthenticationHeaderValue("Bearer", token);
        request.Content = body is null ? null : JsonContent.Create(body);
        var begun = _history.Now;
        var (answer, answeredBy) = await SendAsync(where, request);
        _history.Add(new Event(begun, _history.Now, answeredBy, what, on, answer.Status, WordOf(answer)));
        return answer;
    }

    public void Dispose()
    {
        foreach (var way in _ways.Values)
        {
            way.Dispose();
        }
    }

    private async Task<(Answer Answer, string By)> SendAsync(string where, HttpRequestMessage request)
    {
        using var limit = new CancellationTokenSource(Patience);
        try
        {
            using var answer = await _ways[where].SendAsync(request, limit.Token);
            var text = await answer.Content.ReadAsStringAsync(limit.Token);
            var body = Parsed(text);

            // nginx names the node that it asked also when it answers itself, because that one did not.
            var by = body.ValueKind == JsonValueKind.Object && answer.Headers.TryGetValues("X-Node", out var names)
                && names.First() is { Length: > 0 } name ? name : where;
            if (where != Front && answer.Headers.Date is { } date && (date - DateTimeOffset.UtcNow).Duration() > WrongTime)
            {
                _history.Note(where, "wrong date");
            }
            return (new Answer((int)answer.StatusCode, body), by);
        }
        catch (Exception fault) when (fault is HttpRequestException or OperationCanceledException or IOException)
        {
            return (new Answer(0, default), where);
        }
    }

    /// <summary>nginx answers in HTML when no node does: its text, for whoever reads the history.</summary>
    private static JsonElement Parsed(string text)
    {
        try
        {
            return text.Length == 0 ? default : JsonDocument.Parse(text).RootElement;
        }
        catch (JsonException)
        {
            return JsonSerializer.SerializeToElement(text);
        }
    }

    private static string WordOf(Answer answer) => answer.Text("code")
        ?? (answer is { Status: 500, Body.ValueKind: JsonValueKind.String } ? answer.Body.GetString()! : null)
        ?? (answer.Body.ValueKind == JsonValueKind.Object && answer.Body.TryGetProperty("receipt", out var receipt)
            ? receipt.GetProperty("state").GetString()! : "");

    private static HttpClient WayTo(int port) => new(new SocketsHttpHandler
    {
        ConnectTimeout = TimeSpan.FromSeconds(2), PooledConnectionLifetime = TimeSpan.FromSeconds(20),
    })
    {
        BaseAddress = new Uri($"http://127.0.0.1:{port}"), Timeout = Timeout.InfiniteTimeSpan,
    };
}
