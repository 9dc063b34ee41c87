namespace Rescind;

/// <summary>
/// The decision on one token. The order of its three steps is the promise "no token is accepted after its
/// revocation was confirmed everywhere": <em>load the lease, probe the index, then read the clocks</em>.
/// Probing first would let a frozen process come back, renew its lease and accept by what it had seen before;
/// reading the clocks first would let it freeze between clock and probe (docs/decisions/0010).
/// </summary>
internal sealed class Judging(
    RevocationIndex index, FeedFollower feed, BlacklistOptions options, TimeProvider clock, CheckTally tally)
{
    private static readonly TimeSpan StampStep = TimeSpan.FromSeconds(1);

    public Verdict Judge(in TokenFacts token)
    {
        if (string.IsNullOrEmpty(token.TokenId) || token.Issuer is null)
        {
            return Verdict.Unknown;
        }
        var lease = feed.Lease;
        if (index.Matches(token))
        {
            return Verdict.Revoked;
        }
        return lease is not null && lease.Covers(clock) && Doubt(token, lease) is null
            ? Verdict.Accepted
            : Verdict.Unknown;
    }

    /// <summary>As <see cref="Judge"/>, timing one in many.</summary>
    /// <param name="token">The token.</param>
    /// <param name="cell">Where to count the verdict.</param>
    public Verdict JudgeSampled(in TokenFacts token, out int cell)
    {
        cell = tally.Cell();
        if (!tally.IsSampled(cell))
        {
            return Judge(token);
        }
        var started = clock.GetTimestamp();
        var verdict = Judge(token);
        tally.Sample((clock.GetTimestamp() - started) * 1000.0 / clock.TimestampFrequency);
        return verdict;
    }

    /// <summary>Why a verdict was given, for people.</summary>
    public string Because(in TokenFacts token, Verdict verdict) => verdict switch
    {
        Verdict.Revoked => "A live revocation matches.",
        Verdict.Accepted => "No live revocation matches, and this node's knowledge is fresh.",
        _ when string.IsNullOrEmpty(token.TokenId) || token.Issuer is null =>
            "The token has no identity that could be looked up.",
        _ when feed.Lease is not { } lease || !lease.Covers(clock) =>
            "This node's knowledge is older than the freshness bound, or its clock was set back since.",
        _ => Doubt(token, feed.Lease) ?? "This node's knowledge was not fresh for a moment.",
    };

    /// <summary>Why a token cannot be accepted although nothing revokes it: it could outlive the memory of
    /// the revocations that cover it.</summary>
    private string? Doubt(in TokenFacts token, Lease lease)
    {
        if (token.ExpiresAt is not { } expires)
        {
            return "The token has no exp, so it could outlive any revocation.";
        }
        if (index.Horizon != 0 && expires.ToUnixTimeSeconds() <= index.Horizon)
        {
            return "The token ended before revocations that are already forgotten; a clock went back.";
        }
        return token.IssuedAt is { } issued
            ? DoubtOfDated(token, issued, expires, lease)
            : DoubtOfUndated(expires);
    }

    private string? DoubtOfDated(
        in TokenFacts token, DateTimeOffset issued, DateTimeOffset expires, Lease lease)
    {
        if (expires - issued > options.LongestTokenLifetime)
        {
            return "The token lives longer than LongestTokenLifetime.";
        }
        var ahead = options.IssuerClockDifference + StampStep;
        var isAhead = issued > lease.Sent.Wall + ahead && issued > clock.GetUtcNow() + ahead
            && issued.ToUnixTimeSeconds() > index.LatestSteppedOver(token) + 1; // as our issuer stamps it
        return isAhead ? "The token claims to be issued in the future." : null;
    }

    private string? DoubtOfUndated(DateTimeOffset expires)
    {
        if (options.TokensCarryIssuedAt)
        {
            return "The token has no iat, and TokensCarryIssuedAt says that every token has.";
        }
        return expires - clock.GetUtcNow() > options.LongestTokenLifetime
            ? "The token lives longer than LongestTokenLifetime."
            : null;
    }
}
