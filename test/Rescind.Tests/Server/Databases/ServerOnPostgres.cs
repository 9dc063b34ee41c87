[assembly: AssemblyFixture(typeof(Rescind.Tests.Server.PostgresServer))]

namespace Rescind.Tests.Server;

/// <summary>The whole server on a PostgreSQL database of its own.</summary>
public sealed class ServerOnPostgres(PostgresServer postgres) : ServerUnderTest
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
}
