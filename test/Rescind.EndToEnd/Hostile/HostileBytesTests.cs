using System.IO.Compression;
using System.Text;

namespace Rescind.EndToEnd.Hostile;

/// <summary>Requests that are too large, too deep, packed too tightly or ambiguous, byte for byte.</summary>
public sealed class HostileBytesTests(HostileBytesTests.Running running, ITestOutputHelper output)
    : IClassFixture<HostileBytesTests.Running>
{
    private const string Hidden = "GET /api/auth/smuggled HTTP/1.1\r\nHost: x\r\n\r\n";
    private const int Mega = 1 << 20;

    private readonly ServerProcess _server = running.Server;

    public static TheoryData<string, string> Ambiguous => new()
    {
        { "both lengths", "Content-Length: 6\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n" },
        { "both lengths, the other way round", "Transfer-Encoding: chunked\r\nContent-Length: 6\r\n\r\n0\r\n\r\n" },
        { "two lengths", "Content-Length: 0\r\nContent-Length: 44\r\n\r\n" },
        { "a list of lengths", "Content-Length: 0, 44\r\n\r\n" },
        { "a length that is none", "Content-Length: 0x0\r\n\r\n" },
        { "a negative length", "Content-Length: -1\r\n\r\n" },
        { "an unknown coding", "Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n" },
        { "a coding behind chunked", "Transfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n" },
        { "chunked twice", "Transfer-Encoding: chunked\r\nTransfer-Encoding: x\r\n\r\n0\r\n\r\n" },
        { "a space before the colon", "Transfer-Encoding : chunked\r\n\r\n0\r\n\r\n" },
        { "a folded header", "X: a\r\n Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n" },
        { "a chunk size beyond all numbers", "Transfer-Encoding: chunked\r\n\r\nffffffffffffffffff\r\n\r\n" },
        { "a chunk size that is none", "Transfer-Encoding: chunked\r\n\r\n0x0\r\n\r\n" },
        { "a chunk that is longer than it says", "Transfer-Encoding: chunked\r\n\r\n1\r\n{}\r\n0\r\n\r\n" },
        { "a NUL in a header", "X: a\0b\r\nContent-Length: 0\r\n\r\n" },
        { "a bare CR in a header", "X: a\rContent-Length: 44\r\n\r\n" },
    };

    /// <summary>One server for all of this.</summary>
    public sealed class Running : IAsyncLifetime
    {
        internal ServerProcess Server { get; private set; } = null!;

        public async ValueTask InitializeAsync() => Server = await ServerProcess.StartedAsync();

        public ValueTask DisposeAsync() => Server.DisposeAsync();
    }

    /// <summary>Two servers in a row must not disagree where a request ends. So it is refused, or answered, and whatever
    /// comes behind it on that connection is not.</summary>
    [Theory]
    [MemberData(nameof(Ambiguous))]
    public async Task Nothing_behind_an_ambiguous_request_is_answered(string what, string rest)
    {
        var (statuses, isClosed, text) = await RawClient.AskAsync(
            _server.Port, $"POST /api/auth/logout HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n{rest}{Hidden}", patienceMs: 10_000);
        output.WriteLine($"{what}: {string.Join(", ", statuses)}");
        Assert.True(isClosed, $"{what}: the connection stays open. {text}");
        Assert.True(statuses.Length == 1, $"{what}: {text}");
        Assert.InRange(statuses[0], 400, 499);
    }

    [Fact]
    public async Task A_megabyte_of_headers_or_of_an_address_is_refused_before_it_is_read()
    {
        var memory = _server.WorkingSet;
        (string Request, int Status)[] all =
        [
            ($"GET / HTTP/1.1\r\nHost: x\r\nX: {new string('a', Mega)}\r\n\r\n", 431),
            ($"GET / HTTP/1.1\r\nHost: x\r\n{string.Concat(Enumerable.Range(0, 60_000).Select(i => $"X-{i}: a\r\n"))}\r\n", 431),
            ($"GET /{new string('a', Mega)} HTTP/1.1\r\nHost: x\r\n\r\n", 414),
            ($"GET / HTTP/1.1\r\nHost: x\r\nCookie: {new string('a', 40_000)}\r\n\r\n", 431),
            ($"GET /api/users/profile HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {new string('a', 30_000)}\r\n\r\n", 401),
        ];
        foreach (var (request, status) in all.Concat(all).Concat(all))
        {
            var (statuses, _, text) = await RawClient.AskAsync(_server.Port, request);
            Assert.True(statuses is [var only] && only == status, $"{request[..60]}: {string.Join(", ", statuses)} {text}");
        }
        Assert.InRange((_server.WorkingSet - memory) >> 20, -1_000, 100);
    }

    [Theory]
    [InlineData("gzip")]
    [InlineData("br")]
    [InlineData("deflate")]
    public async Task A_compression_bomb_is_never_unpacked(string coding)
    {
        using var packed = new MemoryStream();
        await using (Stream pack = coding switch
        {
            "gzip" => new GZipStream(packed, CompressionLevel.SmallestSize, leaveOpen: true),
            "br" => new BrotliStream(packed, CompressionLevel.Fastest, leaveOpen: true),
            _ => new ZLibStream(packed, CompressionLevel.SmallestSize, leaveOpen: true),
        })
        {
            var zeros = new byte[Mega];
            for (var i = 0; i < 500; i++)
            {
                await pack.WriteAsync(zeros);
            }
        }
        var memory = _server.WorkingSet;
        for (var i = 0; i < 20; i++)
        {
            using var bomb = new ByteArrayContent(packed.ToArray());
            bomb.Headers.ContentType = new("application/json");
            bomb.Headers.ContentEncoding.Add(coding);
            using var answer = await _server.Client.PostAsync("/api/auth/login", bomb);
            Assert.True((int)answer.StatusCode is 400 or 413 or 415, $"{answer.StatusCode}");
            Assert.Equal("application/problem+json", answer.Content.Headers.ContentType?.MediaType);
        }
        output.WriteLine($"{coding}: 500 MiB in {packed.Length:n0} bytes, 20 times: {(_server.WorkingSet - memory) >> 20} MiB");
        Assert.InRange((_server.WorkingSet - memory) >> 20, -1_000, 150);
    }

    [Theory]
    [InlineData("[", 1_000_000, 400)]
    [InlineData("{\"a\":", 200_000, 400)]
    [InlineData("[", 1_100_000, 413)]
    public async Task Deep_JSON_is_refused(string open, int times, int status)
    {
        using var body = new StringContent(string.Concat(Enumerable.Repeat(open, times)), Encoding.UTF8, "application/json");
        using var answer = await _server.Client.PostAsync("/api/auth/register", body);
        Assert.Equal(status, (int)answer.StatusCode);
        using var again = await _server.Client.GetAsync("/health/live");
        Assert.Equal(200, (int)again.StatusCode);
    }

    /// <summary>Whoever reuses connections, a proxy above all, must not lose the next request, perhaps somebody else's.</summary>
    [Theory]
    [InlineData("GET /api/auth/sessions", 401)]
    [InlineData("PUT /api/auth/login", 405)]
    [InlineData("POST /api/auth/login", 413)]
    [InlineData("POST /none", 404)]
    public async Task Behind_a_body_too_long_that_nobody_reads_the_next_request_is_answered_or_the_end_is_said(string call, int status)
    {
        const string Json = "HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n";
        var body = new string('x', 1_100_000);
        var (statuses, _, text) = await RawClient.AskAsync(
            _server.Port, $"{call} {Json}Content-Length: {body.Length}\r\n\r\n{body}{Hidden}", patienceMs: 3_000);
        Assert.Equal([status, 404], statuses);
        Assert.DoesNotContain("Connection: close", text, StringComparison.Ordinal);

        (statuses, var isClosed, text) = await RawClient.AskAsync(
            _server.Port, $"{call} {Json}Content-Length: 20000000\r\n\r\n{body}", patienceMs: 10_000);
        Assert.Equal([status], statuses);
        Assert.Contains("Connection: close\r\n", text, StringComparison.Ordinal);
        Assert.True(isClosed);
    }

    [Fact]
    public async Task Requests_in_one_packet_are_answered_each_in_their_order()
    {
        string[] asked =
        [
            "GET /health/live HTTP/1.1\r\nHost: x\r\n\r\n", "GET /api/users/profile HTTP/1.1\r\nHost: x\r\n\r\n",
            "GET /none HTTP/1.1\r\nHost: x\r\n\r\n",
            "POST /api/auth/refresh HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n{}",
            "POST /api/auth/refresh HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n1\r\n{\r\n1\r\n}\r\n0\r\n\r\n",
        ];
        int[] expected = [200, 401, 404, 400, 400];
        var (statuses, _, _) = await RawClient.AskAsync(
            _server.Port, string.Concat(Enumerable.Repeat(string.Concat(asked), 300)), patienceMs: 3_000);
        Assert.Equal(Enumerable.Repeat(expected, 300).SelectMany(all => all), statuses);
    }
}
