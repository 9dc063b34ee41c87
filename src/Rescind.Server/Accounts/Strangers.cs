// Stand-ins for accounts that do not exist, so that a log-in for one costs what it would cost for an account.
// Where accounts came over with bcrypt hashes, which take another time than ours, the same share of the
// unknown addresses is compared with a bcrypt hash; which of them follows from the address and a secret of
// this process, so asking again tells nothing. What is left: whose hash is made anew, at the first log-in
// here, changes its time once; and a node that did not import them itself learns of them at the first log-in
// for one of them, whose time tells that this one exists.
using System.Security.Cryptography;
using System.Text;
using Microsoft.AspNetCore.Identity;
using Microsoft.EntityFrameworkCore;
using Rescind.Server.Answers;
using Rescind.Server.Database;

namespace Rescind.Server.Accounts;

internal sealed class Strangers(
    AccountStore store, IPasswordHasher<Account> hasher, ILogger<Strangers> logger)
{
    private readonly byte[] _secret = RandomNumberGenerator.GetBytes(32);
    private readonly Lazy<Account> _own = new(() => With(hasher));
    private volatile Share _bcrypt = new(0, null);
    private int _learning;

    private sealed record Share(double Part, Account? StandIn);

    /// <summary>Makes ready what the first log-in would have to wait for.</summary>
    public void WarmUp() => _ = _own.Value;

    /// <summary>Learns how many accounts still have a hash from elsewhere.</summary>
    public async Task LearnAsync(CancellationToken cancel)
    {
        var (all, bcrypt, example) = await store.ReadAsync(
            async db => (
                await db.Accounts.CountAsync(cancel),
                await db.Accounts.CountAsync(row => row.PasswordHash.StartsWith("$2"), cancel),
                await db.Accounts.Where(row => row.PasswordHash.StartsWith("$2"))
                    .Select(row => row.PasswordHash).FirstOrDefaultAsync(cancel)),
            cancel);
        if (example is null || PasswordFormats.FaultOf(example) is not null)
        {
            _bcrypt = new Share(0, null);
            return;
        }
        var cost = CostOf(example);
        var standIn = _bcrypt.StandIn is { } made && CostOf(made.PasswordHash) == cost
            ? made
            : Of(BCrypt.Net.BCrypt.HashPassword(Guid.NewGuid().ToString(), cost));
        _bcrypt = new Share((double)bcrypt / all, standIn);
    }

    /// <summary>The same; a database that is away leaves things as they are.</summary>
    public async Task TryLearnAsync()
    {
        try
        {
            await LearnAsync(CancellationToken.None);
        }
        catch (Exception fault) when (FaultHandler.IsDatabaseAway(fault))
        {
            Log.NotLearned(logger, fault.GetBaseException().Message);
        }
    }

    /// <summary>Learns it when a hash from elsewhere turns up that nothing here stands in for: another node
    /// has imported it.</summary>
    public async Task MeetAsync(string hash)
    {
        if (_bcrypt.StandIn is not null || PasswordFormats.FaultOf(hash) is not null
            || Interlocked.Exchange(ref _learning, 1) == 1)
        {
            return;
        }
        try
        {
            await TryLearnAsync();
        }
        finally
        {
            Volatile.Write(ref _learning, 0);
        }
    }

    /// <summary>The stand-in for an address that nobody has. No password fits it.</summary>
    public Account For(string normalizedEmail)
    {
        var (part, standIn) = _bcrypt;
        var drawn = HMACSHA256.HashData(_secret, Encoding.UTF8.GetBytes(normalizedEmail));
        return standIn is not null && BitConverter.ToUInt32(drawn) < part * uint.MaxValue
            ? standIn
            : _own.Value;
    }

    private static int CostOf(string bcrypt) => int.Parse(bcrypt.AsSpan(4, 2));

    private static Account With(IPasswordHasher<Account> hasher)
    {
        var account = Of("");
        account.PasswordHash = hasher.HashPassword(account, Guid.NewGuid().ToString());
        return account;
    }

    private static Account Of(string hash) => new()
    {
        Id = "", Email = "", NormalizedEmail = "", PasswordHash = hash, CreatedAt = DateTime.UnixEpoch,
    };
}
