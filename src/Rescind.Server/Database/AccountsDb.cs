// The tables of the server: users, their sessions, what was mailed to them, and the audit trail. One model
// for both databases; times are kept in UTC. In PostgreSQL everything stands in a schema of its own, with
// names as SQL people write them, so that an existing database needs no change.
using Microsoft.EntityFrameworkCore;
using Microsoft.EntityFrameworkCore.Storage.ValueConversion;
using Rescind.Server.Accounts;
using Rescind.Server.Audit;
using Rescind.Server.Records;

namespace Rescind.Server.Database;

internal abstract class AccountsDb(DbContextOptions options) : DbContext(options)
{
    private const int LongestId = 64;

    /// <summary>What the clock of the database said when its transaction began, and this node's monotonic
    /// clock just before; null: the database is a file of this node, and has its clock.</summary>
    public (DateTime Time, long Timestamp)? Began { get; set; }

    /// <summary>The time by the clock of the database, which all nodes share; null as above.</summary>
    public DateTime? TimeOf(TimeProvider clock) =>
        Began is { } began ? began.Time + clock.GetElapsedTime(began.Timestamp) : null;

    public DbSet<Account> Accounts => Set<Account>();

    public DbSet<Session> Sessions => Set<Session>();

    public DbSet<PasswordReset> PasswordResets => Set<PasswordReset>();

    public DbSet<AuditRow> AuditEvents => Set<AuditRow>();

    public DbSet<AuditAnchor> AuditAnchors => Set<AuditAnchor>();

    public DbSet<RevocationRow> Revocations => Set<RevocationRow>();

    public DbSet<Mark> Marks => Set<Mark>();

    protected override void OnModelCreating(ModelBuilder modelBuilder)
    {
        modelBuilder.Entity<Account>(account =>
        {
            account.ToTable("accounts");
            account.Property(a => a.Id).HasMaxLength(LongestId);
            account.Property(a => a.Email).HasMaxLength(Credentials.LongestEmail);
            account.Property(a => a.NormalizedEmail).HasMaxLength(Credentials.LongestEmail);
            account.HasIndex(a => a.NormalizedEmail).IsUnique();
        });
        modelBuilder.Entity<Session>(session =>
        {
            session.ToTable("sessions");
            session.Property(s => s.Id).HasMaxLength(LongestId);
            session.HasIndex(s => new { s.AccountId, s.EndedAt });
            session.HasIndex(s => s.ExpiresAt);
            session.HasOne<Account>().WithMany().HasForeignKey(s => s.AccountId)
                .OnDelete(DeleteBehavior.Cascade);
        });
        modelBuilder.Entity<PasswordReset>(reset =>
        {
            reset.ToTable("password_resets");
            reset.HasKey(r => r.Hash);
            reset.Property(r => r.Hash).HasMaxLength(LongestId);
            reset.HasIndex(r => r.AccountId);
            reset.HasOne<Account>().WithMany().HasForeignKey(r => r.AccountId)
                .OnDelete(DeleteBehavior.Cascade);
        });
        modelBuilder.Entity<Mark>(mark =>
        {
            mark.ToTable("marks");
            mark.HasKey(m => m.Name);
        });
        modelBuilder.Entity<RevocationRow>(row =>
        {
            row.ToTable("revocations");
            row.Ignore(r => r.StandsIn);
            row.Property(r => r.Kind).HasConversion<string>();

            // Of two lifts at once the second is told, and asks anew.
            row.Property(r => r.LiftedAt).IsConcurrencyToken();
            row.HasIndex(r => new { r.MadeAt, r.Id });
            row.HasIndex(r => r.Value);
        });
        AuditTables(modelBuilder);
    }

    /// <summary>No reference to the accounts: what happened stays true when the account is gone.</summary>
    private static void AuditTables(ModelBuilder modelBuilder)
    {
        modelBuilder.Entity<AuditRow>(row =>
        {
            row.ToTable("audit_events");
            row.Ignore(r => r.Record);
            row.HasKey(r => new { r.Chain, r.Number });
            row.HasIndex(r => new { r.Timestamp, r.Chain, r.Number });
            row.HasIndex(r => new { r.UserId, r.Timestamp });
            row.HasIndex(r => new { r.EventType, r.Timestamp });
        });
        modelBuilder.Entity<AuditAnchor>(anchor =>
        {
            anchor.ToTable("audit_anchors");
            anchor.HasKey(a => a.Chain);

            // Retention at once on two nodes: the second is told, and asks anew.
            anchor.Property(a => a.Number).IsConcurrencyToken();
        });
    }

    protected override void ConfigureConventions(ModelConfigurationBuilder configurationBuilder) =>
        configurationBuilder.Properties<DateTime>().HaveConversion<Utc>();

    private sealed class Utc() : ValueConverter<DateTime, DateTime>(
        time => time, time => DateTime.SpecifyKind(time, DateTimeKind.Utc));
}
