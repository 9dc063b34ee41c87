using System.CommandLine;
using Npgsql;
using Rescind.Server.Settings;

namespace Rescind.Cli;

/// <summary><c>rescind import users</c>: reads the users of another service from its PostgreSQL, and hands
/// them to the server. Nothing is written to the other database; running it again changes nothing.</summary>
internal static class ImportUsers
{
    private const int Page = 1_000;

    private static readonly Option<string?> From = new("--from")
    {
        Description = "The other service's database, postgresql://user:password@host/name?sslmode=require; "
            + "or IMPORT_URL.",
        DefaultValueFactory = _ => Environment.GetEnvironmentVariable("IMPORT_URL"),
    };

    private static readonly Option<string> Table = Named("--table", "users", "Its table of users.");
    private static readonly Option<string> Id = Named("--id-column", "id", "The id, the sub of tokens.");
    private static readonly Option<string> Email = Named("--email-column", "email", "The e-mail address.");
    private static readonly Option<string> Hash =
        Named("--hash-column", "hashed_password", "Its bcrypt hash.");
    private static readonly Option<string> Admin = Named("--admin-column", "is_admin", "The admin flag.");
    private static readonly Option<string> Version =
        Named("--version-column", "token_version", "The version of the user's tokens.");

    public static Command Command(Connect connect)
    {
        var command = new Command(
            "users", "Takes over users with their bcrypt hashes; nobody has to log in again.")
        {
            From, Table, Id, Email, Hash, Admin, Version,
        };
        command.SetAction(async (result, cancel) =>
        {
            using var client = await connect(result, cancel);
            try
            {
                return await RunAsync(client, result, cancel);
            }
            catch (Exception fault) when (fault is NpgsqlException or FormatException or InvalidCastException)
            {
                throw new RefusedException($"The other database: {fault.Message}");
            }
        });
        return command;
    }

    private static async Task<int> RunAsync(AdminClient client, ParseResult result, CancellationToken cancel)
    {
        await using var source = NpgsqlDataSource.Create(ConnectionString(result.GetValue(From)));
        var (imported, known, rejected) = (0, 0, 0);
        await foreach (var page in PagesAsync(source, result, cancel))
        {
            var answer = await client.SendAsync(
                HttpMethod.Post, "/api/auth/admin/import-users", new { users = page }, cancel);
            imported += answer.GetProperty("imported").GetInt32();
            known += answer.GetProperty("known").GetInt32();
            foreach (var wrong in answer.GetProperty("rejected").EnumerateArray())
            {
                rejected++;
                var id = page[wrong.GetProperty("index").GetInt32()].Id;
                Console.WriteLine($"rejected {id}: {wrong.GetProperty("reason").GetString()}");
            }
        }
        Console.WriteLine($"{imported} imported, {known} were there already, {rejected} rejected");
        return rejected == 0 ? 0 : 1;
    }

    private static async IAsyncEnumerable<List<User>> PagesAsync(
        NpgsqlDataSource source, ParseResult result,
        [System.Runtime.CompilerServices.EnumeratorCancellation] CancellationToken cancel)
    {
        string Column(Option<string> option) => Quoted(result.GetValue(option)!);
        await using var command = source.CreateCommand(
            $"SELECT {Column(Id)}::text, {Column(Email)}::text, {Column(Hash)}::text, "
            + $"{Column(Admin)}::boolean, {Column(Version)}::integer "
            + $"FROM {Column(Table)} ORDER BY {Column(Id)}");
        await using var rows = await command.ExecuteReaderAsync(cancel);
        var page = new List<User>();
        while (await rows.ReadAsync(cancel))
        {
            page.Add(new User(
                rows.GetString(0), Text(rows, 1), Text(rows, 2), !rows.IsDBNull(3) && rows.GetBoolean(3),
                rows.IsDBNull(4) ? 0 : rows.GetInt32(4)));
            if (page.Count == Page)
            {
                yield return page;
                page = [];
            }
        }
        if (page.Count > 0)
        {
            yield return page;
        }
    }

    private sealed record User(
        string Id, string? Email, string? PasswordHash, bool IsAdmin, int TokenVersion);

    private static string? Text(NpgsqlDataReader rows, int column) =>
        rows.IsDBNull(column) ? null : rows.GetString(column);

    /// <summary>A name as SQL takes it, also with a schema in front.</summary>
    private static string Quoted(string name) => string.Join(
        '.', name.Split('.')
            .Select(part => '"' + part.Replace("\"", "\"\"", StringComparison.Ordinal) + '"'));

    /// <summary>An address with its options, as the server reads DATABASE_URL.</summary>
    /// <exception cref="RefusedException">It is none, or has an option that is not known.</exception>
    internal static string ConnectionString(string? url)
    {
        var builder = new NpgsqlConnectionStringBuilder();
        return PostgresUrl.Read(url, builder) is { } fault
            ? throw new RefusedException($"--from: {fault.Wrong}; {fault.Remedy}.")
            : builder.ConnectionString;
    }

    private static Option<string> Named(string name, string byDefault, string description) => new(name)
    {
        Description = $"{description} Default: {byDefault}.", DefaultValueFactory = _ => byDefault,
    };
}
