using Xunit.Sdk;

namespace Rescind.Tests.Server;

/// <summary>The check that is run on every answer of every test finds what leaves the description.</summary>
public sealed class ApiContractTests
{
    private const string Good = """{"success":true,"message":"m","id":"i","email":"e","is_admin":false,"created_at":"2026-01-01T00:00:00Z"}""";

    [Fact]
    public Task What_is_described_passes() => CheckAsync("/api/users/profile", 200, Good);

    [Theory]
    [InlineData("/api/users/profile", 200, "\"email\":\"e\"", "\"email\":\"e\",\"more\":1")]
    [InlineData("/api/users/profile", 200, "\"email\":\"e\",", "")]
    [InlineData("/api/users/profile", 200, "false", "\"false\"")]
    [InlineData("/api/users/profile", 201, "", "")]
    [InlineData("/api/users/nobody", 200, "", "")]
    public async Task What_is_not_is_found(string path, int status, string from, string to)
    {
        var text = from.Length == 0 ? Good : Good.Replace(from, to, StringComparison.Ordinal);

        await Assert.ThrowsAnyAsync<XunitException>(() => CheckAsync(path, status, text));
    }

    private static Task CheckAsync(string path, int status, string text) => DescribedAnswers.CheckAsync(
        HttpMethod.Get, path, new Reply(status, text, "application/json", new Dictionary<string, string>()));
}
