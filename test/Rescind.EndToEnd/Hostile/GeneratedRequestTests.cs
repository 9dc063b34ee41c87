using System.Collections.Concurrent;
using System.Diagnostics;
using System.Net;
using System.Text;
using System.Text.Json;
using Rescind.Tests.Server;

namespace Rescind.EndToEnd.Hostile;

/// <summary>A real server is asked what its own API description says it can be asked, rightly and wrongly, and every
/// answer is held against that description. 20,000 requests, half of them on each database; 200,000 by
/// <c>dotnet run build.cs soak requests</c>.</summary>
public sealed class GeneratedRequestTests(PostgresServer postgres, ITestOutputHelper output) : IClassFixture<PostgresServer>
{
    private const int Connections = 16;
    private const int OrdinaryCount = 20_000;

    /// <summary>Of a call whose good answer the drawn requests did not bring.</summary>
    private const int MostTries = 500;

    /// <summary>Refusals that load brings about here, or the drawn requests themselves: who is revoked many times in a row
    /// gets no token for some seconds (docs/decisions/0028).</summary>
    private static readonly string[] Expected503 = ["busy", "issuing_stopped"];

    /// <summary>Good answers that no drawn request gets: these calls want the code of a mail, and no mail arrives here.
    /// </summary>
    private static readonly string[] NeverGiven =
        ["POST /api/auth/verify-reset-token 200", "POST /api/auth/reset-password 200"];

    private static readonly int Count = Number("RESCIND_SOAK_REQUESTS") ?? OrdinaryCount;
    private static readonly int Seed = Number("RESCIND_SEED")
        ?? (Count > OrdinaryCount ? Random.Shared.Next(1_000_000_000) : 324_724_208);

    private readonly ConcurrentQueue<string> _wrong = new();
    private readonly ConcurrentDictionary<int, int> _statuses = new();
    private readonly ConcurrentDictionary<string, int> _answered = new(StringComparer.Ordinal);

    [Theory]
    [InlineData("SQLite")]
    [InlineData("PostgreSQL")]
    public async Task No_answer_leaves_the_api_description(string database)
    {
        await using var server = await ServerProcess.StartedAsync(
            ("ENVIRONMENT", "Development"), ("SMTP_URL", "smtp://127.0.0.1:1"), ("MAIL_FROM", "rescind@example.com"),
            ("DATABASE_URL", database == "SQLite" ? null : await postgres.NewDatabaseAsync()));
        var document = JsonElement.Parse(await server.Client.GetStringAsync("/openapi/v1.json"));
        var (maker, contract, app) = (new RequestMaker(document), new ApiContract(document), new MobileApp(server.Client));
        var admin = await app.LogInAsync(ServerProcess.AdminEmail, ServerProcess.AdminPassword);
        var known = new Known(admin.UserId, ServerProcess.AdminEmail);
        using var callers = new Callers(app, known);
        await callers.StartAsync();

        var (begun, next) = (Stopwatch.GetTimestamp(), 0);
        using var http = new HttpClient(new SocketsHttpHandler
        {
            MaxConnectionsPerServer = Connections, AllowAutoRedirect = false, UseCookies = false,
            RequestHeaderEncodingSelector = (_, _) => Encoding.UTF8,
        }) { BaseAddress = server.Client.BaseAddress };
        await Task.WhenAll(Enumerable.Range(0, Connections).Select(async _ =>
        {
            while (Interlocked.Increment(ref next) is var number && number <= Count / 2 && _wrong.Count < 20)
            {
                await SendAsync(http, maker.Make(Seed + number, known), contract, callers, known, Seed + number);
            }
        }));

        // Each good answer is seen, however few requests are drawn: these are asked for as their calls want it.
        var missing = maker.GoodAnswers.Except(NeverGiven).Except(_answered.Keys).ToList();
        foreach (var answer in missing)
        {
            for (var (tries, seed) = (0, Seed + Count); tries < MostTries && !_answered.ContainsKey(answer); tries++, seed++)
            {
                await SendAsync(http, maker.MakeFor(answer, seed, known), contract, callers, known, seed);
            }
        }

        var time = Stopwatch.GetElapsedTime(begun);
        output.WriteLine($"{database}: seed {Seed}, {Count / 2:n0} requests in {time.TotalSeconds:n0} s, {callers.LogIns} log-ins, "
            + $"{server.WorkingSet >> 20} MiB, {_answered.Count} of {maker.GoodAnswers.Count()} good answers given, "
            + $"{missing.Count} of them asked for afterwards ({string.Join(", ", missing)}); by status: "
            + string.Join(", ", _statuses.OrderBy(one => one.Key).Select(one => $"{one.Key}: {one.Value:n0}")));
        Assert.True(_wrong.IsEmpty, $"RESCIND_SEED={Seed}\n{string.Join('\n', _wrong)}\n{Faults(server.Output)}");
        await callers.RenewAsync(Who.Admin, callers.TokenOf(Who.Admin, Seed));
        Assert.Equal(NeverGiven.Order(), maker.GoodAnswers.Except(_answered.Keys).Order());
        Assert.InRange(server.WorkingSet >> 20, 0, 1024);
    }

    private async Task SendAsync(
        HttpClient http, MadeRequest made, ApiContract contract, Callers callers, Known known, int seed)
    {
        var token = callers.TokenOf(made.Who, seed);
        using var request = RequestOf(made, token);
        try
        {
            using var response = await http.SendAsync(request);
            var text = await response.Content.ReadAsStringAsync();
            var status = (int)response.StatusCode;
            _statuses.AddOrUpdate(status, 1, (_, count) => count + 1);
            if (WrongWith(made, contract, response, text) is { } wrong)
            {
                _wrong.Enqueue($"{Shown(made, seed)} → {status}: {wrong}. {Shown(text)}");
            }
            if (status is >= 200 and < 300)
            {
                if (made.Call is { } call)
                {
                    _answered.TryAdd($"{call} {status}", 0);
                }
                known.Learn(text);
            }
            // Refused, of an account that is gone, or locked for wrong passwords; a log-in costs more than a hundred
            // other requests.
            if ((made.Who is Who.User or Who.Admin
                && (status == 401 || (status == 404 && made.Address == "/api/users/profile")))
                || (made.Who is Who.User && status == 429))
            {
                await callers.RenewAsync(made.Who, token);
            }
        }
        catch (Exception fault) when (fault is HttpRequestException or TaskCanceledException)
        {
            _wrong.Enqueue($"{Shown(made, seed)} → {fault.GetBaseException().Message}");
        }
    }

    private static string? WrongWith(
        MadeRequest made, ApiContract contract, HttpResponseMessage response, string text)
    {
        var (status, mediaType) = ((int)response.StatusCode, response.Content.Headers.ContentType?.MediaType);
        if (made.Method == "HEAD")
        {
            return status < 500 ? null : "a fault";
        }
        var closes = response.Headers.ConnectionClose == true;
        if (contract.WrongWith(made.Method, made.Address, status, mediaType, text, closes) is { } wrong)
        {
            return wrong;
        }
        if (text.Contains("   at ", StringComparison.Ordinal))
        {
            return "a stack trace";
        }
        return status < 500 || (status == 503 && made.Address.StartsWith("/health", StringComparison.Ordinal))
            || Expected503.Contains(JsonElement.Parse(text).GetProperty("code").GetString())
                ? null
                : "nothing is away that could excuse this";
    }

    private static HttpRequestMessage RequestOf(MadeRequest made, string? token)
    {
        var options = new UriCreationOptions { DangerousDisablePathAndQueryCanonicalization = true };
        Assert.True(Uri.TryCreate("http://127.0.0.1" + made.Address, options, out var address), made.Address);
        var request = new HttpRequestMessage(new HttpMethod(made.Method), address!.PathAndQuery);
        request.Content = made.Body is null ? null : new ByteArrayContent(made.Body);
        foreach (var (name, value) in made.Headers)
        {
            if (name.StartsWith("Content-", StringComparison.Ordinal))
            {
                request.Content?.Headers.TryAddWithoutValidation(name, value);
            }
            else if (name == "Transfer-Encoding")
            {
                request.Headers.TransferEncodingChunked = request.Content is not null;
            }
            else
            {
                request.Headers.TryAddWithoutValidation(name, value);
            }
        }
        if (token is not null)
        {
            request.Headers.TryAddWithoutValidation("Authorization", $"Bearer {token}");
        }
        return request;
    }

    private static string Shown(MadeRequest made, int seed) =>
        $"{seed}: {made.Method} {Shown(made.Address)} as {made.Who} "
        + $"{string.Join(", ", made.Headers.Select(header => $"{header.Name}: {Shown(header.Value)}"))} "
        + (made.Body is null ? "" : Shown(Encoding.UTF8.GetString(made.Body)));

    private static string Shown(string text) => text.Length > 600 ? $"{text[..600]}… ({text.Length})" : text;

    /// <summary>The last faults that the server logged, which say more than its answers.</summary>
    private static string Faults(string log) => string.Join(
        '\n', log.Split('\n').Where(line => line.Contains("xception", StringComparison.Ordinal)).TakeLast(20)
            .Select(line => line.Length > 3_000 ? line[..3_000] : line));

    private static int? Number(string variable) =>
        int.TryParse(Environment.GetEnvironmentVariable(variable), out var number) ? number : null;
}
