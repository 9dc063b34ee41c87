namespace Rescind;

/// <summary>
/// From a decision to a line of the log: what may be asked, and when the last token ends that it can hit.
/// What validators allow beyond that is added where entries are forgotten, so that it may be changed.
/// </summary>
internal sealed class Revoking(BlacklistOptions options)
{
    public const int LongestText = 1024;
    private const int LongestReason = 64;
    private const int LongestActor = 256;
    private const int LongestNote = 1000;

    /// <summary>How far ahead of its clock an issuer may stamp a token to step over cutoffs, beside
    /// <see cref="BlacklistOptions.IssuerClockDifference"/>: no cutoff has to reach further, however many are
    /// made in a row (docs/decisions/0028).</summary>
    public static readonly TimeSpan FurthestStep = TimeSpan.FromSeconds(20);

    /// <summary>A node may be cut off for so long, take revocations, and know that what others refreshed
    /// meanwhile does not outlive them; for at most a <see cref="BlacklistOptions.LongestTokenLifetime"/>.
    /// </summary>
    public static readonly TimeSpan LongestUnheard = TimeSpan.FromDays(1);

    /// <summary>How far ahead of the log's clock a token's <c>iat</c> can lie: the issuer's clock was ahead,
    /// and so far it may step.</summary>
    private readonly TimeSpan _furthestStamp = (options.IssuerClockDifference * 2) + FurthestStep;

    /// <summary>For so long a node that knows nothing of a rule may refresh what the rule hits: while its
    /// lease lasts, and while whoever made the rule is cut off and cannot tell.</summary>
    private readonly TimeSpan _unheard = (options.Freshness * 2)
        + (options.LongestTokenLifetime < LongestUnheard ? options.LongestTokenLifetime : LongestUnheard);

    /// <summary>What is wrong with a revocation, in one sentence, or null.</summary>
    public string? Fault(Revocation revocation, DateTimeOffset now) =>
        FaultOfText("issuer", revocation.Issuer, LongestText, allowEmpty: revocation.Kind != RuleKind.Issuer)
        ?? FaultOfText("value", revocation.Value, LongestText, allowEmpty: false)
        ?? FaultOfText("actor", revocation.Actor, LongestActor, allowEmpty: true)
        ?? FaultOfText("note", revocation.Note ?? "", LongestNote, allowEmpty: true)
        ?? FaultOfReason(revocation.Reason)
        ?? FaultOfTimes(revocation, now)
        ?? FaultOfId(revocation);

    public static string? FaultOfReason(string? reason) =>
        reason is { Length: >= 1 and <= LongestReason }
        && reason.All(letter => letter is (>= 'a' and <= 'z') or (>= '0' and <= '9') or '_')
            ? null
            : "reason must be a word of 1 to 64 characters from a-z, 0-9 and _.";

    public static string? FaultOfText(string name, string text, int longest, bool allowEmpty)
    {
        if (text.Length == 0 && !allowEmpty)
        {
            return $"{name} must not be empty.";
        }
        if (text.Length > longest)
        {
            return $"{name} must be at most {longest} characters long.";
        }
        if (text.Any(char.IsControl))
        {
            return $"{name} must not contain control characters.";
        }
        return HasLoneSurrogate(text) ? $"{name} must be well-formed Unicode." : null;
    }

    /// <exception cref="ArgumentException">The batch cannot be made.</exception>
    /// <exception cref="InvalidOperationException">There are too many revocations.</exception>
    public void CheckBatch(IReadOnlyList<Revocation> revocations, DateTimeOffset now, long live)
    {
        ArgumentNullException.ThrowIfNull(revocations);
        if (revocations.Count < 1 || revocations.Count > options.LargestBatch)
        {
            throw new ArgumentException(
                $"A call takes 1 to {options.LargestBatch} revocations.", nameof(revocations));
        }
        var faults = revocations.Select(one => Fault(one, now));
        if (faults.FirstOrDefault(fault => fault is not null) is { } wrong)
        {
            throw new ArgumentException(wrong, nameof(revocations));
        }
        if (live + revocations.Count > options.MostRevocations)
        {
            throw new InvalidOperationException(
                $"There are {live} live revocations; BlacklistOptions.MostRevocations is the limit.");
        }
    }

    /// <exception cref="ArgumentException">The lift cannot be made.</exception>
    public void CheckLift(IReadOnlyList<RevocationId> ids, string reason, string actor)
    {
        ArgumentNullException.ThrowIfNull(ids);
        if (ids.Count < 1 || ids.Count > options.LargestBatch)
        {
            throw new ArgumentException($"A call takes 1 to {options.LargestBatch} ids.", nameof(ids));
        }
        var fault = FaultOfReason(reason) ?? FaultOfText("actor", actor, LongestActor, allowEmpty: true);
        if (fault is { } wrong)
        {
            throw new ArgumentException(wrong, nameof(reason));
        }
    }

    /// <summary>An id that names one entry for ever (docs/decisions/0027).</summary>
    /// <param name="revocation">What was asked.</param>
    /// <param name="drawTag">Draws 32 bits: the 10,000th rule of one user would have the id of an earlier one
    /// once in 430,000 times.</param>
    /// <param name="isKnown">Whether an id names something already.</param>
    public static RevocationId NewId(
        Revocation revocation, Func<uint> drawTag, Func<RevocationId, bool> isKnown)
    {
        var key = TokenKey.Of(revocation.Kind, revocation.Issuer, revocation.Value);
        var id = new RevocationId(revocation.Kind, key, drawTag());
        while (isKnown(id))
        {
            id = id with { Tag = drawTag() };
        }
        return id;
    }

    /// <summary>The revocation with everything set that the blacklist decides. A cutoff reaches past the one
    /// before it, because a log-in since then was stamped one second after that, however little time has
    /// passed (docs/decisions/0012); but no further than anything is stamped.</summary>
    /// <param name="revocation">What was asked.</param>
    /// <param name="now">This node's clock.</param>
    /// <param name="logTime">The log's clock.</param>
    /// <param name="steppedOver">The latest cutoff that tokens it must hit may have stepped over, in Unix
    /// seconds.</param>
    /// <param name="id">The id that was drawn for it.</param>
    public Revocation Complete(
        Revocation revocation, DateTimeOffset now, DateTimeOffset logTime, long steppedOver, RevocationId id)
    {
        var hasCutoff = HasCutoff(revocation);
        return revocation with
        {
            Id = id,
            MadeAt = now,
            IssuedBefore = hasCutoff
                ? CutoffOf(revocation, logTime, steppedOver)
                : null,
        };
    }

    /// <summary>The line of the log for a completed revocation.</summary>
    /// <param name="revocation">The revocation.</param>
    /// <param name="latest">The later of this node's clock and the log's.</param>
    public LogEntry Entry(Revocation revocation, DateTimeOffset latest)
    {
        var isHashed = revocation.Kind is RuleKind.Token or RuleKind.Session;
        return new LogEntry
        {
            Id = revocation.Id,
            ExpiresAt = Expiry(revocation, latest),
            Cutoff = revocation.Kind switch
            {
                RuleKind.Key => long.MaxValue,
                _ => revocation.IssuedBefore?.ToUnixTimeSeconds() ?? 0,
            },
            Issuer = isHashed ? null : revocation.Issuer,
            Value = isHashed ? null : revocation.Value,
        };
    }

    private DateTimeOffset Expiry(Revocation revocation, DateTimeOffset latest) => revocation.Kind switch
    {
        RuleKind.Token => revocation.ExpiresAt?.ToUniversalTime() ?? LatestEnd(latest),
        RuleKind.Session => LatestEnd(latest + _unheard),
        RuleKind.Subject or RuleKind.Client or RuleKind.Issuer when options.TokensCarryIssuedAt =>
            LatestEnd(latest + _unheard),
        _ => DateTimeOffset.MaxValue,
    };

    /// <summary>When the last token ends that was issued by now. A rule with a cutoff of long ago hits tokens
    /// that were refreshed since, by their log-in.</summary>
    private DateTimeOffset LatestEnd(DateTimeOffset latest)
    {
        var stamp = latest + _furthestStamp;
        return stamp > DateTimeOffset.MaxValue - options.LongestTokenLifetime
            ? DateTimeOffset.MaxValue
            : stamp + options.LongestTokenLifetime;
    }

    /// <summary>Whether a rule is one of "issued before".</summary>
    public static bool HasCutoff(Revocation revocation) =>
        revocation.Kind is RuleKind.Subject or RuleKind.Client or RuleKind.Issuer;

    private string? FaultOfTimes(Revocation revocation, DateTimeOffset now)
    {
        var latestCutoff = now + options.IssuerClockDifference;
        if (revocation.IssuedBefore is { } cutoff
            && (cutoff > latestCutoff || cutoff < DateTimeOffset.UnixEpoch))
        {
            return "issued_before must lie between 1970 and now.";
        }
        return revocation.ExpiresAt < DateTimeOffset.UnixEpoch
            ? "expires_at must not lie before 1970."
            : null;
    }

    private static string? FaultOfId(Revocation revocation) =>
        revocation.Id == default ? null : "id is drawn at each call; leave it out.";

    /// <summary>A cutoff that was asked for is checked by this node's clock, which may be ahead.</summary>
    private DateTimeOffset CutoffOf(Revocation revocation, DateTimeOffset logTime, long steppedOver)
    {
        var most = logTime + options.IssuerClockDifference;
        return revocation.IssuedBefore is not { } asked ? CutoffAfter(logTime, steppedOver)
            : asked < most ? asked : most;
    }

    private DateTimeOffset CutoffAfter(DateTimeOffset logTime, long steppedOver)
    {
        var least = (logTime + options.IssuerClockDifference).ToUnixTimeSeconds();
        var most = (logTime + _furthestStamp).ToUnixTimeSeconds();
        return DateTimeOffset.FromUnixTimeSeconds(Math.Max(least, Math.Min(steppedOver, most - 1) + 1));
    }

    private static bool HasLoneSurrogate(string text)
    {
        for (var i = 0; i < text.Length; i++)
        {
            if (!char.IsSurrogate(text[i]))
            {
                continue;
            }
            if (i + 1 == text.Length || !char.IsSurrogatePair(text[i], text[i + 1]))
            {
                return true;
            }
            i++;
        }
        return false;
    }
}
