// Alerts as signed posts to an address of the operator's. What it guarantees: nothing waits for the receiver;
// an alert is tried for some minutes; the receiver can tell that it is ours and fresh, by an HMAC over the
// time and the body. Limit: a hundred alerts wait; more are dropped and logged.
using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using System.Threading.Channels;
using Rescind.Server.Operations;
using Rescind.Server.Settings;

namespace Rescind.Server.Maintenance;

internal sealed class Alerts : LastingService
{
    private const int Most = 100;
    private const int MostTries = 6;
    private static readonly TimeSpan FirstRetry = TimeSpan.FromSeconds(1);

    private readonly ServerSettings _settings;
    private readonly TimeProvider _clock;
    private readonly ILogger<Alerts> _logger;
    private readonly Channel<string> _waiting =
        Channel.CreateBounded<string>(new BoundedChannelOptions(Most) { SingleReader = true });

    private readonly HttpClient _http = new(new SocketsHttpHandler { AllowAutoRedirect = false })
    {
        Timeout = TimeSpan.FromSeconds(10),
    };

    private long _posted;
    private long _failed;

    public Alerts(ServerSettings settings, TimeProvider clock, ILogger<Alerts> logger)
        : base(clock, logger) =>
        (_settings, _clock, _logger) = (settings, clock, logger);

    /// <summary>How many were delivered, and how many could not be.</summary>
    public (long Posted, long Failed) Counts =>
        (Interlocked.Read(ref _posted), Interlocked.Read(ref _failed));

    /// <summary>Posts an alert, when there is an address for it.</summary>
    /// <param name="type">A word of the audit trail.</param>
    /// <param name="detail">A sentence for people.</param>
    public void Post(string type, string detail)
    {
        if (_settings.Maintenance.AlertUrl is null)
        {
            return;
        }
        var body = JsonSerializer.Serialize(new
        {
            type, detail, node = _settings.Node, timestamp = _clock.GetUtcNow().UtcDateTime,
        });
        if (!_waiting.Writer.TryWrite(body))
        {
            Interlocked.Increment(ref _failed);
            Log.AlertFailed(_logger, type, $"{Most} alerts wait already");
        }
    }

    /// <summary>The signature that a receiver compares: HMAC-SHA256 over <c>time.body</c>, in hexadecimal.
    /// </summary>
    public static string Sign(string secret, string time, string body) =>
        "sha256=" + Convert.ToHexStringLower(HMACSHA256.HashData(
            Encoding.UTF8.GetBytes(secret), Encoding.UTF8.GetBytes($"{time}.{body}")));

    public override void Dispose()
    {
        _http.Dispose();
        base.Dispose();
    }

    protected override async Task RunAsync(CancellationToken cancel)
    {
        await foreach (var body in _waiting.Reader.ReadAllAsync(cancel))
        {
            await DeliverAsync(body, cancel);
        }
    }

    private async Task DeliverAsync(string body, CancellationToken cancel)
    {
        for (var attempt = 1; ; attempt++)
        {
            if (await TryDeliverAsync(body, cancel) is not { } fault)
            {
                Interlocked.Increment(ref _posted);
                return;
            }
            if (attempt == MostTries)
            {
                Interlocked.Increment(ref _failed);
                Log.AlertFailed(_logger, "webhook", fault);
                return;
            }
            await Task.Delay(FirstRetry * Math.Pow(3, attempt - 1), _clock, cancel);
        }
    }

    /// <returns>What went wrong, or null.</returns>
    private async Task<string?> TryDeliverAsync(string body, CancellationToken cancel)
    {
        var time = _clock.GetUtcNow().ToUnixTimeSeconds().ToString();
        using var request = new HttpRequestMessage(HttpMethod.Post, _settings.Maintenance.AlertUrl);
        request.Content = new StringContent(body, Encoding.UTF8, "application/json");
        request.Headers.Add("X-Rescind-Timestamp", time);
        request.Headers.Add("X-Rescind-Signature", Sign(_settings.Maintenance.AlertSecret!, time, body));
        try
        {
            using var answer = await _http.SendAsync(
                request, HttpCompletionOption.ResponseHeadersRead, cancel);
            return answer.IsSuccessStatusCode ? null : $"the receiver answered {(int)answer.StatusCode}";
        }
        catch (Exception fault) when (
            fault is HttpRequestException
            || (fault is TaskCanceledException && !cancel.IsCancellationRequested))
        {
            return fault.Message;
        }
    }
}
