using System.Net.Http.Headers;
using System.Text;
using System.Text.Json;
using Microsoft.AspNetCore.Builder;
using Microsoft.Extensions.DependencyInjection;

namespace Rescind.Tests.AspNetCore;

/// <summary>Whatever is sent to the endpoints ends as a clear 4xx, never as a 500, and nothing of it is
/// kept.</summary>
public sealed class BadInputTests : IAsyncLifetime
{
    private const string Good = """{"target":{"type":"token","value":"v","issuer":"i"},"reason":"revoked"}""";
    private readonly TestTokens _tokens = new();
    private TestApp _app = null!;

    public async ValueTask InitializeAsync() => _app = await TestApp.StartAsync(
        services =>
        {
            services.AddAuthentication("Bearer").AddJwtBearer(_tokens.Accept);
            services.AddAuthorizationBuilder()
                .AddPolicy("admin", policy => policy.RequireAuthenticatedUser());
            services.AddTokenBlacklist();
        },
        app =>
        {
            app.MapTokenBlacklistAdmin("admin");
            app.MapLogout();
        });

    public async ValueTask DisposeAsync()
    {
        Assert.Equal(0, _app.Blacklist.GetStatus().Rules.Values.Sum());
        var page = await _app.Blacklist.Records.ListAsync(new RevocationQuery(), CancellationToken.None);
        Assert.Empty(page.Items);
        await _app.DisposeAsync();
    }

    [Theory]
    [InlineData("")]
    [InlineData("{")]
    [InlineData("[]")]
    [InlineData("null")]
    [InlineData("\"text\"")]
    [InlineData("{\"target\":}")]
    [InlineData("{} trailing")]
    [InlineData("{\"reason\":\"a\",\"reason\":\"b\"}")]
    [InlineData("{\"\\ud800\":1}")]
    [InlineData("{\"target\":{\"type\":\"token\",\"type\":\"key\"}}")]
    public async Task Malformed_json_is_400(string body)
    {
        foreach (var path in new[] { "revocations", "revocations/batch", "explain" })
        {
            await (await SendAsync(path, Json(body))).ProblemAsync(400, "malformed_json");
        }
    }

    [Fact]
    public async Task Json_nested_without_end_is_400()
    {
        var nested = string.Concat(Enumerable.Repeat("{\"a\":", 10_000));
        await (await SendAsync("revocations", Json(nested))).ProblemAsync(400, "malformed_json");
    }

    [Theory]
    [InlineData("text/plain")]
    [InlineData("application/x-www-form-urlencoded")]
    [InlineData("application/json; charset=utf-16")]
    [InlineData("application/json; charset=iso-8859-1")]
    [InlineData(null)]
    public async Task Another_media_type_or_charset_is_415(string? type)
    {
        var content = new ByteArrayContent(Encoding.UTF8.GetBytes(Good));
        content.Headers.ContentType = type is null ? null : MediaTypeHeaderValue.Parse(type);
        await (await SendAsync("revocations", content)).ProblemAsync(415, "unsupported_media_type");
    }

    [Theory]
    [InlineData(new byte[] { 0xff, 0xfe, 0x7b, 0x00, 0x7d, 0x00 })]
    [InlineData(new byte[] { 0x7b, 0x22, 0x61, 0x22, 0x3a, 0x22, 0xc3, 0x28, 0x22, 0x7d })]
    public async Task Bytes_that_are_not_utf8_are_400(byte[] bytes)
    {
        var content = new ByteArrayContent(bytes);
        content.Headers.ContentType = MediaTypeHeaderValue.Parse("application/json");
        await (await SendAsync("revocations", content)).ProblemAsync(400, "malformed_json");
    }

    [Theory]
    [InlineData("revocations", 1, true)]
    [InlineData("revocations", 1, false)]
    [InlineData("revocations/batch", 16, true)]
    [InlineData("revocations/batch", 16, false)]
    [InlineData("explain", 1, true)]
    public async Task Oversized_body_is_413(string path, int mebibytes, bool isLengthSaid)
    {
        var content = new ByteArrayContent(new byte[(mebibytes << 20) + 1]);
        content.Headers.ContentType = MediaTypeHeaderValue.Parse("application/json");
        HttpContent sent = isLengthSaid ? content : new Chunked(content);
        await (await SendAsync(path, sent)).ProblemAsync(413, "body_too_large");
    }

    [Theory]
    [InlineData("""{}""", "target", "reason")]
    [InlineData("""{"target":5,"reason":7}""", "target", "reason")]
    [InlineData("""{"target":[],"reason":""}""", "target", "reason")]
    [InlineData("""{"target":{},"reason":"x"}""", "target.type", "target.value", "target.issuer")]
    [InlineData("""{"target":{"type":"user","value":"v","issuer":"i"},"reason":"x"}""", "target.type")]
    [InlineData("""{"target":{"type":"1","value":"v","issuer":"i"},"reason":"x"}""", "target.type")]
    [InlineData("""{"target":{"type":["token"],"value":"v","issuer":"i"},"reason":"x"}""", "target.type")]
    [InlineData("""{"target":{"type":"token","value":"","issuer":"i"},"reason":"x"}""", "target.value")]
    [InlineData("""{"target":{"type":"token","value":5,"issuer":"i"},"reason":"x"}""", "target.value")]
    [InlineData("""{"target":{"type":"token","value":"\u0000","issuer":"i"},"reason":"x"}""", "target.value")]
    [InlineData("""{"target":{"type":"token","value":"\ud800","issuer":"i"},"reason":"x"}""", "target.value")]
    [InlineData("""{"target":{"type":"token","value":"v","issuer":"a\nb"},"reason":"x"}""", "target.issuer")]
    [InlineData("""{"target":{"type":"issuer","value":"v","issuer":"i"},"reason":"x"}""", "target.issuer")]
    [InlineData("""{"target":{"type":"issuer"},"reason":"x"}""", "target.value")]
    public async Task Wrong_target_is_400_by_field(string body, params string[] fields) =>
        await AssertFieldsAsync(await SendAsync("revocations", Json(body)), fields);

    [Theory]
    [InlineData("reason", "\"\"")]
    [InlineData("reason", "\"Not A Word\"")]
    [InlineData("reason", "\"a\\u0007\"")]
    [InlineData("reason", "\"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\"")]
    [InlineData("reason", "{}")]
    [InlineData("note", "\"a\\u001bb\"")]
    [InlineData("note", "\"a\\u0085b\"")]
    [InlineData("note", "1")]
    [InlineData("note", "\"\\udc00\"")]
    [InlineData("dry_run", "\"yes\"")]
    [InlineData("dry_run", "1")]
    [InlineData("issued_before", "\"2026-01-01T00:00:00Z\"")]
    [InlineData("expires_at", "-1")]
    [InlineData("expires_at", "1700000000")]
    [InlineData("expires_at", "1e400")]
    [InlineData("expires_at", "\"1969-12-31T23:59:59Z\"")]
    [InlineData("expires_at", "\"2020-01-01T00:00:00Z\"")]
    [InlineData("expires_at", "\"9999-12-31T23:59:59Z\"")]
    [InlineData("expires_at", "\"0001-01-01T00:00:00+14:00\"")]
    [InlineData("expires_at", "\"99999-01-01T00:00:00Z\"")]
    [InlineData("expires_at", "\"2026-01-01T00:00:00\"")]
    [InlineData("expires_at", "\"2026-01-01\"")]
    [InlineData("expires_at", "\"tomorrow\"")]
    public async Task Wrong_field_of_a_token_rule_is_400(string field, string value)
    {
        var body = Good[..^1].Replace("\"reason\":\"revoked\"", "\"unused\":1", StringComparison.Ordinal);
        var reason = field == "reason" ? "" : ",\"reason\":\"revoked\"";
        await AssertFieldsAsync(
            await SendAsync("revocations", Json($"{body}{reason},\"{field}\":{value}}}")), [field]);
    }

    [Theory]
    [InlineData("\"2999-01-01T00:00:00Z\"")]
    [InlineData("\"1969-12-31T23:59:59Z\"")]
    [InlineData("\"-2026-01-01T00:00:00Z\"")]
    [InlineData("-5")]
    [InlineData("9e99")]
    [InlineData("{}")]
    public async Task Wrong_cutoff_is_400(string value)
    {
        var body = """{"target":{"type":"subject","value":"v","issuer":"i"},"reason":"x","issued_before":"""
            + value + "}";
        await AssertFieldsAsync(await SendAsync("revocations", Json(body)), ["issued_before"]);
    }

    [Fact]
    public async Task Overlong_texts_are_400()
    {
        var (value, note) = (new string('v', 1025), new string('n', 1001));
        var body = JsonSerializer.Serialize(new
        {
            target = new { type = "token", value, issuer = value }, reason = "x", note,
        });
        await AssertFieldsAsync(
            await SendAsync("revocations", Json(body)), ["target.value", "target.issuer", "note"]);
    }

    [Theory]
    [InlineData("""{"revocations":[]}""")]
    [InlineData("""{"revocations":{}}""")]
    [InlineData("""{"revocations":"x"}""")]
    [InlineData("""{}""")]
    public async Task Batch_without_rules_is_400(string body) =>
        await AssertFieldsAsync(await SendAsync("revocations/batch", Json(body)), ["revocations"]);

    [Theory]
    [InlineData("type=user", "type")]
    [InlineData("limit=0", "limit")]
    [InlineData("limit=1001", "limit")]
    [InlineData("limit=-1", "limit")]
    [InlineData("limit=many", "limit")]
    [InlineData("limit=99999999999", "limit")]
    [InlineData("since=yesterday", "since")]
    [InlineData("since=1700000000", "since")]
    [InlineData("until=2026-13-01T00:00:00Z", "until")]
    [InlineData("cursor=nonsense", "cursor")]
    [InlineData("value=a%00b", "value")]
    [InlineData("value=a&value=b", "value")]
    public async Task Wrong_query_is_400(string query, string field) => await AssertFieldsAsync(
        await _app.GetAsync($"/token-blacklist/revocations?{query}", _tokens.Make()), [field]);

    [Theory]
    [InlineData("nonsense?reason=x", "id")]
    [InlineData("t00000000000000000000000000000000000000zz?reason=x", "id")]
    [InlineData("%01?reason=x", "id")]
    [InlineData("t0000000000000000000000000000000000000001", "reason")]
    [InlineData("t0000000000000000000000000000000000000001?reason=NO", "reason")]
    public async Task Wrong_lift_is_400(string idAndQuery, string field)
    {
        using var answer = await _app.SendAsync(
            HttpMethod.Delete, $"/token-blacklist/revocations/{idAndQuery}", _tokens.Make());
        var problem = await answer.ProblemAsync(400, "validation_failed");
        Assert.True(problem.GetProperty("errors").TryGetProperty(field, out _));
    }

    [Fact]
    public async Task Lift_of_an_id_that_does_not_exist_is_404()
    {
        using var answer = await _app.SendAsync(
            HttpMethod.Delete, $"/token-blacklist/revocations/t{new string('0', 40)}?reason=x",
            _tokens.Make());
        await answer.ProblemAsync(404, "not_found");
    }

    [Theory]
    [InlineData("nonsense")]
    [InlineData("a.b.c")]
    [InlineData("....")]
    [InlineData("e30.e30.e30")]
    [InlineData("")]
    public async Task Explain_of_what_is_no_token_is_400_or_says_so(string token)
    {
        using var answer = await SendAsync("explain", Json(JsonSerializer.Serialize(new { token })));
        if ((int)answer.StatusCode == 200)
        {
            Assert.False((await answer.JsonAsync()).GetProperty("verified").GetBoolean());
            return;
        }
        await AssertFieldsAsync(answer, ["token"]);
    }

    [Theory]
    [InlineData("""{"jti":5}""")]
    [InlineData("""{"iat":"x"}""")]
    [InlineData("""{"auth_time":{}}""")]
    [InlineData("""{"sid":[[1]]}""")]
    [InlineData("""[]""")]
    [InlineData("""{"exp":9223372036854775807,"iat":-9223372036854775808}""")]
    public async Task Explain_of_a_hostile_token_never_ends_in_500(string payload)
    {
        var token = _tokens.MakeRaw(payload);
        using var answer = await SendAsync("explain", Json(JsonSerializer.Serialize(new { token })));
        Assert.True((int)answer.StatusCode is 200 or 400, $"{payload} gave {(int)answer.StatusCode}");
    }

    [Fact]
    public async Task Explain_of_an_enormous_token_is_400()
    {
        var token = new string('a', 300_000) + ".b.c";
        using var answer = await SendAsync("explain", Json(JsonSerializer.Serialize(new { token })));
        await AssertFieldsAsync(answer, ["token"]);
    }

    [Fact]
    public async Task Nothing_a_caller_sent_is_repeated_in_an_error()
    {
        var body = """{"target":{"type":"<script>","value":"s3cret","issuer":"i"},"reason":"S3CRET"}""";
        using var answer = await SendAsync("revocations", Json(body));
        var text = await answer.Content.ReadAsStringAsync();
        Assert.Equal(400, (int)answer.StatusCode);
        Assert.DoesNotContain("s3cret", text, StringComparison.OrdinalIgnoreCase);
        Assert.DoesNotContain("script", text, StringComparison.Ordinal);
    }

    private static StringContent Json(string body) => new(body, Encoding.UTF8, "application/json");

    private Task<HttpResponseMessage> SendAsync(string path, HttpContent body) =>
        _app.SendAsync(HttpMethod.Post, $"/token-blacklist/{path}", _tokens.Make(), body);

    private static async Task AssertFieldsAsync(HttpResponseMessage answer, string[] fields)
    {
        var problem = await answer.ProblemAsync(400, "validation_failed");
        var wrong = problem.GetProperty("errors").EnumerateObject().Select(one => one.Name);
        Assert.Equal(fields.Order(), wrong.Order());
    }
}
