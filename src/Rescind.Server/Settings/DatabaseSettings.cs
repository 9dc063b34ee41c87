using Npgsql;

namespace Rescind.Server.Settings;

/// <summary>The PostgreSQL that the nodes share for users, sessions and the audit trail.</summary>
/// <param name="ConnectionString">As Npgsql takes it; may hold a password.</param>
internal sealed record DatabaseSettings(string ConnectionString)
{
    private const string Variable = "DATABASE_URL";

    /// <summary>Reads the variable; null: it is not set, and the accounts are in a file.</summary>
    public static DatabaseSettings? Read(Variables variables)
    {
        if (variables.Secret(Variable) is not { } text)
        {
            return null;
        }

        // Short waits: what needs the database is told that it is away, and nothing else waits for it. A
        // small pool: several nodes share a server whose usual limit is 100 connections. A frozen server
        // costs 11 s on a connection that is open: the command, and then the request to cancel it.
        var builder = new NpgsqlConnectionStringBuilder
        {
            Timeout = 3, CommandTimeout = 5, CancellationTimeout = 500, MaxPoolSize = 20, KeepAlive = 30,
            ApplicationName = "rescind",
        };
        return PostgresUrl.Read(text, builder) is { } fault
            ? throw new StartRefusedException(Variable, fault.Wrong, fault.Remedy)
            : new DatabaseSettings(builder.ConnectionString);
    }

    // A record prints its members, and this one may hold a password.
    public override string ToString() => nameof(DatabaseSettings);
}
