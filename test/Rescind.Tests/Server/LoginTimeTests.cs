using System.Diagnostics;
using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.DependencyInjection;
using Rescind.Server.Accounts;
using Rescind.Server.Database;

namespace Rescind.Tests.Server;

/// <summary>Whether an account exists shows neither in the words of a failed log-in nor in its time.</summary>
[Collection("alone")]
public sealed class LoginTimeTests(ITestOutputHelper output)
{
    private const int Rounds = 80;
    private const int Attempts = 5;

    /// <summary>Known and unknown accounts in pairs, each first as often as last, hashed with so many iterations
    /// that the hash outweighs everything else by far. What differs always differs in each of the attempts; what a
    /// busy machine adds does not come again, so one attempt without it is enough.</summary>
    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task A_known_and_an_unknown_account_take_the_same_time(bool areImported)
    {
        await using var server = new ServerUnderTest { Iterations = 30_000 };
        await server.StartWithAsync();
        await AddAccountsAsync(server, areImported ? BCrypt.Net.BCrypt.HashPassword("password", 7) : null);
        var ratios = new List<double>();
        for (var attempt = 0; attempt < Attempts && !ratios.Any(IsEven); attempt++)
        {
            var (known, unknown) = await MediansAsync(server, attempt);
            output.WriteLine(
                $"Failed log-ins, median of {Rounds}, {(areImported ? "bcrypt" : "own hash")}: "
                + $"known {known:n2} ms, unknown {unknown:n2} ms");
            ratios.Add(known / unknown);
        }
        Assert.Contains(ratios, IsEven);
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

    /// <summary>Another node has imported them; else this one compares none of the unknown with such a hash until its
    /// next hour, and the time tells who exists.</summary>
    [Fact]
    public async Task Whoever_compares_an_imported_hash_stands_in_for_the_others()
    {
        await using var server = new ServerUnderTest();
        await server.StartWithAsync();
        await AddAccountsAsync(server, BCrypt.Net.BCrypt.HashPassword("password", 5), learns: false);
        var strangers = server.Services.GetRequiredService<Strangers>();
        int Bcrypts() => Enumerable.Range(0, 200)
            .Count(i => PasswordFormats.IsBcrypt(strangers.For($"{i}@NOWHERE.EXAMPLE").PasswordHash));
        await TimeAsync(server, "0@nowhere.example");
        Assert.Equal(0, Bcrypts());

        await TimeAsync(server, "0@example.com");

        Assert.InRange(Bcrypts(), 190, 200);
    }

    /// <param name="server">Where.</param>
    /// <param name="hash">Of their passwords; null: as the administrator's.</param>
    /// <param name="domain">Told apart by it.</param>
    /// <param name="learns">Whether the server hears of them.</param>
    private static async Task AddAccountsAsync(
        ServerUnderTest server, string? hash, string domain = "example", bool learns = true)
    {
        await server.Services.GetRequiredService<AccountStore>().WriteAsync(
            async db =>
            {
                var one = await db.Accounts.AsNoTracking().FirstAsync(account => account.IsAdmin);
                db.Accounts.AddRange(Enumerable.Range(0, Rounds * Attempts).Select(i => new Account
                {
                    Id = $"{domain}-{i}", Email = $"{i}@{domain}.com",
                    NormalizedEmail = Credentials.Normalize($"{i}@{domain}.com"), PasswordHash = hash ?? one.PasswordHash,
                    CreatedAt = one.CreatedAt,
                }));
                return await db.SaveChangesAsync();
            },
            CancellationToken.None);
        if (learns)
        {
            await server.Services.GetRequiredService<Strangers>().LearnAsync(CancellationToken.None);
        }
    }

    private static bool IsEven(double ratio) => ratio is > 0.9 and < 1.1;

    /// <summary>Asks for other addresses in each attempt, so that none is locked out.</summary>
    private static async Task<(double Known, double Unknown)> MediansAsync(ServerUnderTest server, int attempt)
    {
        var (known, unknown) = (new List<double>(), new List<double>());
        for (var i = 0; i < Rounds; i++)
        {
            var number = attempt * Rounds + i;
            if (i % 2 == 0)
            {
                known.Add(await TimeAsync(server, $"{number}@example.com"));
            }
            unknown.Add(await TimeAsync(server, $"{number}@nowhere.example"));
            if (i % 2 != 0)
            {
                known.Add(await TimeAsync(server, $"{number}@example.com"));
            }
        }
        return (Median(known), Median(unknown));
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
