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

    [Theory]
    [InlineData("""{"code":503,"message":"no server"}""")]
    [InlineData("[503]")]
    public async Task What_a_gateway_answers_in_its_own_way_is_told_in_one_line(string body)
    {
        using var gateway = new TcpListener(IPAddress.Loopback, 0);
        gateway.Start();
        Environment.SetEnvironmentVariable("RESCIND_PASSWORD", ServerUnderTest.Password);
        var answer = AnswerAsync();

        var refused = await Assert.ThrowsAsync<RefusedException>(() => AdminClient.ConnectAsync(
            $"http://127.0.0.1:{((IPEndPoint)gateway.LocalEndpoint).Port}/", "a@b.example", AdminClient.LongestWait, CancellationToken.None));

        Assert.Equal("/api/auth/login answered 503: no reason given", refused.Message);
        await answer;

        async Task AnswerAsync()
        {
            using var caller = await gateway.AcceptTcpClientAsync();
            await using var stream = caller.GetStream();
            var read = await stream.ReadAtLeastAsync(new byte[4096], 1);
            Assert.NotEqual(0, read);
            await stream.WriteAsync(System.Text.Encoding.ASCII.GetBytes(
                "HTTP/1.1 503 Service Unavailable\r\nContent-Type: application/json\r\nConnection: close\r\n"
                + $"Content-Length: {body.Length}\r\n\r\n{body}"));
        }
    }

    [Fact]
    public void The_other_databases_address_means_what_it_says()
    {
        var read = new NpgsqlConnectionStringBuilder(ImportUsers.ConnectionString(
            "postgresql+psycopg2://me:a%20word@db.example/old?sslmode=verify-full&connect_timeout=7&channel_binding=require"));

        Assert.Equal(
            ("db.example", 5432, "old", "me", "a word", SslMode.VerifyFull, 7, ChannelBinding.Require),
            (read.Host, read.Port, read.Database, read.Username, read.Password, read.SslMode, read.Timeout, read.ChannelBinding));
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
