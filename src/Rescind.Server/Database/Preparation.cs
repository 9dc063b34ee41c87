using Microsoft.EntityFrameworkCore;
using Rescind.Server.Accounts;
using Rescind.Server.Answers;
using Rescind.Server.Operations;
using Rescind.Server.Settings;

namespace Rescind.Server.Database;

/// <summary>Makes the tables and the first administrator, at start or, when PostgreSQL is away then, as soon
/// as it is back. Until then what needs the database answers 503.</summary>
internal sealed class Preparation(
    IDbContextFactory<AccountsDb> factory, FirstAdministrator administrator, Strangers strangers,
    ServerSettings settings, TimeProvider clock, ILogger<Preparation> logger)
    : LastingService(clock, logger)
{
    private static readonly TimeSpan Retry = TimeSpan.FromSeconds(2);

    /// <summary>Whether the tables are there.</summary>
    public bool IsDone { get; private set; }

    /// <exception cref="StartRefusedException">The database is there and cannot be used.</exception>
    public async Task TryAsync(CancellationToken cancel)
    {
        await using (var db = await factory.CreateDbContextAsync(cancel))
        {
            if (settings.Database is null)
            {
                await SqliteSchema.PrepareAsync(db, settings.Data, cancel);
            }
            else if (!await PostgresSchema.TryPrepareAsync(db, cancel))
            {
                Log.NotPrepared(logger);
                return;
            }
        }
        try
        {
            await administrator.MakeAsync(cancel);
            await strangers.LearnAsync(cancel);
            IsDone = true;
        }
        catch (Exception fault) when (settings.Database is not null && FaultHandler.IsDatabaseAway(fault))
        {
            // It has gone since the tables were made; no start fails because of that.
            Log.StillNotPrepared(logger, fault.GetBaseException().Message);
        }
    }

    protected override async Task RunAsync(CancellationToken cancel)
    {
        while (!IsDone)
        {
            await Task.Delay(Retry, Clock, cancel);
            try
            {
                await TryAsync(cancel);
            }
            catch (Exception fault) when (
                fault is StartRefusedException || FaultHandler.IsDatabaseAway(fault))
            {
                Log.StillNotPrepared(logger, fault.Message);
            }
        }
    }
}
