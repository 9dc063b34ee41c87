using Microsoft.IdentityModel.JsonWebTokens;
using Microsoft.IdentityModel.Tokens;
using Rescind.AspNetCore;

namespace Rescind.Simulation;

/// <summary>A token that a node issued. Its session began with a log-in.</summary>
/// <param name="Facts">What it says.</param>
/// <param name="At">When it was issued.</param>
/// <param name="LoggedInAt">When its session began.</param>
/// <param name="IsPrivate">Whether its node owed cutoffs to the log then, which it may have stepped over.</param>
/// <param name="IsAhead">Whether its node's wall clock was ahead, and the node could not know.</param>
internal sealed record Issued(TokenFacts Facts, long At, long LoggedInAt, bool IsPrivate, bool IsAhead)
{
    /// <summary>Header and payload of a token without <c>jti</c>; null: it has one.</summary>
    public string? SigningInput { get; private init; }

    /// <summary>The same without <c>jti</c>, as the guard reads it.</summary>
    public Issued WithoutId(int number)
    {
        static string Encoded(string json) => Base64UrlEncoder.Encode(json);
        var payload = $$"""
            {"iss":"{{Facts.Issuer}}","sub":"{{Facts.Subject}}","sid":"{{Facts.Session}}","n":{{number}},"client_id":"{{Facts.Client}}",
            "iat":{{Facts.IssuedAt!.Value.ToUnixTimeSeconds()}},"exp":{{Facts.ExpiresAt!.Value.ToUnixTimeSeconds()}},
            "auth_time":{{Facts.AuthenticatedAt!.Value.ToUnixTimeSeconds()}}}
            """;
        var header = $$"""{"alg":"ES256","kid":"{{Facts.KeyId}}"}""";
        var input = $"{Encoded(header)}.{Encoded(payload)}";
        return this with { SigningInput = input, Facts = Read(input, 0) };
    }

    /// <summary>The decisions that name it, whatever the times say, as they were begun.</summary>
    public List<Decision> NamedBy { get; } = [];

    /// <summary>What its issuer wrote, whatever a node makes of that.</summary>
    public TokenFacts Written { get; private init; } = Facts;

    /// <summary>What a node sees of it. Somebody may have changed the signature of a token without making it
    /// invalid.</summary>
    public TokenFacts Presented(Random random) =>
        SigningInput is null ? Facts : Read(SigningInput, random.NextInt64());

    private static TokenFacts Read(string input, long signature) => FactsReader.Read(
        new JsonWebToken($"{input}.{Base64UrlEncoder.Encode(BitConverter.GetBytes(signature))}"));
}

/// <summary>A revocation as its caller sees it.</summary>
internal sealed class Decision(int number, RuleKind kind, Issued target, Node by, long startedAt)
{
    private readonly string _process = by.Process;

    /// <summary>Stands in the revocation's note.</summary>
    public string Number { get; } = number.ToString(System.Globalization.CultureInfo.InvariantCulture);

    public RuleKind Kind => kind;

    /// <summary>The token that it ends, with others or without.</summary>
    public Issued Target => target;

    /// <summary>What it ends, as revocations name it.</summary>
    public string Value => kind switch
    {
        RuleKind.Token => target.Facts.TokenId,
        RuleKind.Session => target.Written.Session!,
        RuleKind.Subject => target.Written.Subject!,
        RuleKind.Client => target.Written.Client!,
        RuleKind.Key => target.Written.KeyId!,
        _ => target.Written.Issuer,
    };

    /// <summary>Whether it ends what was issued before.</summary>
    public bool HasCutoff => kind is RuleKind.Subject or RuleKind.Client or RuleKind.Issuer;

    public Node By => by;

    /// <summary>When the call began.</summary>
    public long StartedAt => startedAt;

    /// <summary>What was appended; null while it was not decided.</summary>
    public Revocation? Made { get; set; }

    /// <summary>When it began, by its node's monotonic clock.</summary>
    public long BegunByClock { get; set; }

    /// <summary>Its node could not read the log when it decided, so it may not know the newest cutoffs.</summary>
    public bool IsBlind { get; set; }

    /// <summary>Time had passed since it last read the log that none of its clocks shows.</summary>
    public bool HidTime { get; set; }

    /// <summary>Its node had not read the log since its start and its wall clock was behind: it knew no other time.</summary>
    public bool IsBehind { get; set; }

    /// <summary>Its node's disk was full, so only the log and other nodes have it.</summary>
    public bool IsUnkept { get; set; }

    /// <summary>The same of its lift.</summary>
    public bool IsLiftUnkept { get; set; }

    public Receipt? Receipt { get; set; }

    public long AnsweredAt { get; set; } = long.MaxValue;

    /// <summary>When its append was first answered, before all that may accept what it ends were waited for.</summary>
    public long? AppendedAt { get; set; }

    /// <summary>The same of its lift.</summary>
    public long? LiftAppendedAt { get; set; }

    public long LiftBegunAt { get; set; } = long.MaxValue;

    public Receipt? LiftReceipt { get; set; }

    public long LiftAnsweredAt { get; set; } = long.MaxValue;

    /// <summary>A recovery closed without anybody who held it; promise 1 makes an exception of that, until the log has it
    /// again.</summary>
    public bool IsUnheld => UnheldUntil == long.MaxValue;

    /// <summary>Until when that was so; the largest number: still.</summary>
    public long UnheldUntil { get; set; } = long.MinValue;

    /// <summary>The same of its lift.</summary>
    public bool IsLiftUnheld { get; set; }

    /// <summary>Where its lift was made.</summary>
    public (Node Node, string Process) Lifter { get; set; }

    /// <summary>Then its writer took part in closing that recovery, and still waited for the answer to its append; so
    /// it must append again before it acknowledges.</summary>
    public bool IsDue { get; set; }

    public bool IsAcknowledged => Receipt is not null;

    public bool IsLifted => LiftReceipt is not null;

    /// <summary>Nobody has it any more, and nobody had to.</summary>
    public bool IsLost => IsUnheld && IsUnkept && !IsMadeBy(by);

    /// <summary>The same of its lift.</summary>
    public bool IsLiftLost => IsLiftUnheld && IsLiftUnkept && Lifter.Node.Process != Lifter.Process;

    /// <summary>Whether the process that made it is still the one on this node.</summary>
    public bool IsMadeBy(Node node) => node == by && node.Process == _process;

    /// <summary>Whether it ends a token that it names, by what its caller may expect: everything that existed when the call
    /// began.</summary>
    public bool MustEnd(Issued token) => !HasCutoff || token.LoggedInAt < startedAt;

    /// <summary>Whether it may end a token that it names, by what was written down.</summary>
    public bool MayEnd(Issued token) => Made is not null && (!HasCutoff
        || token.Written.IssuedAt <= Made.IssuedBefore || token.Written.AuthenticatedAt <= Made.IssuedBefore);

    /// <summary>Whether it names a token, whatever the times say.</summary>
    public bool Names(Issued token) => kind switch
    {
        RuleKind.Token => ReferenceEquals(token, target),
        RuleKind.Session => token.Written.Session == target.Written.Session,
        RuleKind.Subject => token.Written.Subject == target.Written.Subject,
        RuleKind.Client => token.Written.Client == target.Written.Client,
        RuleKind.Key => token.Written.KeyId == target.Written.KeyId,
        _ => token.Written.Issuer == target.Written.Issuer,
    };

    public override string ToString() => $"{kind} {Value}, made on {by} at {startedAt / 10_000.0:0.000} ms";
}

/// <summary>All that clients know: what was issued and what was decided.</summary>
internal sealed class Ledger(World world)
{
    private readonly Dictionary<string, Decision> _byNumber = new(StringComparer.Ordinal);
    private readonly Dictionary<RevocationId, Decision> _byId = [];
    private readonly List<Issued> _tokens = [];
    private readonly List<Decision> _decisions = [];

    public IReadOnlyList<Issued> Tokens => _tokens;

    public IReadOnlyList<Decision> Decisions => _decisions;

    public void Add(Issued token)
    {
        _tokens.Add(token);
        token.NamedBy.AddRange(_decisions.Where(one => one.Names(token)));
    }

    public void Began(Decision decision)
    {
        _decisions.Add(decision);
        foreach (var token in _tokens.Where(decision.Names))
        {
            token.NamedBy.Add(decision);
        }
        _byNumber.Add(decision.Number, decision);
    }

    /// <summary>A node completed revocations and is about to append them.</summary>
    /// <param name="records">What it decided.</param>
    /// <param name="isBlind">Whether it could not read the log since a time of its monotonic clock.</param>
    /// <param name="hidTime">Whether time has passed since it last read it that none of its clocks shows.</param>
    /// <param name="isBehind">Whether it knew no time but that of its wall clock, which was behind.</param>
    public void Completed(IReadOnlyList<Revocation> records, Func<long, bool> isBlind, bool hidTime, bool isBehind)
    {
        foreach (var record in records.Where(record => record.LiftedAt is null))
        {
            var decision = _byNumber[record.Note!];
            (decision.Made, decision.IsBlind) = (record, isBlind(decision.BegunByClock));
            (decision.HidTime, decision.IsBehind) = (hidTime, isBehind);
            _byId[record.Id] = decision;
        }
    }

    /// <summary>An append of an entry was answered, the first or one that gives it back.</summary>
    public void Appended(LogEntry entry)
    {
        if (_byId.GetValueOrDefault(entry.Id) is not { } decision)
        {
            return;
        }
        if (entry.IsLift)
        {
            decision.LiftAppendedAt ??= world.Now;
        }
        else
        {
            decision.AppendedAt ??= world.Now;
        }
    }
}
