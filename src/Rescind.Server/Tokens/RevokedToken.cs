using Rescind.AspNetCore;
using Rescind.Server.Audit;

namespace Rescind.Server.Tokens;

/// <summary>Tells the audit trail that somebody still uses a token that was revoked.</summary>
internal static class RevokedToken
{
    public static void ShownAsBearer(HttpContext context)
    {
        var facts = PresentedToken.Facts(context);
        Shown(context, facts.Count > 0 ? facts[0] : null, TokenKind.Access);
    }

    public static void Shown(HttpContext context, TokenFacts? token, TokenKind kind)
    {
        var happened = new AuditEvent(AuditEvents.BlacklistedTokenUsed)
        {
            UserId = token?.Subject, Jti = token?.TokenId, TokenType = kind.Name(),
        };
        context.RequestServices.GetRequiredService<AuditTrail>()
            .Count(AuditNotes.Complete(context, happened), about: token?.TokenId ?? "");
    }
}
