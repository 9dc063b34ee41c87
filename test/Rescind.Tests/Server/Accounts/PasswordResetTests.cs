using System.Diagnostics;
using System.Text.RegularExpressions;
using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.DependencyInjection;
using Rescind.Server.Database;
using Rescind.Tests.Redis;

namespace Rescind.Tests.Server;

/// <summary>A forgotten password, through a real mail server.</summary>
public abstract partial class PasswordResetTests
{
    private const string NewPassword = "an entirely new password";

    [Fact]
    public async Task What_was_mailed_sets_a_new_password_once_and_ends_every_session()
    {
        await using var mail = await MailServer.StartAsync();
        await using var server = await StartAsync(mail);
        var user = await server.RegisterAsync();

        (await ForgotAsync(server, user.Email.ToUpperInvariant())).IsSuccess();
        var message = await mail.MessageAsync(1);
        var token = TokenOf(message);

        Assert.Contains($"To: {user.Email}", message, StringComparison.Ordinal);
        Assert.Contains("From: no-reply@rescind.example", message, StringComparison.Ordinal);
        (await server.PostAsync("/api/auth/verify-reset-token", new { token })).IsSuccess();
        (await server.PostAsync("/api/auth/reset-password", new { token, new_password = "short" }))
            .IsRefusal(400, "validation_failed");
        (await server.PostAsync("/api/auth/reset-password", new { token, new_password = NewPassword })).IsSuccess();

        (await server.GetAsync("/api/users/profile", user.Access)).IsRefusal(401, "token_revoked");
        await server.LogInAsync(user.Email, NewPassword);
        (await server.PostAsync("/api/auth/verify-reset-token", new { token })).IsRefusal(400, "validation_failed");
        (await server.PostAsync("/api/auth/reset-password", new { token, new_password = NewPassword }))
            .IsRefusal(400, "validation_failed");
        Assert.DoesNotContain(server.LogEntries, line => line.Contains(token, StringComparison.Ordinal)
            || line.Contains(user.Email, StringComparison.Ordinal));
    }

    /// <summary>Else a few addresses that no server takes hold up everybody's mail, 13 s each.</summary>
    [Fact]
    public async Task What_the_mail_server_refuses_for_good_is_not_sent_again()
    {
        await using var mail = await MailServer.StartAsync(mostBytes: 10);
        await using var server = await StartAsync(mail);
        var user = await server.RegisterAsync();
        var begun = Stopwatch.GetTimestamp();

        (await ForgotAsync(server, user.Email)).IsSuccess();
        await server.UntilAsync(() => server.LogEntries.Any(line => line.Contains("[4202]", StringComparison.Ordinal)));

        Assert.InRange(Stopwatch.GetElapsedTime(begun).TotalSeconds, 0, 10);
        Assert.Empty(mail.Messages());
    }

    /// <summary>A user may have three of them at a time; those that nobody got would keep the owner out for half an
    /// hour.</summary>
    [Fact]
    public async Task What_could_not_be_sent_does_not_count()
    {
        await using var mail = await MailServer.StartAsync(mostBytes: 10);
        await using var server = await StartAsync(mail);
        var user = await server.RegisterAsync();
        for (var i = 1; i <= 5; i++)
        {
            (await ForgotAsync(server, user.Email)).IsSuccess();
            await server.UntilAsync(
                () => server.LogEntries.Count(line => line.Contains("[4202]", StringComparison.Ordinal)) == i);
        }
        await Eventually.TrueAsync(
            () => server.Services.GetRequiredService<AccountStore>().ReadAsync(
                async db => !await db.PasswordResets.AnyAsync(), CancellationToken.None), "none is left");
    }

    /// <summary>An address that no message can name ended the post office, each time for a second.</summary>
    [Fact]
    public async Task A_message_that_cannot_be_written_holds_up_nobody()
    {
        await using var mail = await MailServer.StartAsync();
        await using var server = await StartAsync(mail);
        foreach (var email in new[] { ".p@example.com", "p.@example.com" })
        {
            (await server.PostAsync("/api/auth/register", new { email, password = ServerUnderTest.Password }))
                .IsRefusal(400, "validation_failed");
        }
        var office = server.Services.GetRequiredService<Rescind.Server.Mail.PostOffice>();
        Assert.True(office.TryOrder(() => throw new FormatException("an address")));
        (await ForgotAsync(server, (await server.RegisterAsync()).Email)).IsSuccess();
        await mail.MessageAsync(1);
        var line = Assert.Single(server.LogEntries, line => line.Contains("[4202]", StringComparison.Ordinal));
        Assert.Contains("FormatException", line, StringComparison.Ordinal);
        Assert.DoesNotContain("an address", line, StringComparison.Ordinal);
        Assert.DoesNotContain(server.LogEntries, line => line.Contains("[4604]", StringComparison.Ordinal));
    }

    [Fact]
    public async Task It_is_kept_as_a_hash_for_half_an_hour_and_a_user_gets_only_a_few()
    {
        await using var mail = await MailServer.StartAsync();
        await using var server = await StartAsync(mail);
        var user = await server.RegisterAsync();
        for (var i = 0; i < 5; i++)
        {
            (await ForgotAsync(server, user.Email)).IsSuccess();
        }
        (await ForgotAsync(server, "nobody@example.com")).IsSuccess();
        (await ForgotAsync(server, server.NewEmail())).IsSuccess();
        var token = TokenOf(await mail.MessageAsync(3));

        // What still waits would find room once the time of these is over.
        var all = new TaskCompletionSource();
        Assert.True(server.Services.GetRequiredService<Rescind.Server.Mail.PostOffice>().TryOrder(() =>
        {
            all.SetResult();
            return Task.FromResult<MimeKit.MimeMessage?>(null);
        }));
        await all.Task;
        var hashes = await server.Services.GetRequiredService<AccountStore>().ReadAsync(
            db => db.PasswordResets.Select(row => row.Hash).ToListAsync(), CancellationToken.None);
        Assert.Equal(3, hashes.Count);
        Assert.DoesNotContain(token, hashes);
        server.Clock.Advance(TimeSpan.FromMinutes(31));
        (await server.PostAsync("/api/auth/verify-reset-token", new { token })).IsRefusal(400, "validation_failed");
        (await server.PostAsync("/api/auth/reset-password", new { token, new_password = NewPassword }))
            .IsRefusal(400, "validation_failed");
        // A mail whose acknowledgement came too late is sent again.
        Assert.Equal(3, mail.Messages().Select(TokenOf).Distinct(StringComparer.Ordinal).Count());
    }

    [Fact]
    public async Task Of_many_who_use_it_at_once_one_succeeds()
    {
        await using var mail = await MailServer.StartAsync();
        await using var server = await StartAsync(mail);
        var user = await server.RegisterAsync();
        await ForgotAsync(server, user.Email);
        var token = TokenOf(await mail.MessageAsync(1));

        var replies = await Task.WhenAll(Enumerable.Range(0, 8).Select(number => server.PostAsync(
            "/api/auth/reset-password", new { token, new_password = $"{NewPassword} {number}" })));

        Assert.Single(replies, reply => reply.Status == 200);
        Assert.Equal(7, replies.Count(reply => reply.Status == 400));
    }

    [Fact]
    public async Task A_mail_server_that_comes_back_gets_what_waited()
    {
        await using var mail = await MailServer.StartAsync();
        await mail.StopAsync();
        await using var server = await StartAsync(mail);
        var user = await server.RegisterAsync();

        (await ForgotAsync(server, user.Email)).IsSuccess();
        await mail.StartProcessAsync();

        TokenOf(await mail.MessageAsync(1));
    }

    [Fact]
    public async Task Without_a_mail_server_the_call_says_so()
    {
        await using var server = await StartedAsync();

        (await ForgotAsync(server, "somebody@example.com")).IsRefusal(503, "mail_unavailable");
    }

    protected abstract ServerUnderTest NewServer();

    private Task<ServerUnderTest> StartAsync(MailServer mail) =>
        StartedAsync(("SMTP_URL", mail.Url), ("MAIL_FROM", "no-reply@rescind.example"));

    private async Task<ServerUnderTest> StartedAsync(params (string Name, string? Value)[] settings)
    {
        var server = NewServer();
        await server.StartWithAsync(settings);
        return server;
    }

    private static Task<Reply> ForgotAsync(ServerUnderTest server, string email) =>
        server.PostAsync("/api/auth/forgot-password", new { email });

    private static string TokenOf(string message) => Code().Match(message).Value;

    [GeneratedRegex("(?m)^[A-Za-z0-9_-]{43}(?=\r?$)")]
    private static partial Regex Code();
}

public sealed class PasswordResetTestsOnSqlite : PasswordResetTests
{
    protected override ServerUnderTest NewServer() => new();
}

public sealed class PasswordResetTestsOnPostgres(PostgresServer postgres) : PasswordResetTests
{
    protected override ServerUnderTest NewServer() => new ServerOnPostgres(postgres);
}
