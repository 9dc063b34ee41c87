using System.Net.Http.Headers;
using System.Text;

namespace Rescind.Tests.Server;

/// <summary>Bodies and fields that are not what they should be: each gets its 4xx with a reason, and leaves
/// nothing. </summary>
public sealed class BadInputTests(ServerUnderTest server) : IClassFixture<ServerUnderTest>
{
    private const string Register = "/api/auth/register";
    private const string RevokeUser = "/api/auth/admin/revoke-user-tokens";
    private const string RevokeJti = "/api/auth/admin/revoke-token-by-jti";
    private const string Incident = "/api/auth/admin/security-incident";
    private const string Revocations = "/api/auth/admin/revocations";

    private static readonly string Long = new('x', 2_000);

    public static TheoryData<string> PathsWithBodies =>
    [
        Register, "/api/auth/login", "/api/auth/refresh", "/api/auth/refresh-token", "/api/auth/logout",
        "/api/auth/revoke", RevokeUser, RevokeJti, Revocations, "/api/auth/admin/revocations/batch",
        "/api/auth/admin/explain",
    ];

    private static string[] Malformed =>
    [
        "{", "[]", "null", "\"text\"", "{\"email\":}", "{\"email\":\"a\"} trailing", "{'email':'a'}",
        new string('[', 5_000), "{\"email\":\"a\",\"email\":\"b\"}", "\u0000", "{\"\\ud800\":1}",
    ];

    public static TheoryData<string, string, string> WrongFields => new()
    {
        { Register, """{"email":1,"password":"long enough"}""", "email" },
        { Register, """{"email":{},"password":"long enough"}""", "email" },
        { Register, """{"email":"a@b.example","password":["long enough"]}""", "password" },
        { Register, """{"email":"a@b.example","password":"short"}""", "password" },
        { Register, """{"email":"a@b.example","password":""}""", "password" },
        { Register, """{"email":"nowhere","password":"long enough"}""", "email" },
        { Register, """{"email":"a@b.example\u0000","password":"long enough"}""", "email" },
        { Register, """{"email":"a b@b.example","password":"long enough"}""", "email" },
        { Register, """{"email":"\ud800@b.example","password":"long enough"}""", "email" },
        { Register, $$"""{"email":"{{Long}}@b.example","password":"long enough"}""", "email" },
        { Register, $$"""{"email":"a@b.example","password":"{{Long}}"}""", "password" },
        { Register, "{}", "email" },
        { "/api/auth/login", """{"email":"a@b.example"}""", "password" },
        { "/api/auth/login", """{"email":"a@b.example","password":true}""", "password" },
        { "/api/auth/refresh", "{}", "refresh_token" },
        { "/api/auth/refresh", """{"refresh_token":5}""", "refresh_token" },
        { "/api/auth/logout", """{"refresh_token":5}""", "refresh_token" },
        { "/api/auth/revoke", """{"token":{}}""", "token" },
        { "/api/auth/revoke", """{"reason":"Not A Word"}""", "reason" },
        { "/api/auth/revoke", """{"reason":"line\nbreak"}""", "reason" },
        { RevokeUser, """{"reason":"revoked"}""", "user_id" },
        { RevokeUser, """{"user_id":"","reason":"revoked"}""", "user_id" },
        { RevokeUser, """{"user_id":"victim"}""", "reason" },
        { RevokeUser, """{"user_id":"victim","reason":"Bad Reason"}""", "reason" },
        { RevokeUser, """{"user_id":"victim","reason":"a\u0007b"}""", "reason" },
        { RevokeUser, """{"user_id":"victim","reason":"revoked","note":"a\u0000b"}""", "note" },
        { RevokeUser, $$"""{"user_id":"victim","reason":"revoked","note":"{{Long}}"}""", "note" },
        { RevokeUser, $$"""{"user_id":"{{Long}}","reason":"revoked"}""", "user_id" },
        { RevokeUser, """{"user_id":"vic\ntim","reason":"revoked"}""", "user_id" },
        { RevokeUser, """{"user_id":5,"reason":"revoked"}""", "user_id" },
        { RevokeJti, """{"jti":"","reason":"revoked"}""", "jti" },
        { RevokeJti, $$"""{"jti":"{{Long}}","reason":"revoked"}""", "jti" },
        { RevokeJti, $$"""{"jti":"x","issuer":"{{Long}}","reason":"revoked"}""", "issuer" },
        { RevokeJti, """{"jti":"x","reason":"revoked","expires_at":"9999-12-31T23:59:59Z"}""", "expires_at" },
        { RevokeJti, """{"jti":"x","reason":"revoked","expires_at":"1900-01-01T00:00:00Z"}""", "expires_at" },
        { RevokeJti, """{"jti":"x","reason":"revoked","expires_at":-5}""", "expires_at" },
        { RevokeJti, """{"jti":"x","reason":"revoked","expires_at":"soon"}""", "expires_at" },
        { Revocations, Rule("subject", "\"issued_before\":\"2999-01-01T00:00:00Z\""), "issued_before" },
        { Revocations, Rule("subject", "\"issued_before\":\"1969-01-01T00:00:00Z\""), "issued_before" },
        { Revocations, Rule("subject", "\"issued_before\":-1"), "issued_before" },
        { Revocations, Rule("token", "\"expires_at\":\"2999-01-01T00:00:00Z\""), "expires_at" },
        { Revocations, Rule("nothing", "\"note\":\"\""), "target.type" },
        { Revocations, """{"target":"subject","reason":"revoked"}""", "target" },
        { Incident, """{"scope":{"user_ids":[null]},"reason":"revoked","note":"a"}""", "scope" },
        { Incident, """{"scope":{"user_ids":["victim",""]},"reason":"revoked","note":"a"}""", "scope" },
        { "/api/auth/admin/import-users", """{"users":[{"id":"\u0000"}]}""", "users" },
        { "/api/auth/login", """{"email":"a\\\u0000@b.example","password":"long enough"}""", "email" },
    };

    [Fact]
    public async Task What_is_no_user_is_rejected_and_the_others_come_over()
    {
        var (admin, hash) = (await server.LogInAsAdminAsync(), BCrypt.Net.BCrypt.HashPassword("a password", 4));
        object?[] users =
        [
            null, new { },
            new { id = "b", email = "b@import.example", password_hash = hash },
        ];

        var reply = await server.PostAsync("/api/auth/admin/import-users", new { users }, admin.Access);

        reply.IsSuccess();
        Assert.Equal(1, reply.Json.GetProperty("imported").GetInt32());
        Assert.Equal([0, 1], reply.Json.GetProperty("rejected").EnumerateArray()
            .Select(one => one.GetProperty("index").GetInt32()));
    }

    [Theory]
    [MemberData(nameof(PathsWithBodies))]
    public async Task Malformed_JSON_is_a_400_with_a_reason(string path)
    {
        foreach (var body in Malformed)
        {
            var reply = await SendAsync(path, new StringContent(body, Encoding.UTF8, "application/json"));
            Assert.True(reply.Status == 400, $"{path} answered {reply.Status} to {body}: {reply.Text}");
            Assert.True(reply.Code is "malformed_json" or "validation_failed", reply.Text);
        }
    }

    [Theory]
    [MemberData(nameof(PathsWithBodies))]
    public async Task Another_media_type_or_encoding_is_a_415_and_broken_UTF8_a_400(string path)
    {
        var json = """{"email":"a@b.example","password":"long enough"}""";
        (await SendAsync(path, new StringContent(json, Encoding.UTF8, "text/plain")))
            .IsRefusal(415, "unsupported_media_type");
        (await SendAsync(path, new StringContent(json, Encoding.Unicode, "application/json")))
            .IsRefusal(415, "unsupported_media_type");
        (await SendAsync(path, Bytes(Encoding.UTF8.GetBytes(json), "application/json; charset=klingon")))
            .IsRefusal(415, "unsupported_media_type");
        (await SendAsync(path, Bytes(Encoding.UTF8.GetBytes(json), mediaType: null)))
            .IsRefusal(415, "unsupported_media_type");
        var broken =
            await SendAsync(path, Bytes([.. "{\"email\":\""u8, 0xFF, 0xFE, .. "\"}"u8], "application/json"));
        Assert.Equal(400, broken.Status);
    }

    [Theory]
    [MemberData(nameof(PathsWithBodies))]
    public async Task A_body_over_its_limit_is_a_413(string path)
    {
        var size = path.EndsWith("/batch", StringComparison.Ordinal) ? 17 << 20 : 1_100_000;
        var body = Bytes(Encoding.UTF8.GetBytes($$"""{"filler":"{{new string('x', size)}}"}"""),
            "application/json");

        (await SendAsync(path, body)).IsRefusal(413, "body_too_large");
    }

    [Fact]
    public async Task A_body_that_does_not_tell_its_size_is_measured()
    {
        var json = Encoding.UTF8.GetBytes($$"""{"filler":"{{new string('x', 1_050_000)}}"}""");
        using var request = new HttpRequestMessage(HttpMethod.Post, Register);
        request.Headers.TransferEncodingChunked = true;
        request.Content = Bytes(json, "application/json");
        using var response = await server.Http.SendAsync(request);

        (await Reply.OfAsync(response)).IsRefusal(413, "body_too_large");
    }

    [Theory]
    [MemberData(nameof(WrongFields))]
    public async Task A_wrong_field_is_a_400_that_names_it_and_stores_nothing(string path, string body,
        string field)
    {
        var admin = await server.LogInAsAdminAsync();
        var before = server.LiveRevocations();

        var reply = await server.PostAsync(
            path, new StringContent(body, Encoding.UTF8, "application/json"), admin.Access);

        reply.IsRefusal(400, "validation_failed");
        Assert.True(reply.Json.GetProperty("errors").TryGetProperty(field, out _), reply.Text);
        Assert.Equal(before, server.LiveRevocations());
        Assert.Equal(200, await server.ProfileStatusAsync(admin.Access));
        var login = await server.PostAsync(
            "/api/auth/login", new { email = "a@b.example", password = "long enough" });
        Assert.True(login.Status is 401 or 429, login.Text);
    }

    [Fact]
    public async Task The_reasons_of_the_mobile_app_are_in_the_detail()
    {
        var tooShort =
            await server.PostAsync(Register, new { email = server.NewEmail(), password = "short" });
        var noEmail = await server.PostAsync(Register, new { email = "nowhere", password = "long enough" });

        Assert.Contains("Password too short", tooShort.Detail, StringComparison.Ordinal);
        Assert.Contains("Invalid email", noEmail.Detail, StringComparison.Ordinal);
    }

    [Fact]
    public async Task An_overlong_password_at_login_is_wrong_and_not_an_error()
    {
        var tokens = await server.RegisterAsync();
        var body = new { email = tokens.Email, password = ServerUnderTest.Password + Long };

        (await server.PostAsync("/api/auth/login", body)).IsRefusal(401, "invalid_credentials");
        var start = new string('p', 128);
        var email = server.NewEmail();
        (await server.PostAsync(Register, new { email, password = start })).IsSuccess(201);
        (await server.PostAsync("/api/auth/login", new { email, password = start + "more" }))
            .IsRefusal(401, "invalid_credentials");
    }

    [Fact]
    public async Task Unknown_addresses_and_methods_are_problems_too()
    {
        (await server.GetAsync("/api/auth/nothing")).IsRefusal(404, "not_found");
        (await server.GetAsync("/api/auth/login")).IsRefusal(405, "method_not_allowed");
        (await server.PostAsync("/api/users/profile")).IsRefusal(405, "method_not_allowed");
    }

    private async Task<Reply> SendAsync(string path, HttpContent body)
    {
        var token = path.Contains("/admin/", StringComparison.Ordinal)
            || path.EndsWith("/revoke", StringComparison.Ordinal)
            ? MintedTokens.Sign(MintedTokens.Claims("operator", isAdmin: true))
            : null;
        return await server.PostAsync(path, body, token);
    }

    private static ByteArrayContent Bytes(byte[] bytes, string? mediaType)
    {
        var content = new ByteArrayContent(bytes);
        content.Headers.ContentType = mediaType is null ? null : MediaTypeHeaderValue.Parse(mediaType);
        return content;
    }

    private static string Rule(string type, string more) =>
        $$"""{"target":{"type":"{{type}}","value":"victim"},"reason":"revoked",{{more}}}""";
}
