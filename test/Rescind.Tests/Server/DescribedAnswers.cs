namespace Rescind.Tests.Server;

/// <summary>Holds every answer that a test gets from a server against the API description of a running one.</summary>
internal static class DescribedAnswers
{
    private static readonly Lazy<Task<ApiContract>> Contract = new(LoadAsync);

    public static async Task CheckAsync(HttpMethod method, string address, Reply reply)
    {
        // The description itself and the metrics are not part of it.
        if (address.StartsWith("/openapi", StringComparison.OrdinalIgnoreCase)
            || address.StartsWith("/metrics", StringComparison.OrdinalIgnoreCase))
        {
            return;
        }
        var wrong = (await Contract.Value).WrongWith(
            method.Method, address, reply.Status, reply.MediaType, reply.Text,
            closes: reply.Headers.GetValueOrDefault("Connection") == "close");
        Assert.True(wrong is null, $"{method} {address.Split('?')[0]} → {reply.Status}: {wrong}. {reply.Text}");
    }

    private static async Task<ApiContract> LoadAsync()
    {
        await using var server = new ServerUnderTest();
        await server.StartWithAsync(("ENVIRONMENT", "Development"));
        return new ApiContract((await Reply.OfAsync(await server.Http.GetAsync("/openapi/v1.json"))).Json);
    }
}
