// The way to the accounts database. What it guarantees: each write is one transaction. With SQLite the
// writers of this process take turns in one queue instead of busy-waiting in SQLite (whose retry sleeps 150
// ms and holds a thread); what that trades away is nothing, because one file takes one write at a time
// anyway. PostgreSQL sorts its writers out itself; a node that stands still in the middle of a write holds up
// the others only for seconds, because PostgreSQL then undoes it.
using System.Data.Common;
using Microsoft.EntityFrameworkCore;
using Npgsql;
using Rescind.Server.Answers;
using Rescind.Server.Settings;

namespace Rescind.Server.Database;

internal sealed class AccountStore(
    IDbContextFactory<AccountsDb> factory, ServerSettings settings, TimeProvider clock) : IDisposable
{
    private const int MostTries = 10;

    /// <summary>How long a write waits for its turn; past it the database counts as away.</summary>
    private static readonly TimeSpan LongestWait = TimeSpan.FromSeconds(10);

    private readonly SemaphoreSlim? _turn = settings.Database is null ? new SemaphoreSlim(1) : null;

    /// <summary>Longer than any write waits in its middle, which is for a receipt at most.</summary>
    private readonly string _longestPause =
        $"{(int)(TimeSpan.FromSeconds(15) + (2 * settings.Freshness)).TotalMilliseconds}ms";

    /// <summary>Reads, without a transaction and without tracking.</summary>
    public async Task<T> ReadAsync<T>(Func<AccountsDb, Task<T>> read, CancellationToken cancel)
    {
        await using var db = await factory.CreateDbContextAsync(cancel);
        db.ChangeTracker.QueryTrackingBehavior = QueryTrackingBehavior.NoTracking;
        return await read(db);
    }

    /// <summary>Writes in one transaction, which is kept when <paramref name="write"/> returns and undone
    /// when it throws.</summary>
    /// <param name="write">Runs again when PostgreSQL had to undo one of two writes that wait for each other.
    /// </param>
    /// <param name="cancel">Gives up, until the end of <paramref name="write"/>.</param>
    /// <exception cref="TimeoutException">The turn did not come in time.</exception>
    /// <exception cref="OutcomeUnknownException">The database went away at the end.</exception>
    public Task<T> WriteAsync<T>(Func<AccountsDb, Task<T>> write, CancellationToken cancel) =>
        RepeatAsync(write, IsDeadlock, cancel);

    /// <summary>The same for what another node may write at this moment too: whoever comes second is refused
    /// by the database, and asks anew with what the first has written.</summary>
    /// <param name="write">Looks whether it is there before it writes; runs as often as it is refused.
    /// </param>
    public Task<T> WriteSharedAsync<T>(Func<AccountsDb, Task<T>> write) => RepeatAsync(
        write,
        fault => IsDeadlock(fault) || (fault is DbUpdateException && !FaultHandler.IsDatabaseAway(fault)),
        CancellationToken.None);

    public void Dispose() => _turn?.Dispose();

    private async Task<T> RepeatAsync<T>(
        Func<AccountsDb, Task<T>> write, Func<Exception, bool> isAnotherTryWorth, CancellationToken cancel)
    {
        for (var tries = 1; ; tries++)
        {
            try
            {
                return await WriteOnceAsync(write, cancel);
            }
            catch (Exception fault) when (tries < MostTries && isAnotherTryWorth(fault))
            {
                continue;
            }
        }
    }

    private async Task<T> WriteOnceAsync<T>(Func<AccountsDb, Task<T>> write, CancellationToken cancel)
    {
        if (_turn is not null && !await _turn.WaitAsync(LongestWait, cancel))
        {
            throw new TimeoutException("The accounts database did not take a write in time.");
        }
        try
        {
            await using var db = await factory.CreateDbContextAsync(cancel);
            await using var transaction = await db.Database.BeginTransactionAsync(cancel);
            if (settings.Database is not null)
            {
                db.Began = await BeginAsync(db, cancel);
            }
            var result = await write(db);
            try
            {
                await transaction.CommitAsync(CancellationToken.None);
            }
            catch (Exception fault) when (
                fault is (NpgsqlException or TimeoutException) && !IsUndone(fault))
            {
                throw new OutcomeUnknownException(fault);
            }
            return result;
        }
        finally
        {
            _turn?.Release();
        }
    }

    private async Task<(DateTime Time, long Timestamp)> BeginAsync(AccountsDb db, CancellationToken cancel)
    {
        var sent = clock.GetTimestamp();
        var times = await db.Database.SqlQuery<DateTime>(
            $"""
            SELECT clock_timestamp() AS "Value"
            FROM set_config('idle_in_transaction_session_timeout', {_longestPause}, true)
            """).ToListAsync(cancel);
        return (times.Single(), sent);
    }

    private static bool IsDeadlock(Exception fault) => fault is not OutcomeUnknownException
        && fault.GetBaseException() is PostgresException { SqlState: PostgresErrorCodes.DeadlockDetected };

    private static bool IsUndone(Exception fault) =>
        fault is PostgresException { InvariantSeverity: "ERROR" };
}

/// <summary>The database went away while it was told to keep a write: it has it, or it does not.</summary>
internal sealed class OutcomeUnknownException(Exception fault) : DbException(
    "The accounts database went away while it was told to keep a change: " + fault.Message, fault);
