using Microsoft.EntityFrameworkCore;
using Microsoft.EntityFrameworkCore.Storage.ValueConversion;

namespace Rescind.Server.Accounts;

/// <summary>The tables of users and their sessions. Times are kept in UTC.</summary>
internal sealed class AccountsDb(DbContextOptions<AccountsDb> options) : DbContext(options)
{
    public DbSet<Account> Accounts => Set<Account>();

    public DbSet<Session> Sessions => Set<Session>();

    public DbSet<Mark> Marks => Set<Mark>();

    protected override void OnModelCreating(ModelBuilder modelBuilder)
    {
        modelBuilder.Entity<Account>(account =>
        {
            account.ToTable("accounts");
            account.Property(a => a.Id).HasMaxLength(64);
            account.Property(a => a.Email).HasMaxLength(Credentials.LongestEmail);
            account.Property(a => a.NormalizedEmail).HasMaxLength(Credentials.LongestEmail);
            account.HasIndex(a => a.NormalizedEmail).IsUnique();
        });
        modelBuilder.Entity<Session>(session =>
        {
            session.ToTable("sessions");
            session.Property(s => s.Id).HasMaxLength(64);
            session.HasIndex(s => new { s.AccountId, s.EndedAt });
            session.HasOne<Account>().WithMany().HasForeignKey(s => s.AccountId)
                .OnDelete(DeleteBehavior.Cascade);
        });
        modelBuilder.Entity<Mark>(mark =>
        {
            mark.ToTable("marks");
            mark.HasKey(m => m.Name);
        });
    }

    protected override void ConfigureConventions(ModelConfigurationBuilder configurationBuilder) =>
        configurationBuilder.Properties<DateTime>().HaveConversion<Utc>();

    private sealed class Utc() : ValueConverter<DateTime, DateTime>(
        time => time, time => DateTime.SpecifyKind(time, DateTimeKind.Utc));
}
