using System.Globalization;
using System.Text.RegularExpressions;
using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.DependencyInjection;
using Rescind.Server.Database;

[assembly: AssemblyFixture(typeof(Rescind.Tests.Server.PostgresServer))]

namespace Rescind.Tests.Server;

/// <summary>The whole server on a PostgreSQL database of its own.</summary>
public sealed partial class ServerOnPostgres(PostgresServer postgres) : ServerUnderTest
{
    public PostgresServer Postgres => postgres;

    public override async ValueTask InitializeAsync()
    {
        if (!IsSet("DATABASE_URL"))
        {
            Set(("DATABASE_URL", await postgres.NewDatabaseAsync()));
        }
        await base.InitializeAsync();
    }

    /// <summary>The clock of PostgreSQL cannot be moved, so what it told is.</summary>
    public override async Task PassAsync(TimeSpan time)
    {
        await base.PassAsync(time);
        await Services.GetRequiredService<AccountStore>().WriteAsync(
            async db =>
            {
                foreach (var session in await db.Sessions.Where(row => row.JustRotated != "").ToListAsync())
                {
                    session.JustRotated = Times().Replace(session.JustRotated, at =>
                        $"@{long.Parse(at.ValueSpan[1..], CultureInfo.InvariantCulture) - (long)time.TotalMilliseconds}");
                }
                return await db.SaveChangesAsync();
            },
            CancellationToken.None);
    }

    [GeneratedRegex("@[0-9]+")]
    private static partial Regex Times();
}
