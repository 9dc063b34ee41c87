namespace Rescind.EndToEnd;

/// <summary>What is wrong at the start stops the start, in one line that says what to do.</summary>
public sealed class StartTests
{
    [Theory]
    [InlineData("PORT", "eighty")]
    [InlineData("ACCESS_TOKEN_EXPIRE_MINUTES", "-1")]
    [InlineData("BLACKLIST_WHEN_UNKNOWN", "maybe")]
    [InlineData("JWT_SECRET", "short")]
    [InlineData("JWT_SECRET", null)]
    [InlineData("ALGORITHM", "none")]
    [InlineData("REDIS_URL", "redis://:a-password-nobody-may-see@127.0.0.1:many")]
    public async Task A_wrong_setting_stops_the_start_with_one_line_that_names_it(string name, string? value)
    {
        await using var server = new ServerProcess((name, value), ("ASPNETCORE_URLS", name == "PORT" ? null : "http://127.0.0.1:0"));
        Assert.NotEqual(0, await server.RunToEndAsync());
        var lines = server.Output.Split('\n', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries);
        var line = Assert.Single(lines, line => line.Contains(name, StringComparison.Ordinal));
        Assert.DoesNotContain(lines, line => line.StartsWith("at ", StringComparison.Ordinal));
        Assert.DoesNotContain("a-password-nobody-may-see", server.Output, StringComparison.Ordinal);
        Assert.True(line.Length > name.Length + 20, line);
    }

    [Fact]
    public async Task A_second_server_on_the_same_folder_is_refused_and_the_first_goes_on()
    {
        await using var first = await ServerProcess.StartedAsync();
        await using var second = new ServerProcess(("RESCIND_DATA", first.Data));
        Assert.NotEqual(0, await second.RunToEndAsync());
        Assert.Contains("in use by another process", second.Output, StringComparison.Ordinal);
        Assert.DoesNotContain("\n   at ", second.Output, StringComparison.Ordinal);
        var app = new MobileApp(first.Client);
        Assert.Equal(200, await app.ProfileAsync((await app.RegisterAsync()).Access));
    }
}
