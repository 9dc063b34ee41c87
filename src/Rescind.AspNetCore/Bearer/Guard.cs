using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Logging;

namespace Rescind.AspNetCore;

/// <summary>
/// Asks the blacklist about a token and says what follows: pass, or one of the refusals. The policy for
/// <see cref="Verdict.Unknown"/> is decided here and nowhere else.
/// </summary>
internal sealed class Guard(Blacklist blacklist, GuardMetrics metrics, ILogger<Guard> logger)
{
    public ILogger Logger => logger;

    public GuardMetrics Metrics => metrics;

    /// <summary>Completed at once while this node is fresh. Never cancelled: it waits at most
    /// <see cref="BlacklistOptions.CatchUpTimeout"/>, and a cancelled check would have to be refused as an
    /// error.
    /// </summary>
    public ValueTask<Verdict> CheckAsync(in TokenFacts facts) => blacklist.CheckAsync(facts);

    /// <summary>What to answer to a verdict; null: let the token pass.</summary>
    public TokenRefusal? Decide(HttpContext context, Verdict verdict)
    {
        switch (verdict)
        {
            case Verdict.Accepted:
                metrics.Decided(GuardMetrics.Accepted);
                return null;
            case Verdict.Revoked:
                metrics.Decided(GuardMetrics.Revoked);
                return TokenRefusal.Revoked;
            default:
                var refuse = blacklist.Options.RefuseWhenUnknown || KnownTokens.AreRequired(context);
                metrics.Decided(refuse ? GuardMetrics.UnknownRefused : GuardMetrics.UnknownAccepted);
                return refuse ? TokenRefusal.Unknown : null;
        }
    }
}
