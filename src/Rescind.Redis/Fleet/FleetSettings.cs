using System.Globalization;

namespace Rescind.Redis;

/// <summary>
/// What all nodes on a log must agree on, as it stands in the fleet hash. Written with the first header; a
/// process alone on the log may change it, because nobody is left who relies on the old values.
/// </summary>
internal sealed record FleetSettings(
    TimeSpan Freshness, TimeSpan LongestTokenLifetime, TimeSpan ClockSkew, TimeSpan IssuerClockDifference,
    bool TokensCarryIssuedAt, string? KeyFingerprint)
{
    public static FleetSettings Of(BlacklistOptions options, LogSeal? seal) => new(
        options.Freshness, options.LongestTokenLifetime, options.ClockSkew, options.IssuerClockDifference,
        options.TokensCarryIssuedAt, seal?.Fingerprint);

    /// <summary>The text that the scripts compare. Where an entry's expiry means something else, nodes do not
    /// mix (docs/decisions/0030).</summary>
    public string Text { get; } =
        $"freshness_ms={Freshness.TotalMilliseconds:0} "
        + $"longest_token_lifetime_s={LongestTokenLifetime.TotalSeconds:0} "
        + $"clock_skew_s={ClockSkew.TotalSeconds:0} "
        + $"issuer_clock_difference_s={IssuerClockDifference.TotalSeconds:0.###} "
        + $"tokens_carry_iat={(TokensCarryIssuedAt ? 1 : 0)} partitions=1 expiry=exp "
        + $"log_key={KeyFingerprint ?? "none"}";

    /// <summary>The freshness bound in such a text; the longest there can be, where it cannot be read.
    /// </summary>
    public static TimeSpan FreshnessIn(string text)
    {
        var longest = TimeSpan.FromMinutes(1);
        var field = text.Split(' ')[0].Split('=');
        return field is ["freshness_ms", var told]
            && int.TryParse(told, NumberStyles.None, CultureInfo.InvariantCulture, out var milliseconds)
            && milliseconds != 0
            && TimeSpan.FromMilliseconds(milliseconds) is var bound && bound < longest
                ? bound
                : longest;
    }

    public FleetSettingsException Disagreement(string theirs) => new(
        $"The nodes on this log run with '{theirs}', this one with '{Text}'. Start it with the same "
        + "values, or stop all other nodes first.");
}
