using System.Globalization;
using Microsoft.Data.Sqlite;

namespace Rescind;

/// <summary>
/// Records in the same file as the log, and in the same commit when both are written at once. Listed newest
/// first by row number, which is also the cursor, so pages join without gaps while new records arrive.
/// Records of tokens and sessions go 400 days after they were made; those of cutoffs and keys stay as long as
/// the file.
/// </summary>
internal sealed class SqliteRecords(SqliteFile file, GroupCommit commits) : IRevocationRecords
{
    /// <summary>How many records go in one transaction.</summary>
    public const int ForgetStep = 5000;

    private const int KeptDays = 400;

    private const string Columns =
        "id, kind, issuer, value, issued_before, expires_at, reason, actor, note, made_at, lifted_at, "
        + "lifted_by, lift_reason";

    /// <summary>A lift stays, and what stands in for a record gives way, whichever came first; see
    /// <see cref="IRevocationRecords.AddAsync"/>.</summary>
    private static readonly string Merge = string.Join(", ",
    [
        .. new[] { "issuer", "value", "issued_before", "expires_at", "reason", "actor", "note", "made_at" }
            .Select(name => $"{name} = CASE WHEN excluded.reason = 'not_recorded' AND excluded.actor = '' "
                + $"THEN records.{name} ELSE excluded.{name} END"),
        .. new[] { "lifted_at", "lifted_by", "lift_reason" }.Select(name => $"{name} = CASE WHEN "
            + $"records.lifted_at IS NULL THEN excluded.{name} ELSE records.{name} END"),
    ]);

    private readonly Lock _reading = new();

    public async ValueTask AddAsync(IReadOnlyList<Revocation> records, CancellationToken cancel) =>
        await commits.DoAsync(connection => Insert(connection, records), cancel);

    public ValueTask<IReadOnlyList<Revocation>> FindAsync(
        IReadOnlyList<RevocationId> ids, CancellationToken cancel)
    {
        var found = new List<Revocation>(ids.Count);
        lock (_reading)
        {
            foreach (var id in ids)
            {
                found.AddRange(Select(
                    $"SELECT number, {Columns} FROM records WHERE id = @id", [("@id", id.ToString())])
                    .Select(row => row.Record));
            }
        }
        return ValueTask.FromResult<IReadOnlyList<Revocation>>(found);
    }

    public ValueTask<RevocationPage> ListAsync(RevocationQuery query, CancellationToken cancel)
    {
        var before = long.MaxValue;
        if (query.Cursor is { } cursor
            && !long.TryParse(cursor, NumberStyles.None, CultureInfo.InvariantCulture, out before))
        {
            throw new ArgumentException("The cursor is not one that a page gave.", nameof(query));
        }
        (string Condition, string Name, object? Value)[] filters =
        [
            ("number < @before", "@before", before), ("kind = @kind", "@kind", (long?)query.Kind),
            ("issuer = @issuer", "@issuer", query.Issuer), ("value = @value", "@value", query.Value),
            ("reason = @reason", "@reason", query.Reason),
            ("made_at >= @since", "@since", query.Since?.ToUnixTimeMilliseconds()),
            ("made_at < @until", "@until", query.Until?.ToUnixTimeMilliseconds()),
        ];
        var asked = filters.Where(filter => filter.Value is not null).ToList();
        var sql = $"SELECT number, {Columns} FROM records WHERE "
            + string.Join(" AND ", asked.Select(filter => filter.Condition))
            + $" ORDER BY number DESC LIMIT {query.Limit + 1}";
        lock (_reading)
        {
            var rows = Select(sql, asked.Select(filter => (filter.Name, filter.Value!)));
            var page = rows.Take(query.Limit).ToList();
            return ValueTask.FromResult(new RevocationPage(
                [.. page.Select(row => row.Record)],
                rows.Count > query.Limit ? page[^1].Number.ToString(CultureInfo.InvariantCulture) : null));
        }
    }

    /// <summary>Drops records that are past their time, a step of them; part of compaction.</summary>
    internal static int Forget(SqliteConnection connection, DateTimeOffset now)
    {
        using var command = connection.CreateCommand();
        command.CommandText = "DELETE FROM records WHERE number IN (SELECT number FROM records "
            + "WHERE kind <= @session AND max(made_at, coalesce(expires_at, 0)) < @before "
            + $"LIMIT {ForgetStep})";
        command.Parameters.AddWithValue("@session", (long)RuleKind.Session);
        command.Parameters.AddWithValue("@before", now.AddDays(-KeptDays).ToUnixTimeMilliseconds());
        return command.ExecuteNonQuery();
    }

    private static int Insert(SqliteConnection connection, IReadOnlyList<Revocation> records)
    {
        using var command = connection.CreateCommand();
        command.CommandText = $"INSERT INTO records ({Columns}) VALUES (@id, @kind, @issuer, @value, "
            + "@issued_before, @expires_at, @reason, @actor, @note, @made_at, @lifted_at, @lifted_by, "
            + "@lift_reason) ON CONFLICT (id) DO UPDATE SET " + Merge;
        foreach (var record in records)
        {
            command.Parameters.Clear();
            foreach (var (name, value) in ValuesOf(record))
            {
                command.Parameters.AddWithValue(name, value ?? DBNull.Value);
            }
            command.ExecuteNonQuery();
        }
        return records.Count;
    }

    private static (string Name, object? Value)[] ValuesOf(Revocation record) =>
    [
        ("@id", record.Id.ToString()), ("@kind", (long)record.Kind), ("@issuer", record.Issuer),
        ("@value", record.Value), ("@issued_before", record.IssuedBefore?.ToUnixTimeMilliseconds()),
        ("@expires_at", record.ExpiresAt?.ToUnixTimeMilliseconds()), ("@reason", record.Reason),
        ("@actor", record.Actor), ("@note", record.Note),
        ("@made_at", record.MadeAt.ToUnixTimeMilliseconds()),
        ("@lifted_at", record.LiftedAt?.ToUnixTimeMilliseconds()), ("@lifted_by", record.LiftedBy),
        ("@lift_reason", record.LiftReason),
    ];

    private List<(long Number, Revocation Record)> Select(
        string sql, IEnumerable<(string Name, object Value)> parameters)
    {
        try
        {
            using var command = file.Records.CreateCommand();
            command.CommandText = sql;
            foreach (var (name, value) in parameters)
            {
                command.Parameters.AddWithValue(name, value);
            }
            using var rows = command.ExecuteReader();
            var found = new List<(long, Revocation)>();
            while (rows.Read())
            {
                found.Add((rows.GetInt64(0), RecordOf(rows)));
            }
            return found;
        }
        catch (Exception fault) when (SqliteFile.IsOfFile(fault, file.Records))
        {
            throw SqliteFile.Explained(file.Path, fault);
        }
    }

    private Revocation RecordOf(SqliteDataReader row)
    {
        if (!RevocationId.TryParse(row.GetString(1), out var id))
        {
            throw new IOException(
                $"'{file.Path}' holds a record with an id that is none. Restore it from a backup.");
        }
        return Revocation.Of((RuleKind)row.GetInt64(2), row.GetString(3), row.GetString(4)) with
        {
            Id = id, IssuedBefore = TimeOf(row, 5), ExpiresAt = TimeOf(row, 6), Reason = row.GetString(7),
            Actor = row.GetString(8), Note = TextOf(row, 9), MadeAt = TimeOf(row, 10)!.Value,
            LiftedAt = TimeOf(row, 11), LiftedBy = TextOf(row, 12), LiftReason = TextOf(row, 13),
        };
    }

    private static DateTimeOffset? TimeOf(SqliteDataReader row, int column) =>
        row.IsDBNull(column) ? null : DateTimeOffset.FromUnixTimeMilliseconds(row.GetInt64(column));

    private static string? TextOf(SqliteDataReader row, int column) =>
        row.IsDBNull(column) ? null : row.GetString(column);
}
