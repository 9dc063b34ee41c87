using System.Security.Claims;
using Microsoft.AspNetCore.Authentication.JwtBearer;
using Microsoft.IdentityModel.Tokens;

namespace Rescind.Tests.AspNetCore;

/// <summary>What an application's events were asked, in order.</summary>
internal sealed class EventJournal
{
    private readonly List<string> _lines = [];

    public IReadOnlyList<string> Lines => _lines;

    public void Clear() => _lines.Clear();

    public Task Add(string line)
    {
        _lines.Add(line);
        return Task.CompletedTask;
    }
}

/// <summary>Events of an application, made by the container; they let everybody in.</summary>
internal sealed class ScopedEvents : JwtBearerEvents
{
    private readonly EventJournal _journal;

    public ScopedEvents(EventJournal journal)
    {
        _journal = journal;
        _ = journal.Add("made");
    }

    public override Task MessageReceived(MessageReceivedContext context) => _journal.Add("received");

    public override Task TokenValidated(TokenValidatedContext context)
    {
        context.Success();
        return _journal.Add("validated");
    }

    public override Task AuthenticationFailed(AuthenticationFailedContext context) =>
        _journal.Add("failed");

    public override Task Challenge(JwtBearerChallengeContext context) => _journal.Add("challenge");

    public override Task Forbidden(ForbiddenContext context) => _journal.Add("forbidden");
}

/// <summary>Accepts anything, as a token of a type of its own.</summary>
internal sealed class OpaqueHandler : TokenHandler
{
    public override Task<TokenValidationResult> ValidateTokenAsync(
        string token, TokenValidationParameters validationParameters) =>
        Task.FromResult(new TokenValidationResult
        {
            IsValid = true,
            SecurityToken = new OpaqueToken(),
            ClaimsIdentity = new ClaimsIdentity([new Claim("sub", "user-1")], "opaque"),
        });
}

/// <summary>A token that is no JWT.</summary>
internal sealed class OpaqueToken : SecurityToken
{
    public override string Id => "1";

    public override string Issuer => TestTokens.Issuer;

    public override SecurityKey? SecurityKey => null;

    public override SecurityKey? SigningKey { get; set; }

    public override DateTime ValidFrom => DateTime.MinValue;

    public override DateTime ValidTo => DateTime.MinValue;
}
