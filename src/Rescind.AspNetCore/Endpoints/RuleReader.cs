using System.Security.Claims;
using Microsoft.AspNetCore.Http;

namespace Rescind.AspNetCore;

/// <summary>What a rule is made of besides its fields.</summary>
internal readonly record struct RuleContext(string? DefaultIssuer, string Actor, DateTimeOffset Now);

/// <summary>
/// From the fields of a request to a revocation. Says everything that is wrong by field; what a rule of that
/// kind cannot have is refused rather than dropped, because its sender expects an effect.
/// </summary>
internal static class RuleReader
{
    private const int LongestActor = 256;

    /// <summary>The revocation, or null with the errors in <paramref name="fields"/>.</summary>
    public static Revocation? Read(Fields fields, Blacklist blacklist, RuleContext given)
    {
        var reason = Reason(fields);
        var note = fields.Text("note", longest: 1000);
        var (issuedBefore, expiresAt) = (fields.Time("issued_before"), fields.Time("expires_at"));
        var target = fields.Inner("target") is { } inner ? Target(inner, given.DefaultIssuer) : null;
        if (target is null)
        {
            return null;
        }
        if (issuedBefore is not null
            && target.Kind is not (RuleKind.Subject or RuleKind.Client or RuleKind.Issuer))
        {
            fields.Add("issued_before", "is for subject, client and issuer rules");
        }
        if (expiresAt is not null && target.Kind != RuleKind.Token)
        {
            fields.Add("expires_at", "is for token rules");
        }
        if (expiresAt <= given.Now)
        {
            fields.Add("expires_at", "must lie in the future");
        }
        if (expiresAt > given.Now + blacklist.Options.LongestTokenLifetime + blacklist.Options.ClockSkew)
        {
            fields.Add("expires_at", "must lie within the longest token lifetime from now");
        }
        if (fields.HasErrors)
        {
            return null;
        }
        var revocation = target with
        {
            Reason = reason!, Note = note, Actor = given.Actor, IssuedBefore = issuedBefore,
        };
        // A caller's word for the end of a token is checked and then not believed: too early a time would end
        // the revocation before the token. It is kept as for a token whose end is not known.
        return AddFault(fields, blacklist.Validate(revocation)) ? null : revocation;
    }

    /// <summary>The reason, which every revocation and lift must give.</summary>
    public static string? Reason(Fields fields)
    {
        var reason = fields.Text("reason", isRequired: true);
        var isWord = reason?.Length <= 64
            && reason.All(letter => letter is (>= 'a' and <= 'z') or (>= '0' and <= '9') or '_');
        if (reason is not null && !isWord)
        {
            fields.Add("reason", "must be a word of 1 to 64 characters from a-z, 0-9 and _");
        }
        return reason;
    }

    /// <summary>One of the six kinds by its word, or null.</summary>
    public static RuleKind? Kind(Fields fields, bool isRequired)
    {
        var word = fields.Text("type", isRequired: isRequired);
        foreach (var kind in word is null ? [] : Enum.GetValues<RuleKind>())
        {
            if (Answer.Word(kind) == word)
            {
                return kind;
            }
        }
        if (word is not null)
        {
            fields.Add("type", "must be token, session, subject, client, key or issuer");
        }
        return null;
    }

    /// <summary>Who calls: the subject of the bearer token, else of the principal.</summary>
    public static string Actor(HttpContext context)
    {
        var actor = context.GetTokenFacts()?.Subject
            ?? context.User.FindFirstValue("sub")
            ?? context.User.FindFirstValue(ClaimTypes.NameIdentifier);
        actor = FactsReader.Usable(actor) ?? "";
        return actor.Length <= LongestActor ? actor : actor[..LongestActor];
    }

    private static Revocation? Target(Fields target, string? defaultIssuer)
    {
        var kind = Kind(target, isRequired: true);
        var issuer = target.Text("issuer");
        var value = target.Text("value", isRequired: kind != RuleKind.Issuer);
        if (kind == RuleKind.Issuer)
        {
            return IssuerTarget(target, value, issuer);
        }
        issuer ??= defaultIssuer;
        if (issuer is null)
        {
            target.Add("issuer", "is required, because no default issuer is set");
        }
        return kind is null || value is null || issuer is null
            ? null
            : Revocation.Of(kind.Value, issuer, value);
    }

    /// <summary>For an issuer rule value and issuer are the same thing; either is enough.</summary>
    private static Revocation? IssuerTarget(Fields target, string? value, string? issuer)
    {
        if (value is not null && issuer is not null && value != issuer)
        {
            target.Add("issuer", "must be the same as value for an issuer rule");
            return null;
        }
        if ((value ?? issuer) is { } named)
        {
            return Revocation.OfIssuer(named);
        }
        target.Add("value", "is required");
        return null;
    }

    /// <summary>The core's sentence begins with the field it is about.</summary>
    private static bool AddFault(Fields fields, string? fault)
    {
        if (fault is null)
        {
            return false;
        }
        var space = fault.IndexOf(' ');
        var field = fault[..Math.Max(space, 0)] switch
        {
            "issuer" => "target.issuer",
            "value" => "target.value",
            "" => "target",
            var name => name,
        };
        fields.Add(field, fault[(space + 1)..].TrimEnd('.'));
        return true;
    }
}
