using System.Diagnostics;
using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.DependencyInjection;
using Rescind.Server.Accounts;
using Rescind.Server.Database;

namespace Rescind.Tests.Server;

/// <summary>Whether an account exists shows neither in the words of a failed log-in nor in its time.</summary>
public sealed class LoginTimeTests(ITestOutputHelper output)
{
    private const int Rounds = 200;

    /// <summary>Known and unknown accounts in turn, hashed with so many iterations that the hash outweighs
    /// everything else by far; the medians of such pairs are compared, which a machine that stalls does not move.</summary>
    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task A_known_and_an_unknown_account_take_the_same_time(bool areImported)
    {
        await using var server = new ServerUnderTest { Iterations = 30_000 };
        await server.StartWithAsync();
        await AddAccountsAsync(server, areImported ? BCrypt.Net.BCrypt.HashPassword("password", 7) : null);
        var (known, unknown) = (new List<double>(), new List<double>());
        for (var i = 0; i < Rounds; i++)
        {
            known.Add(await TimeAsync(server, $"{i}@example.com"));
            unknown.Add(await TimeAsync(server, $"{i}@nowhere.example"));
        }

        var (one, other) = (Median(known[20..]), Median(unknown[20..]));
        output.WriteLine(
            $"Failed log-ins, median of {Rounds - 20}, {(areImported ? "bcrypt" : "own hash")}: "
            + $"known {one:n2} ms, unknown {other:n2} ms");
        Assert.InRange(one / other, 0.9, 1.1);
    }

    /// <summary>As many of the unknown addresses cost a bcrypt hash as accounts have one, and always the
    /// same addresses.</summary>
    [Fact]
    public async Task Unknown_addresses_are_spread_over_the_formats_as_accounts_are()
    {
        await using var server = new ServerUnderTest();
        await server.StartWithAsync();
        var strangers = server.Services.GetRequiredService<Strangers>();
        List<string> Formats() => [.. Enumerable.Range(0, 2_000)
            .Select(i => strangers.For($"{i}@NOWHERE.EXAMPLE").PasswordHash)];
        Assert.DoesNotContain(Formats(), PasswordFormats.IsBcrypt);

        await AddAccountsAsync(server, BCrypt.Net.BCrypt.HashPassword("password", 5));
        await AddAccountsAsync(server, hash: null, "own");
        await strangers.LearnAsync(CancellationToken.None);

        var formats = Formats();
        Assert.InRange(formats.Count(PasswordFormats.IsBcrypt), 850, 1_150);
        Assert.All(formats.Where(PasswordFormats.IsBcrypt), hash => Assert.Contains("$05$", hash));
        Assert.Equal(formats, Formats());
        await strangers.LearnAsync(CancellationToken.None);
        Assert.Equal(formats, Formats());
    }

    /// <param name="server">Where.</param>
    /// <param name="hash">Of their passwords; null: as the administrator's.</param>
    /// <param name="domain">Told apart by it.</param>
    private static async Task AddAccountsAsync(ServerUnderTest server, string? hash, string domain = "example")
    {
        await server.Services.GetRequiredService<AccountStore>().WriteAsync(
            async db =>
            {
                var one = await db.Accounts.AsNoTracking().FirstAsync(account => account.IsAdmin);
                db.Accounts.AddRange(Enumerable.Range(0, Rounds).Select(i => new Account
                {
                    Id = $"{domain}-{i}", Email = $"{i}@{domain}.com",
                    NormalizedEmail = Credentials.Normalize($"{i}@{domain}.com"), PasswordHash = hash ?? one.PasswordHash,
                    CreatedAt = one.CreatedAt,
                }));
                return await db.SaveChangesAsync();
            },
            CancellationToken.None);
        await server.Services.GetRequiredService<Strangers>().LearnAsync(CancellationToken.None);
    }

    private static async Task<double> TimeAsync(ServerUnderTest server, string email)
    {
        var begun = Stopwatch.GetTimestamp();
        var reply = await server.PostAsync("/api/auth/login", new { email, password = "a wrong password" });
        var time = Stopwatch.GetElapsedTime(begun).TotalMilliseconds;
        reply.IsRefusal(401, "invalid_credentials");
        Assert.Equal("The e-mail address or the password is wrong.", reply.Detail);
        return time;
    }

    private static double Median(List<double> times) => times.Order().ElementAt(times.Count / 2);
}
