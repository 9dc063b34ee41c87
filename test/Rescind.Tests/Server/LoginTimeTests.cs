using System.Diagnostics;
using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.DependencyInjection;
using Rescind.Server.Database;

namespace Rescind.Tests.Server;

/// <summary>Whether an account exists shows neither in the words of a failed log-in nor in its time.</summary>
public sealed class LoginTimeTests(ITestOutputHelper output)
{
    private const int Rounds = 200;

    /// <summary>Known and unknown accounts in turn, hashed with the iterations of production; the medians of such
    /// pairs are compared, which a machine that stalls does not move.</summary>
    [Fact]
    public async Task A_known_and_an_unknown_account_take_the_same_time()
    {
        await using var server = new ServerUnderTest { Iterations = 100_000 };
        await server.StartWithAsync();
        for (var i = 0; i < Rounds; i++)
        {
            await server.Services.GetRequiredService<AccountStore>().WriteAsync(
                async db =>
                {
                    var one = await db.Accounts.AsNoTracking().FirstAsync();
                    db.Accounts.Add(new Rescind.Server.Accounts.Account
                    {
                        Id = $"user-{i}", Email = $"{i}@example.com", NormalizedEmail = $"{i}@EXAMPLE.COM",
                        PasswordHash = one.PasswordHash, CreatedAt = one.CreatedAt,
                    });
                    return await db.SaveChangesAsync();
                },
                CancellationToken.None);
        }
        var (known, unknown) = (new List<double>(), new List<double>());
        for (var i = 0; i < Rounds; i++)
        {
            known.Add(await TimeAsync(server, $"{i}@example.com"));
            unknown.Add(await TimeAsync(server, $"{i}@nowhere.example"));
        }

        var (one, other) = (Median(known[20..]), Median(unknown[20..]));
        output.WriteLine($"Failed log-ins, median of {Rounds - 20}: known {one:n2} ms, unknown {other:n2} ms");
        Assert.InRange(one / other, 0.9, 1.1);
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
