// Tokens of the service that this one replaces: same issuer, audience and key, but without sid and kid, and
// with the version of their user's tokens. What it guarantees: one whose version is below the imported one is
// refused as it was there; a refresh token belongs to one session, whose id follows from its own, so that it
// is adopted once, and revoked like any other. What it trades away: such a token asks the database for its
// user's version, at most once a minute and for at most a second; when the database does not say, the policy
// for not knowing decides.
using System.Security.Cryptography;
using System.Text;
using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.Caching.Memory;
using Microsoft.IdentityModel.JsonWebTokens;
using Rescind.Server.Answers;
using Rescind.Server.Database;

namespace Rescind.Server.Tokens;

internal sealed class OlderTokens(AccountStore store, Blacklist blacklist, TimeProvider clock) : IDisposable
{
    /// <summary>The version of a user's tokens, in the older service's tokens and in ours for its users, so
    /// that it can take over again.</summary>
    public const string VersionClaim = "token_version_id";

    /// <summary>How the ids of their sessions begin.</summary>
    public const string Adopted = "adopted-";

    /// <summary>A check waits no longer for the database, and for as long again none asks it.</summary>
    private static readonly TimeSpan LongestWait = TimeSpan.FromSeconds(1);
    private static readonly TimeSpan Remembered = TimeSpan.FromMinutes(1);
    private long _awaySince = long.MinValue;
    private readonly MemoryCache _versions = new(new MemoryCacheOptions { SizeLimit = 100_000 });

    /// <summary>Whether a session was made for a refresh token of the older service.</summary>
    public static bool IsAdopted(string? session) =>
        session?.StartsWith(Adopted, StringComparison.Ordinal) == true;

    /// <summary>The facts of a refresh token, which in the older service names no session.</summary>
    public static TokenFacts InSession(JsonWebToken token, TokenFacts refresh) => IsOlder(token)
        ? refresh with { Session = SessionOf(refresh.TokenId) }
        : refresh;

    /// <summary>Why such a token does not count; null: it does, or is none of these.</summary>
    public async ValueTask<Refusal?> RefusalAsync(JsonWebToken token, CancellationToken cancel)
    {
        if (!IsOlder(token))
        {
            return null;
        }
        if (!long.TryParse(token.GetPayloadValue<object>(VersionClaim)?.ToString(), out var version))
        {
            return Refusals.Invalid;
        }
        try
        {
            return await VersionOfAsync(token.Subject, cancel) > version ? Refusals.Revoked : null;
        }
        catch (Exception fault) when (FaultHandler.IsDatabaseAway(fault))
        {
            if (!IsPaused)
            {
                Interlocked.Exchange(ref _awaySince, clock.GetTimestamp());
            }
            return blacklist.Options.RefuseWhenUnknown ? Refusals.RevocationUnknown : null;
        }
    }

    public void Dispose() => _versions.Dispose();

    private static bool IsOlder(JsonWebToken token) =>
        !token.TryGetPayloadValue<object>("sid", out _)
        && token.TryGetPayloadValue<object>(VersionClaim, out _);

    private static string SessionOf(string tokenId) => Adopted + Convert.ToHexStringLower(
        SHA256.HashData(Encoding.UTF8.GetBytes(tokenId)).AsSpan(0, 16));

    private bool IsPaused => Interlocked.Read(ref _awaySince) is var since && since != long.MinValue
        && clock.GetElapsedTime(since) < LongestWait;

    private async Task<int> VersionOfAsync(string user, CancellationToken cancel)
    {
        if (_versions.TryGetValue(user, out int known))
        {
            return known;
        }
        if (IsPaused)
        {
            throw new TimeoutException("The accounts database is left alone for a moment.");
        }
        var version = await store.ReadAsync(
            db => db.Accounts.Where(row => row.Id == user).Select(row => row.TokenVersion)
                .SingleOrDefaultAsync(cancel),
            cancel).WaitAsync(LongestWait, clock, cancel) ?? 0;
        return _versions.Set(
            user, version,
            new MemoryCacheEntryOptions { Size = 1, AbsoluteExpirationRelativeToNow = Remembered });
    }
}
