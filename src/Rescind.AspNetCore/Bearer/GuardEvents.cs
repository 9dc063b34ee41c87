using Microsoft.AspNetCore.Authentication;
using Microsoft.AspNetCore.Authentication.JwtBearer;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.IdentityModel.JsonWebTokens;
using Microsoft.IdentityModel.Tokens;

namespace Rescind.AspNetCore;

/// <summary>
/// The decorator around a scheme's events. Guarantees that the blacklist is asked about every token that the
/// scheme validated, before anything of the application runs, and that all other events reach the application
/// unchanged, but for letters in a challenge that no header can carry. The application's own events sit in
/// the delegates of this object: a library that chains <c>options.Events.OnTokenValidated</c> afterwards
/// chains them as it would have without the guard.
/// </summary>
internal sealed class GuardEvents : JwtBearerEvents
{
    /// <summary>Events that do nothing, to be compared with.</summary>
    private static readonly JwtBearerEvents Silent = new();

    private readonly Guard _guard;
    private readonly JwtBearerEvents? _own;
    private readonly Type? _ownType;
    private readonly VerifiedMemory? _memory;
    private readonly Func<TokenValidatedContext, Task> _toOwn;
    private int _hasWarned;

    /// <param name="guard">Decides.</param>
    /// <param name="own">The application's events.</param>
    /// <param name="ownType">The application's <c>EventsType</c>, which wins over <paramref name="own"/> as
    /// it does in the handler itself.</param>
    /// <param name="memory">What was verified; null: nothing is remembered.</param>
    public GuardEvents(Guard guard, JwtBearerEvents? own, Type? ownType, VerifiedMemory? memory = null)
    {
        (_guard, _own, _ownType, _memory) = (guard, own, ownType, memory);
        OnMessageReceived = context =>
            Own(context.HttpContext)?.MessageReceived(context) ?? Task.CompletedTask;
        _toOwn = context => Own(context.HttpContext)?.TokenValidated(context) ?? Task.CompletedTask;
        OnTokenValidated = _toOwn;
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
        var facts = FactsReader.Read(token);
        var check = _guard.CheckAsync(facts);
        if (!check.IsCompletedSuccessfully)
        {
            return ProceedWhenKnown(context, token, facts, check);
        }
        return Proceed(context, token, facts, check.Result);
    }

    public override Task MessageReceived(MessageReceivedContext context)
    {
        var own = OnMessageReceived(context);
        if (!own.IsCompletedSuccessfully)
        {
            return ReceivedAfter(own, context);
        }
        return Received(context);
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
            context.ErrorDescription = Sendable(context.ErrorDescription);
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

    /// <summary>The handler repeats the issuer or the audience of a token, and no listener sends every letter
    /// (dotnet/aspnetcore#57356): the answer would be a 500.</summary>
    private static string? Sendable(string? description) => description is null
        ? null
        : string.Concat(description.Select(letter => letter is >= ' ' and <= '~' and not '"' and not '\\'
            ? letter
            : '?'));

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
        TokenValidatedContext context, JsonWebToken token, TokenFacts facts, ValueTask<Verdict> check) =>
        await Proceed(context, token, facts, await check);

    private Task Proceed(
        TokenValidatedContext context, JsonWebToken token, in TokenFacts facts, Verdict verdict)
    {
        _guard.Metrics.Verified(GuardMetrics.BySignature);
        if (!Admit(context, token, verdict))
        {
            return Task.CompletedTask;
        }
        _memory?.Remember(context, token, facts);
        return OnTokenValidated(context);
    }

    /// <summary>Whether the token may pass; if not, the context says why.</summary>
    private bool Admit(ResultContext<JwtBearerOptions> context, SecurityToken token, Verdict verdict)
    {
        PresentedToken.Remember(context.HttpContext, token, verdict);
        if (_guard.Decide(context.HttpContext, verdict) is not { } refusal)
        {
            return true;
        }
        TokenRefusal.Note(context.HttpContext, refusal);
        context.Fail(refusal.Detail);
        return false;
    }

    private async Task ReceivedAfter(Task own, MessageReceivedContext context)
    {
        await own;
        await Received(context);
    }

    /// <summary>The application has had its say. A token that was verified before is admitted here, and the
    /// handler takes the result as it takes one of the application's.</summary>
    private Task Received(MessageReceivedContext context)
    {
        if (context.Result is not null)
        {
            JudgeUnseen(context);
            return Task.CompletedTask;
        }
        if (_memory is null || RememberedCaller.TokenIn(context) is not { } text)
        {
            return Task.CompletedTask;
        }
        var find = _memory.FindAsync(context, text);
        if (!find.IsCompletedSuccessfully)
        {
            return AdmitFound(context, text, find);
        }
        if (find.Result is not { } known)
        {
            return Task.CompletedTask;
        }
        var check = _guard.CheckAsync(known.Facts);
        return check.IsCompletedSuccessfully
            ? AdmitKnown(context, text, known, check.Result)
            : AdmitWhenKnown(context, text, known, check);
    }

    private async Task AdmitFound(
        MessageReceivedContext context, string text, ValueTask<VerifiedToken?> find)
    {
        if (await find is { } known)
        {
            await AdmitWhenKnown(context, text, known, _guard.CheckAsync(known.Facts));
        }
    }

    private async Task AdmitWhenKnown(
        MessageReceivedContext context, string text, VerifiedToken known, ValueTask<Verdict> check) =>
        await AdmitKnown(context, text, known, await check);

    private Task AdmitKnown(
        MessageReceivedContext context, string text, VerifiedToken known, Verdict verdict)
    {
        _guard.Metrics.Verified(GuardMetrics.ByMemory);
        if (!Admit(context, known, verdict))
        {
            return Task.CompletedTask;
        }
        (context.Principal, context.Properties) = (known.MakeCaller(), known.MakeProperties());
        if (IsValidationWatched)
        {
            return AskOwn(context, text, known);
        }
        RememberedCaller.Succeed(context, text);
        return Task.CompletedTask;
    }

    /// <summary>Whether anything of the application could see the token that is validated.</summary>
    private bool IsValidationWatched =>
        _ownType is not null || !ReferenceEquals(OnTokenValidated, _toOwn)
        || (_own is not null && (_own.GetType() != typeof(JwtBearerEvents)
            || !ReferenceEquals(_own.OnTokenValidated, Silent.OnTokenValidated)));

    private async Task AskOwn(MessageReceivedContext context, string text, VerifiedToken known)
    {
        var validated = new TokenValidatedContext(context.HttpContext, context.Scheme, context.Options)
        {
            Principal = context.Principal,
            Properties = context.Properties,
            SecurityToken = known.Read(text),
        };
        await OnTokenValidated(validated);
        RememberedCaller.Take(context, validated, text);
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
