using Microsoft.AspNetCore.Authentication;
using Microsoft.AspNetCore.Authentication.JwtBearer;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.IdentityModel.JsonWebTokens;

namespace Rescind.AspNetCore;

/// <summary>
/// The decorator around a scheme's events. Guarantees that the blacklist is asked about every token that the
/// scheme validated, before anything of the application runs, and that all other events reach the application
/// unchanged. The application's own events sit in the delegates of this object: a library that chains
/// <c>options.Events.OnTokenValidated</c> afterwards chains them as it would have without the guard.
/// </summary>
internal sealed class GuardEvents : JwtBearerEvents
{
    private readonly Guard _guard;
    private readonly JwtBearerEvents? _own;
    private readonly Type? _ownType;
    private int _hasWarned;

    /// <param name="guard">Decides.</param>
    /// <param name="own">The application's events.</param>
    /// <param name="ownType">The application's <c>EventsType</c>, which wins over <paramref name="own"/> as
    /// it does in the handler itself.</param>
    public GuardEvents(Guard guard, JwtBearerEvents? own, Type? ownType)
    {
        (_guard, _own, _ownType) = (guard, own, ownType);
        OnMessageReceived = context =>
            Own(context.HttpContext)?.MessageReceived(context) ?? Task.CompletedTask;
        OnTokenValidated = context => Own(context.HttpContext)?.TokenValidated(context) ?? Task.CompletedTask;
        OnAuthenticationFailed = context =>
            Own(context.HttpContext)?.AuthenticationFailed(context) ?? Task.CompletedTask;
        OnChallenge = context => Own(context.HttpContext)?.Challenge(context) ?? Task.CompletedTask;
        OnForbidden = context => Own(context.HttpContext)?.Forbidden(context) ?? Task.CompletedTask;
    }

    public override Task TokenValidated(TokenValidatedContext context)
    {
        if (context.SecurityToken is not JsonWebToken token)
        {
            RefuseUnreadable(context);
            return Task.CompletedTask;
        }
        var check = _guard.CheckAsync(FactsReader.Read(token));
        return check.IsCompletedSuccessfully
            ? Proceed(context, token, check.Result)
            : ProceedWhenKnown(context, token, check);
    }

    public override Task MessageReceived(MessageReceivedContext context)
    {
        var own = OnMessageReceived(context);
        if (!own.IsCompletedSuccessfully)
        {
            return JudgeUnseenAfter(own, context);
        }
        JudgeUnseen(context);
        return Task.CompletedTask;
    }

    public override Task AuthenticationFailed(AuthenticationFailedContext context)
    {
        TokenRefusal.Note(context.HttpContext, TokenRefusal.From(context.Exception));
        return JudgeUnseenAfter(OnAuthenticationFailed(context), context);
    }

    public override Task Challenge(JwtBearerChallengeContext context)
    {
        var refusal = TokenRefusal.Of(context.HttpContext);
        if (ReferenceEquals(refusal, TokenRefusal.Unknown))
        {
            // Not a challenge: the caller's token may be good.
            context.HandleResponse();
            TokenRefusal.NoteChallenge(context.HttpContext);
            TokenRefusal.AnswerUnknown(context.Response);
            return Task.CompletedTask;
        }
        if (!ReferenceEquals(refusal, TokenRefusal.Revoked))
        {
            return OnChallenge(context);
        }
        TokenRefusal.NoteChallenge(context.HttpContext);
        if (context.Options.IncludeErrorDetails)
        {
            context.Error = "invalid_token";
            context.ErrorDescription = TokenRefusal.Revoked.Detail;
        }
        return ChallengeOnce(context);
    }

    /// <summary>The handler writes the header; a second bearer scheme must not write it again.</summary>
    private async Task ChallengeOnce(JwtBearerChallengeContext context)
    {
        await OnChallenge(context);
        var isSaid = context.Response.Headers.WWWAuthenticate.Any(
            value => value?.Contains(TokenRefusal.Revoked.Detail, StringComparison.Ordinal) == true);
        if (isSaid && !context.Handled)
        {
            context.HandleResponse();
        }
    }

    private async Task ProceedWhenKnown(
        TokenValidatedContext context, JsonWebToken token, ValueTask<Verdict> check) =>
        await Proceed(context, token, await check);

    private Task Proceed(TokenValidatedContext context, JsonWebToken token, Verdict verdict)
    {
        PresentedToken.Remember(context.HttpContext, token, verdict);
        if (_guard.Decide(context.HttpContext, verdict) is not { } refusal)
        {
            return OnTokenValidated(context);
        }
        TokenRefusal.Note(context.HttpContext, refusal);
        context.Fail(refusal.Detail);
        return Task.CompletedTask;
    }

    private void RefuseUnreadable(TokenValidatedContext context)
    {
        _guard.Metrics.Decided(GuardMetrics.Unreadable);
        Log.TokenUnreadable(
            _guard.Logger, context.Scheme.Name, context.SecurityToken?.GetType().Name ?? "nothing");
        TokenRefusal.Note(context.HttpContext, TokenRefusal.Invalid);
        context.Fail("The token is of a kind that the token blacklist cannot read.");
    }

    private async Task JudgeUnseenAfter(Task own, ResultContext<JwtBearerOptions> context)
    {
        await own;
        JudgeUnseen(context);
    }

    /// <summary>The application may let a caller in by itself, in MessageReceived or AuthenticationFailed.
    /// There is no validated token to ask about then: the verdict is Unknown, and its policy holds.</summary>
    private void JudgeUnseen(ResultContext<JwtBearerOptions> context)
    {
        if (context.Result is not { Succeeded: true })
        {
            return;
        }
        if (Interlocked.Exchange(ref _hasWarned, 1) == 0)
        {
            Log.CallerUnseen(_guard.Logger, context.Scheme.Name);
        }
        PresentedToken.Remember(context.HttpContext, token: null, Verdict.Unknown);
        if (_guard.Decide(context.HttpContext, Verdict.Unknown) is { } refusal)
        {
            TokenRefusal.Note(context.HttpContext, refusal);
            context.Fail(refusal.Detail);
        }
    }

    /// <summary>The application's events. Those made by the container live as long as the request, as they do
    /// in the handler itself.</summary>
    private JwtBearerEvents? Own(HttpContext context)
    {
        if (_ownType is null)
        {
            return _own;
        }
        if (context.Items.TryGetValue(this, out var known))
        {
            return (JwtBearerEvents?)known;
        }
        var made = (JwtBearerEvents)context.RequestServices.GetRequiredService(_ownType);
        context.Items[this] = made;
        return made;
    }
}
