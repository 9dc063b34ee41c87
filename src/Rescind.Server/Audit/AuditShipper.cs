// Carries events from this node's file to the database, in their order. What it guarantees: an event leaves
// the file only after the database has it; one that was carried twice (a crash in between) is there once.
// While the database is away they wait.
using System.Runtime.ExceptionServices;
using Microsoft.EntityFrameworkCore;
using Rescind.Server.Answers;
using Rescind.Server.Database;
using Rescind.Server.Operations;
using Rescind.Server.Records;
using Rescind.Server.Settings;

namespace Rescind.Server.Audit;

internal sealed class AuditShipper(
    AuditSpool spool, AuditTrail trail, AccountStore store, ServerSettings settings, TimeProvider clock,
    ILogger<AuditShipper> logger) : LastingService(clock, logger)
{
    private const int LargestBatch = 500;
    private static readonly TimeSpan Every = TimeSpan.FromMilliseconds(250);
    private static readonly TimeSpan Retry = TimeSpan.FromSeconds(1);
    private static readonly TimeSpan HeadEvery = TimeSpan.FromHours(1);

    private readonly SemaphoreSlim _turn = new(1);
    private volatile bool _isAway;
    private (long At, ExceptionDispatchInfo Fault)? _failure;

    /// <summary>Whether the last try found the database away.</summary>
    public bool IsDatabaseAway => _isAway;

    /// <summary>Carries all that waits now.</summary>
    /// <exception cref="Exception">The database is away; see <see cref="FaultHandler.IsDatabaseAway"/>.
    /// </exception>
    public async Task ShipAsync(CancellationToken cancel)
    {
        var asked = Clock.GetTimestamp();
        await _turn.WaitAsync(cancel);
        try
        {
            if (_failure is { } failure && failure.At > asked)
            {
                // Who has waited for a try that failed does not wait for one more.
                failure.Fault.Throw();
            }
            while (spool.Oldest(LargestBatch) is { Count: > 0 } rows)
            {
                if (await store.WriteSharedAsync(db => AddAsync(db, rows)))
                {
                    spool.Forget(rows[^1].Number);
                }
                else
                {
                    Log.AuditFileRolledBack(logger);
                    spool.BeginChain(settings.Node);
                }
            }
        }
        catch (Exception fault) when (
            FaultHandler.IsDatabaseAway(fault) && fault != _failure?.Fault.SourceException)
        {
            _failure = (Clock.GetTimestamp(), ExceptionDispatchInfo.Capture(fault));
            throw;
        }
        finally
        {
            _turn.Release();
        }
    }

    public override void Dispose()
    {
        _turn.Dispose();
        base.Dispose();
    }

    protected override async Task RunAsync(CancellationToken cancel)
    {
        var headDue = Clock.GetUtcNow() + HeadEvery;
        while (!cancel.IsCancellationRequested)
        {
            if (Clock.GetUtcNow() >= headDue)
            {
                Log.AuditHead(logger, spool.Chain, spool.Number, spool.Head);
                headDue += HeadEvery;
            }
            await trail.KeepCountsAsync(all: false);
            await Task.Delay(await TryShipAsync(cancel) ? Every : Retry, Clock, cancel)
                .ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }
        await trail.KeepCountsAsync(all: true);
        await TryShipAsync(CancellationToken.None);
    }

    private async Task<bool> TryShipAsync(CancellationToken cancel)
    {
        try
        {
            await ShipAsync(cancel);
            if (_isAway)
            {
                Log.AuditShips(logger);
            }
            _isAway = false;
            return true;
        }
        catch (Exception fault) when (
            FaultHandler.IsDatabaseAway(fault) || fault is OperationCanceledException or DbUpdateException)
        {
            if (!_isAway && fault is not OperationCanceledException)
            {
                Log.AuditWaits(logger, fault.GetBaseException().Message);
            }
            _isAway = fault is not OperationCanceledException;
            return false;
        }
    }

    /// <summary>Another node may be writing the record of the same revocation: the one made it, the other
    /// lifts it.</summary>
    /// <returns>False when the database holds other events under these numbers.</returns>
    private static async Task<bool> AddAsync(AccountsDb db, IReadOnlyList<AuditRow> rows)
    {
        var (chain, first) = (rows[0].Chain, rows[0].Number);
        var newest = await db.AuditEvents.AsNoTracking().Where(row => row.Chain == chain)
            .OrderByDescending(row => row.Number).FirstOrDefaultAsync();
        if (newest is not null && newest.Number >= first)
        {
            var same = rows.FirstOrDefault(row => row.Number == newest.Number);
            if (same is null || !same.Hash.AsSpan().SequenceEqual(newest.Hash))
            {
                return false;
            }
        }
        var fresh = rows.Where(row => row.Number > (newest?.Number ?? 0)).ToList();
        db.AuditEvents.AddRange(fresh);
        await SharedRecords.PutAsync(db, [.. fresh.Select(row => row.Record).OfType<RevocationRow>()]);
        await db.SaveChangesAsync();
        return true;
    }
}
