namespace Rescind.Tests.Server;

/// <summary>Who takes no form that an answer has is told so before anything is done.</summary>
public sealed class AcceptTests(ServerUnderTest server) : IClassFixture<ServerUnderTest>
{
    private const string Profile = "/api/users/profile";
    private const string Audit = "/api/auth/admin/audit";

    [Theory]
    [InlineData("application/xml")]
    [InlineData("text/html, image/*;q=0.8")]
    [InlineData("application/json;q=0")]
    [InlineData("text/csv")]
    public async Task What_nobody_could_read_is_not_done(string accept)
    {
        var user = await server.RegisterAsync();

        foreach (var path in new[] { "/api/auth/logout", "/api/auth/logout-all" })
        {
            var reply = await AskAsync(HttpMethod.Post, path, user.Access, accept);
            reply.IsRefusal(406, "not_acceptable");
        }
        (await AskAsync(HttpMethod.Get, Profile, user.Access, accept)).IsRefusal(406, "not_acceptable");
        Assert.Equal(200, await server.ProfileStatusAsync(user.Access));
    }

    [Theory]
    [InlineData("*/*")]
    [InlineData("text/html, */*;q=0.1")]
    [InlineData("application/*")]
    [InlineData("APPLICATION/JSON; charset=utf-8")]
    [InlineData("application/xml, application/json;q=0.5")]
    [InlineData(";;q=9")]
    [InlineData("")]
    public async Task Json_is_given_to_whoever_takes_it(string accept)
    {
        var user = await server.RegisterAsync();

        var reply = await AskAsync(HttpMethod.Get, Profile, user.Access, accept);

        Assert.Equal((200, "application/json"), (reply.Status, reply.MediaType));
    }

    [Theory]
    [InlineData("text/csv", "text/csv")]
    [InlineData("text/*", "text/csv")]
    [InlineData("application/json;q=0.1, text/csv", "text/csv")]
    [InlineData("text/csv;q=0, application/json", "application/json")]
    [InlineData("*/*", "application/json")]
    public async Task The_audit_has_two_forms(string accept, string given)
    {
        var admin = await server.LogInAsAdminAsync();

        var reply = await AskAsync(HttpMethod.Get, Audit, admin.Access, accept);

        Assert.Equal((200, given), (reply.Status, reply.MediaType));
        (await AskAsync(HttpMethod.Get, Audit, admin.Access, "application/xml")).IsRefusal(406, "not_acceptable");
    }

    [Fact]
    public async Task Who_may_not_ask_is_told_that_first()
    {
        (await AskAsync(HttpMethod.Get, Profile, "no token", "application/xml")).IsRefusal(401, "token_invalid");
        (await AskAsync(HttpMethod.Get, "/api/nothing", null, "application/xml")).IsRefusal(404, "not_found");
    }

    private async Task<Reply> AskAsync(HttpMethod method, string path, string? token, string accept)
    {
        using var request = new HttpRequestMessage(method, path);
        request.Headers.Authorization = token is null ? null : new("Bearer", token);
        request.Headers.TryAddWithoutValidation("Accept", accept);
        return await Reply.OfAsync(await server.Http.SendAsync(request));
    }
}
