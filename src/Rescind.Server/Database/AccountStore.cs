// The way to the accounts database. What it guarantees: each write is one transaction. With SQLite the
// writers of this process take turns in one queue instead of busy-waiting in SQLite (whose retry sleeps 150
// ms and holds a thread); what that trades away is nothing, because one file takes one write at a time
// anyway. PostgreSQL sorts its writers out itself.
using Microsoft.EntityFrameworkCore;
using Rescind.Server.Answers;
using Rescind.Server.Settings;

namespace Rescind.Server.Database;

internal sealed class AccountStore(IDbContextFactory<AccountsDb> factory, ServerSettings settings)
    : IDisposable
{
    private const int MostTries = 10;

    /// <summary>How long a write waits for its turn; past it the database counts as away.</summary>
    private static readonly TimeSpan LongestWait = TimeSpan.FromSeconds(10);

    private readonly SemaphoreSlim? _turn = settings.Database is null ? new SemaphoreSlim(1) : null;

    /// <summary>Reads, without a transaction and without tracking.</summary>
    public async Task<T> ReadAsync<T>(Func<AccountsDb, Task<T>> read, CancellationToken cancel)
    {
        await using var db = await factory.CreateDbContextAsync(cancel);
        db.ChangeTracker.QueryTrackingBehavior = QueryTrackingBehavior.NoTracking;
        return await read(db);
    }

    /// <summary>Writes in one transaction, which is kept when <paramref name="write"/> returns and undone
    /// when it throws.</summary>
    /// <exception cref="TimeoutException">The turn did not come in time.</exception>
    public async Task<T> WriteAsync<T>(Func<AccountsDb, Task<T>> write, CancellationToken cancel)
    {
        if (_turn is not null && !await _turn.WaitAsync(LongestWait, cancel))
        {
            throw new TimeoutException("The accounts database did not take a write in time.");
        }
        try
        {
            await using var db = await factory.CreateDbContextAsync(cancel);
            await using var transaction = await db.Database.BeginTransactionAsync(cancel);
            var result = await write(db);
            await transaction.CommitAsync(cancel);
            return result;
        }
        finally
        {
            _turn?.Release();
        }
    }

    /// <summary>The same for what another node may write at this moment too: whoever comes second is refused
    /// by the database, and asks anew with what the first has written.</summary>
    /// <param name="write">Looks whether it is there before it writes; runs as often as it is refused.
    /// </param>
    public async Task<T> WriteSharedAsync<T>(Func<AccountsDb, Task<T>> write)
    {
        for (var tries = 1; ; tries++)
        {
            try
            {
                return await WriteAsync(write, CancellationToken.None);
            }
            catch (DbUpdateException fault) when (tries < MostTries && !FaultHandler.IsDatabaseAway(fault))
            {
                continue;
            }
        }
    }

    public void Dispose() => _turn?.Dispose();
}
