using Microsoft.Data.Sqlite;
using Microsoft.EntityFrameworkCore;
using Microsoft.EntityFrameworkCore.Design;
using Microsoft.EntityFrameworkCore.Metadata;
using Rescind.Server.Records;
using Rescind.Server.Settings;

namespace Rescind.Server.Database;

/// <summary>The accounts in one SQLite file of this node: the default.</summary>
internal sealed class SqliteDb(DbContextOptions<SqliteDb> options) : AccountsDb(options)
{
    public const string FileName = "accounts.db";

    /// <summary>Opened without "create", so that a file that vanished is an outage and not an empty
    /// database.</summary>
    public static void Configure(DbContextOptionsBuilder db, DataFolder data) => db.UseSqlite(
        new SqliteConnectionStringBuilder
        {
            DataSource = data.PathOf(FileName),
            Mode = SqliteOpenMode.ReadWrite,
            ForeignKeys = true,
            DefaultTimeout = 5,
        }.ToString());
}

/// <summary>The accounts in PostgreSQL, shared by all nodes.</summary>
internal sealed class PostgresDb(DbContextOptions<PostgresDb> options) : AccountsDb(options)
{
    public const string Schema = "rescind";

    public static void Configure(DbContextOptionsBuilder db, string connectionString) => db.UseNpgsql(
        connectionString,
        postgres => postgres.MigrationsHistoryTable("migrations", Schema).SetPostgresVersion(13, 0));

    protected override void OnModelCreating(ModelBuilder modelBuilder)
    {
        modelBuilder.HasDefaultSchema(Schema);
        base.OnModelCreating(modelBuilder);

        // Of a value only the hash: the longest do not fit into an ordered index, and one that was refused
        // would keep all events behind it out.
        modelBuilder.Entity<RevocationRow>().HasIndex(row => row.Value).HasMethod("hash");
        foreach (var property in modelBuilder.Model.GetEntityTypes().SelectMany(type => type.GetProperties()))
        {
            property.SetColumnName(SnakeCase(property.GetColumnName()));
        }
    }

    private static string SnakeCase(string name) => string.Concat(name.Select(
        (letter, index) => char.IsUpper(letter) ? (index > 0 ? "_" : "") + char.ToLowerInvariant(letter)
            : letter.ToString()));
}

/// <summary>Makes contexts of whichever database the server was told to use.</summary>
internal sealed class AccountsDbFactory(ServerSettings settings) : IDbContextFactory<AccountsDb>
{
    private readonly DbContextOptions<SqliteDb> _sqlite = OfSqlite(settings);
    private readonly DbContextOptions<PostgresDb>? _postgres = OfPostgres(settings);

    public AccountsDb CreateDbContext() =>
        _postgres is null ? new SqliteDb(_sqlite) : new PostgresDb(_postgres);

    private static DbContextOptions<SqliteDb> OfSqlite(ServerSettings settings)
    {
        var options = new DbContextOptionsBuilder<SqliteDb>();
        SqliteDb.Configure(options, settings.Data);
        return options.Options;
    }

    private static DbContextOptions<PostgresDb>? OfPostgres(ServerSettings settings)
    {
        if (settings.Database is not { } database)
        {
            return null;
        }
        var options = new DbContextOptionsBuilder<PostgresDb>();
        PostgresDb.Configure(options, database.ConnectionString);
        return options.Options;
    }
}

/// <summary>For <c>dotnet ef migrations add</c>, which needs a model and no database.</summary>
internal sealed class SqliteDbDesign : IDesignTimeDbContextFactory<SqliteDb>
{
    public SqliteDb CreateDbContext(string[] args) => new(
        new DbContextOptionsBuilder<SqliteDb>().UseSqlite("Data Source=design").Options);
}

/// <inheritdoc cref="SqliteDbDesign"/>
internal sealed class PostgresDbDesign : IDesignTimeDbContextFactory<PostgresDb>
{
    public PostgresDb CreateDbContext(string[] args)
    {
        var options = new DbContextOptionsBuilder<PostgresDb>();
        PostgresDb.Configure(options, "Host=design");
        return new PostgresDb(options.Options);
    }
}
