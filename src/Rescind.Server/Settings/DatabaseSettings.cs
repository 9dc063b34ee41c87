using Npgsql;

namespace Rescind.Server.Settings;

/// <summary>The PostgreSQL that the nodes share for users, sessions and the audit trail.</summary>
/// <param name="ConnectionString">As Npgsql takes it; may hold a password.</param>
internal sealed record DatabaseSettings(string ConnectionString)
{
    private const string Variable = "DATABASE_URL";
    private const string Remedy = "write postgresql://user:password@host:5432/database";

    /// <summary>Spellings of the libpq and asyncpg world that Npgsql calls otherwise.</summary>
    private static readonly Dictionary<string, string> Names = new(StringComparer.OrdinalIgnoreCase)
    {
        ["ssl"] = "SSL Mode", ["sslmode"] = "SSL Mode", ["sslrootcert"] = "Root Certificate",
        ["sslcert"] = "SSL Certificate", ["sslkey"] = "SSL Key", ["connect_timeout"] = "Timeout",
        ["application_name"] = "Application Name", ["options"] = "Options",
        ["target_session_attrs"] = "Target Session Attributes",
    };

    /// <summary>Reads the variable; null: it is not set, and the accounts are in a file.</summary>
    public static DatabaseSettings? Read(Variables variables)
    {
        if (variables.Secret(Variable) is not { } text)
        {
            return null;
        }
        if (!Uri.TryCreate(text, UriKind.Absolute, out var url)
            || url.Scheme is not ("postgresql" or "postgres" or "postgresql+asyncpg"))
        {
            throw new StartRefusedException(Variable, "it is not the address of a PostgreSQL", Remedy);
        }

        // Raw or as %00: PostgreSQL ends every text at it, and Npgsql throws what is no line for an operator.
        if (Uri.UnescapeDataString(text).Contains('\0', StringComparison.Ordinal))
        {
            throw new StartRefusedException(Variable, "it holds U+0000", Remedy);
        }
        var parts = url.UserInfo.Split(':', 2);
        var database = Uri.UnescapeDataString(url.AbsolutePath.TrimStart('/'));
        if (url.Host.Length == 0 || parts[0].Length == 0 || database.Length == 0)
        {
            throw new StartRefusedException(Variable, "it lacks the user, the host or the database", Remedy);
        }

        // Short waits: what needs the database is told that it is away, and nothing else waits for it. A
        // small pool: several nodes share a server whose usual limit is 100 connections. A frozen server
        // costs 11 s on a connection that is open: the command, and then the request to cancel it.
        var builder = new NpgsqlConnectionStringBuilder
        {
            Host = url.Host.Trim('[', ']'), Port = url.Port > 0 ? url.Port : 5432, Database = database,
            Username = Uri.UnescapeDataString(parts[0]),
            Password = parts.Length == 2 ? Uri.UnescapeDataString(parts[1]) : null,
            Timeout = 3, CommandTimeout = 5, CancellationTimeout = 500, MaxPoolSize = 20, KeepAlive = 30,
            ApplicationName = "rescind",
        };
        foreach (var option in url.Query.TrimStart('?').Split('&', StringSplitOptions.RemoveEmptyEntries))
        {
            Set(builder, option);
        }
        return new DatabaseSettings(builder.ConnectionString);
    }

    // A record prints its members, and this one may hold a password.
    public override string ToString() => nameof(DatabaseSettings);

    private static void Set(NpgsqlConnectionStringBuilder builder, string option)
    {
        var pair = option.Split('=', 2);
        var name = Uri.UnescapeDataString(pair[0]);
        var value = pair.Length == 2 ? Uri.UnescapeDataString(pair[1]) : "";
        var key = Names.GetValueOrDefault(name, name);
        try
        {
            builder[key] = key != "SSL Mode" ? value : value switch
            {
                "true" => "Require",
                "false" => "Disable",
                _ => value.Replace("-", "", StringComparison.Ordinal),
            };
        }
        catch (Exception fault) when (fault is ArgumentException or FormatException or KeyNotFoundException
            or InvalidCastException or NotSupportedException)
        {
            throw new StartRefusedException(
                Variable, "one of its options is not known, or the option's value is wrong",
                "remove or correct it, for example ?sslmode=require");
        }
    }
}
