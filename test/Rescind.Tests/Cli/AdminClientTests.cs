using System.Net;
using System.Net.Sockets;
using Npgsql;
using Rescind.Cli;

namespace Rescind.Tests.Server;

/// <summary>The command line's way to a server; as a whole it is tried end to end.</summary>
public sealed class AdminClientTests
{
    /// <summary>An import of 600,000 users takes longer than a token lives.</summary>
    [Fact]
    public async Task A_log_in_that_has_ended_is_made_anew()
    {
        await using var server = await ServerUnderTest.StartAsync();
        Environment.SetEnvironmentVariable("RESCIND_PASSWORD", ServerUnderTest.Password);
        using var client = await AdminClient.ConnectAsync(
            server.Address.ToString(), ServerUnderTest.AdminEmail, AdminClient.LongestWait, CancellationToken.None);
        for (var i = 0; i < 3; i++)
        {
            server.Clock.Advance(TimeSpan.FromMinutes(31));
            var answer = await client.SendAsync(HttpMethod.Get, "/api/auth/admin/users", null, CancellationToken.None);
            Assert.True(answer.GetProperty("success").GetBoolean());
        }
    }

    [Fact]
    public async Task A_server_that_does_not_answer_is_named_in_one_line()
    {
        using var silent = new TcpListener(IPAddress.Loopback, 0);
        silent.Start();
        Environment.SetEnvironmentVariable("RESCIND_PASSWORD", ServerUnderTest.Password);
        var address = $"http://127.0.0.1:{((IPEndPoint)silent.LocalEndpoint).Port}/";

        var refused = await Assert.ThrowsAsync<RefusedException>(() => AdminClient.ConnectAsync(
            address, "a@b.example", TimeSpan.FromMilliseconds(300), CancellationToken.None));

        Assert.Equal($"{address} did not answer within 0.3 s.", refused.Message);
    }

    [Fact]
    public void The_other_databases_address_means_what_it_says()
    {
        var read = new NpgsqlConnectionStringBuilder(ImportUsers.ConnectionString(
            "postgresql+psycopg2://me:a%20word@db.example/old?sslmode=verify-full&connect_timeout=7"));

        Assert.Equal(
            ("db.example", 5432, "old", "me", "a word", SslMode.VerifyFull, 7),
            (read.Host, read.Port, read.Database, read.Username, read.Password, read.SslMode, read.Timeout));
    }

    [Theory]
    [InlineData(null)]
    [InlineData("mysql://me:hidden@db.example/old")]
    [InlineData("postgresql://db.example/old")]
    [InlineData("postgresql://me:hidden@db.example/old?sslmode=perhaps")]
    [InlineData("postgresql://me:hidden@db.example/old?colour=red")]
    [InlineData("postgresql://me:hidden@db.example/old?sslmode=require&colour=red")]
    public void An_address_that_would_not_be_obeyed_is_refused_in_one_line(string? address)
    {
        var refused = Assert.Throws<RefusedException>(() => ImportUsers.ConnectionString(address));
        Assert.StartsWith("--from: ", refused.Message, StringComparison.Ordinal);
        Assert.DoesNotContain("hidden", refused.Message, StringComparison.Ordinal);
    }
}
