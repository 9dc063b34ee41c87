// Password hashing, bounded. Hashing is ASP.NET Core Identity's PasswordHasher (format, iterations and rehash
// of old ones are its business). UserManager is not used: its lockout belongs to the account alone, so that
// any stranger could lock an owner out, and it reads the account several times for a log-in. What it
// guarantees: at most 2 hashes a core at a time and 100 waiting, so a flood of log-ins costs a stated refusal
// and not everybody's latency.
using Microsoft.AspNetCore.Identity;

namespace Rescind.Server.Accounts;

internal enum PasswordVerdict
{
    /// <summary>Too many are waiting; nothing was hashed.</summary>
    Busy,
    Wrong,
    Right,

    /// <summary>Right, and the hash should be made anew with today's parameters.</summary>
    RightButOld,
}

internal sealed class Passwords : IDisposable
{
    public const int LongestQueue = 100;

    private readonly IPasswordHasher<Account> _hasher;
    private readonly ILogger<Passwords> _logger;
    private readonly SemaphoreSlim _slots = new(2 * Environment.ProcessorCount);
    private int _waiting;

    public Passwords(IPasswordHasher<Account> hasher, ILogger<Passwords> logger)
    {
        (_hasher, _logger) = (hasher, logger);
    }

    /// <summary>The hash of a password, or null when too many are waiting.</summary>
    public Task<string?> HashAsync(Account account, string password, CancellationToken cancel) =>
        InTurnAsync<string?>(() => _hasher.HashPassword(account, password), null, cancel);

    /// <summary>Compares a password with an account's.</summary>
    /// <param name="account">The account, or what <see cref="Strangers"/> has in its place.</param>
    /// <param name="password">The password.</param>
    /// <param name="cancel">Gives up the place in the queue.</param>
    public Task<PasswordVerdict> VerifyAsync(Account account, string password, CancellationToken cancel) =>
        InTurnAsync(() => Verify(account, password), PasswordVerdict.Busy, cancel);

    public void Dispose() => _slots.Dispose();

    private PasswordVerdict Verify(Account account, string password) =>
        _hasher.VerifyHashedPassword(account, account.PasswordHash, password) switch
        {
            PasswordVerificationResult.Success => PasswordVerdict.Right,
            PasswordVerificationResult.SuccessRehashNeeded => PasswordVerdict.RightButOld,
            _ => PasswordVerdict.Wrong,
        };

    private async Task<T> InTurnAsync<T>(Func<T> work, T whenFull, CancellationToken cancel)
    {
        if (!_slots.Wait(0, CancellationToken.None))
        {
            if (Interlocked.Increment(ref _waiting) > LongestQueue)
            {
                Interlocked.Decrement(ref _waiting);
                Log.HashingFull(_logger, LongestQueue);
                return whenFull;
            }
            try
            {
                await _slots.WaitAsync(cancel);
            }
            finally
            {
                Interlocked.Decrement(ref _waiting);
            }
        }
        try
        {
            // A thread of its own: on the pool, a few hashes of 50 ms would starve every other request for as
            // long as the pool takes to grow.
            return await Task.Factory.StartNew(
                work, CancellationToken.None, TaskCreationOptions.LongRunning, TaskScheduler.Default);
        }
        finally
        {
            _slots.Release();
        }
    }
}
