using Xunit.Sdk;

namespace Rescind.Tests.Server;

/// <summary>The check that is run on every answer of every test finds what leaves the description.</summary>
public sealed class ApiContractTests
{
    private const string Profile = "/api/users/profile";
    private const string Revocations = "/api/auth/admin/revocations";

    private const string Good = """
        {"success":true,"message":"m","id":"i","email":"e","is_admin":false,"created_at":"2026-01-01T00:00:00Z"}
        """;

    private const string Made = """
        {"success":true,"message":"m","id":"i","target":{"type":"token","value":"v","issuer":"i"},"reason":"r","actor":"a",
        "note":null,"made_at":null,"issued_before":null,"expires_at":null,"lifted_at":null,"lifted_by":null,
        "lift_reason":null,"receipt":{"id":"i","position":"1","state":"stored","nodes_confirmed":1,"nodes_expected":1,
        "elapsed_ms":0.5}}
        """;

    [Fact]
    public async Task What_is_described_passes()
    {
        await CheckAsync("GET", Profile, 200, Good);
        await CheckAsync("POST", Revocations, 201, Made);
        await CheckAsync("POST", Revocations, 503, Problem(503, "store_full"));
        await CheckAsync("GET", "/api/users/nobody", 404, Problem(404, "not_found"));
        await CheckAsync("DELETE", Profile, 405, Problem(405, "method_not_allowed"));
    }

    [Theory]
    [InlineData(200, "\"email\":\"e\"", "\"email\":\"e\",\"more\":1")]
    [InlineData(200, "\"email\":\"e\",", "")]
    [InlineData(200, "\"is_admin\":false", "\"is_admin\":\"false\"")]
    [InlineData(200, "\"success\":true,", "")]
    [InlineData(200, "\"success\":true", "\"success\":false")]
    [InlineData(200, "00:00Z", "00:00")]
    [InlineData(200, "00:00Z", "00:00+00:00")]
    [InlineData(200, "2026-01", "2026-13")]
    [InlineData(200, "{", "")]
    [InlineData(201, "", "")]
    public Task What_is_not_is_found(int status, string from, string to) =>
        FindAsync("GET", Profile, status, Changed(Good, from, to));

    [Theory]
    [InlineData("\"receipt\":", "\"more\":")]
    [InlineData("\"state\":\"stored\"", "\"state\":\"lost\"")]
    [InlineData("\"type\":\"token\"", "\"type\":\"tokens\"")]
    [InlineData("\"nodes_confirmed\":1", "\"nodes_confirmed\":2147483648")]
    public Task So_it_is_in_the_answers_of_the_library(string from, string to) =>
        FindAsync("POST", Revocations, 201, Changed(Made, from, to));

    [Theory]
    [InlineData("GET", Profile, 401, "invalid_credentials")]
    [InlineData("GET", Revocations, 503, "store_full")]
    [InlineData("GET", Profile, 400, "validation_failed")]
    [InlineData("GET", "/api/users/nobody", 404, "method_not_allowed")]
    [InlineData("GET", "/api/users/nobody", 401, "token_missing")]
    [InlineData("GET", "/api/users/nobody", 400, "bad_request")]
    public Task A_refusal_of_another_call_is_found(string method, string path, int status, string code) =>
        FindAsync(method, path, status, Problem(status, code));

    [Fact]
    public async Task A_refusal_that_is_no_problem_of_its_status_is_found()
    {
        await FindAsync("GET", "/api/users/nobody", 404, "");
        await FindAsync("GET", "/api/users/nobody", 404, Problem(404, "not_found"), "application/json");
        await FindAsync("GET", "/api/users/nobody", 404, Problem(405, "not_found"));
        await FindAsync("GET", Profile, 401, Problem(403, "token_missing"));
        await FindAsync("GET", Profile, 401, "");
    }

    [Fact]
    public async Task An_empty_refusal_is_the_listeners_own_and_closes_the_connection()
    {
        var closed = new Dictionary<string, string> { ["Connection"] = "close" };

        await DescribedAnswers.CheckAsync(HttpMethod.Get, Profile, new Reply(400, "", null, closed));
        await FindAsync("GET", Profile, 400, "");
        await FindAsync("POST", "/api/auth/login", 400, "");
    }

    private static string Problem(int status, string code) =>
        $$"""{"type":"about:blank","title":"t","status":{{status}},"code":"{{code}}","detail":"d"}""";

    private static string Changed(string good, string from, string to) =>
        from.Length == 0 ? good : good.Replace(from, to, StringComparison.Ordinal);

    private static async Task FindAsync(
        string method, string path, int status, string text, string? mediaType = null) =>
        await Assert.ThrowsAnyAsync<XunitException>(() => CheckAsync(method, path, status, text, mediaType));

    private static Task CheckAsync(string method, string path, int status, string text, string? mediaType = null) =>
        DescribedAnswers.CheckAsync(
            new HttpMethod(method), path, new Reply(
                status, text, mediaType ?? (status < 400 ? "application/json" : "application/problem+json"),
                new Dictionary<string, string>()));
}
