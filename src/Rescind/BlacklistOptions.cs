namespace Rescind;

/// <summary>How a blacklist behaves. Checked when the blacklist is made; a wrong value stops the start and
/// the message names the option. Nodes that share a log must agree on what revocations rest on: lifetime,
/// skew, freshness, issuers' clocks and whether tokens carry <c>iat</c>; one that differs is
/// refused.</summary>
public sealed class BlacklistOptions
{
    /// <summary>No token that lives longer (<c>exp</c> − <c>iat</c>) is accepted: it would outlive the
    /// revocations that cover it. Of a token without <c>iat</c> only what is left of its life can be judged:
    /// where such tokens live longer, set <see cref="TokensCarryIssuedAt"/>. Default: 7 days; 1 minute to 10
    /// years.</summary>
    public TimeSpan LongestTokenLifetime { get; set; } = TimeSpan.FromDays(7);

    /// <summary>How long after <c>exp</c> a validator may still accept a token; revocations are kept that
    /// much longer. Default: 5 minutes, the default of .NET's own validation; 0 to 1 hour.</summary>
    public TimeSpan ClockSkew { get; set; } = TimeSpan.FromMinutes(5);

    /// <summary>How far an issuer's clock may be from the log's. Cutoffs reach that much into the future, and
    /// a token whose <c>iat</c> lies further ahead (and one second) is not accepted yet. Default: 2 seconds;
    /// 100 milliseconds to 1 minute.</summary>
    public TimeSpan IssuerClockDifference { get; set; } = TimeSpan.FromSeconds(2);

    /// <summary>How old a node's knowledge may be and still answer; past it the answer is
    /// <see cref="Verdict.Unknown"/> (or <see cref="Verdict.Revoked"/>). Matters with a shared log only.
    /// Default: 1 second; 50 milliseconds to 1 minute.</summary>
    public TimeSpan Freshness { get; set; } = TimeSpan.FromSeconds(1);

    /// <summary>How long a check may wait for the shared log when its node is not fresh. Default: 40
    /// milliseconds, so that with the timer's delay a check takes less than 50; 0 to 5 seconds.</summary>
    public TimeSpan CatchUpTimeout { get; set; } = TimeSpan.FromMilliseconds(40);

    /// <summary>How long a revocation may wait for a shared log that does not answer, before what is on this
    /// node's disk answers for it (<see cref="ReceiptState.Journaled"/>). Without a local copy it does not
    /// matter. Default: 50 milliseconds; 0 to 10 seconds.</summary>
    public TimeSpan JournalAfter { get; set; } = TimeSpan.FromMilliseconds(50);

    /// <summary>What happens to a token when the verdict is <see cref="Verdict.Unknown"/>: refused with 503
    /// when true, let through and counted when false. Default: false.</summary>
    public bool RefuseWhenUnknown { get; set; }

    /// <summary>What a revocation waits for: <see cref="ReceiptState.Everywhere"/> (the default) or
    /// <see cref="ReceiptState.Stored"/>.</summary>
    public ReceiptState WaitFor { get; set; } = ReceiptState.Everywhere;

    /// <summary>Whether every accepted token carries <c>iat</c>. If so, a token without one is not accepted,
    /// and cutoffs are dropped once the longest token has ended; if not, cutoffs are kept until lifted,
    /// because a token without <c>iat</c> must not come back. Default: false.</summary>
    public bool TokensCarryIssuedAt { get; set; }

    /// <summary>How many revocations one call may carry. Default: 10,000; 1 to 100,000.</summary>
    public int LargestBatch { get; set; } = 10_000;

    /// <summary>How many live revocations this node takes from its own callers; past it
    /// <see cref="Blacklist.RevokeAsync(Revocation, CancellationToken)"/> throws. What other nodes append is
    /// always applied. Default: 200 million (about 7 GB).</summary>
    public long MostRevocations { get; set; } = 200_000_000;
}
