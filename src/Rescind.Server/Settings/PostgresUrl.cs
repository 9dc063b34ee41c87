using Npgsql;

namespace Rescind.Server.Settings;

/// <summary>The address of a PostgreSQL as libpq and SQLAlchemy (postgresql+asyncpg) write it. Compiled into
/// the command line too.</summary>
internal static class PostgresUrl
{
    private const string Remedy = "write postgresql://user:password@host:5432/database";

    /// <summary>Spellings of the libpq and asyncpg world that Npgsql calls otherwise.</summary>
    private static readonly Dictionary<string, string> Names = new(StringComparer.OrdinalIgnoreCase)
    {
        ["ssl"] = "SSL Mode", ["sslmode"] = "SSL Mode", ["sslrootcert"] = "Root Certificate",
        ["sslcert"] = "SSL Certificate", ["sslkey"] = "SSL Key", ["connect_timeout"] = "Timeout",
        ["application_name"] = "Application Name", ["options"] = "Options",
        ["target_session_attrs"] = "Target Session Attributes", ["channel_binding"] = "Channel Binding",
        ["sslpassword"] = "SSL Password",
    };

    /// <summary>Reads an address into a builder, over what stands there already.</summary>
    /// <returns>What is wrong, without any part of the address, and what to write instead; null: nothing.
    /// </returns>
    public static (string Wrong, string Remedy)? Read(string? text, NpgsqlConnectionStringBuilder into)
    {
        if (!Uri.TryCreate(text, UriKind.Absolute, out var url)
            || !(url.Scheme is "postgresql" or "postgres"
                || url.Scheme.StartsWith("postgresql+", StringComparison.Ordinal)))
        {
            return ("it is not the address of a PostgreSQL", Remedy);
        }

        // Raw or as %00: PostgreSQL ends every text at it, and Npgsql throws what is no line for an operator.
        if (Uri.UnescapeDataString(text).Contains('\0', StringComparison.Ordinal))
        {
            return ("it holds U+0000", Remedy);
        }
        var parts = url.UserInfo.Split(':', 2);
        var database = Uri.UnescapeDataString(url.AbsolutePath.TrimStart('/'));
        if (url.Host.Length == 0 || parts[0].Length == 0 || database.Length == 0)
        {
            return ("it lacks the user, the host or the database", Remedy);
        }
        into.Host = url.Host.Trim('[', ']');
        into.Port = url.Port > 0 ? url.Port : 5432;
        into.Database = database;
        into.Username = Uri.UnescapeDataString(parts[0]);
        into.Password = parts.Length == 2 ? Uri.UnescapeDataString(parts[1]) : null;
        return url.Query.TrimStart('?').Split('&', StringSplitOptions.RemoveEmptyEntries)
            .All(option => TrySet(into, option))
                ? null
                : ("one of its options is not known, or the option's value is wrong",
                    "remove or correct it, for example ?sslmode=require");
    }

    private static bool TrySet(NpgsqlConnectionStringBuilder builder, string option)
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
            return true;
        }
        catch (Exception fault) when (fault is ArgumentException or FormatException or KeyNotFoundException
            or InvalidCastException or NotSupportedException)
        {
            return false;
        }
    }
}
