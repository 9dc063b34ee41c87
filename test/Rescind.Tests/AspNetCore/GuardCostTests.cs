using Microsoft.AspNetCore.Authentication;
using Microsoft.AspNetCore.Authentication.JwtBearer;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.IdentityModel.JsonWebTokens;
using Rescind.AspNetCore;

namespace Rescind.Tests.AspNetCore;

/// <summary>What the guard adds to the garbage that JwtBearer makes of each request: nothing.</summary>
public sealed class GuardCostTests
{
    private readonly TestTokens _tokens = new();

    [Fact]
    public async Task Guard_allocates_nothing_for_a_request_with_one_accepted_token()
    {
        await using var app = await TestApp.StartAsync(_tokens);
        using var answer = await app.GetAsync("/me", _tokens.Make());
        Assert.Equal(200, (int)answer.StatusCode);
        var (context, isDone) = (await ValidatedAsync(app), true);
        Assert.Equal(0, Allocation.LeastOf(() =>
        {
            for (var request = 0; request < 100; request++)
            {
                context.HttpContext.Features.Set<PresentedToken>(null); // as Kestrel does before the next one
                isDone &= context.Options.Events.TokenValidated(context).IsCompletedSuccessfully;
            }
        }));
        Assert.True(isDone);
        Assert.Null(context.Result);
        Assert.Equal(Verdict.Accepted, PresentedToken.Worst(context.HttpContext));
    }

    private async Task<TokenValidatedContext> ValidatedAsync(TestApp app)
    {
        var schemes = app.Services.GetRequiredService<IAuthenticationSchemeProvider>();
        return new TokenValidatedContext(
            new DefaultHttpContext { RequestServices = app.Services },
            (await schemes.GetSchemeAsync("Bearer"))!, app.Services.GetBearer())
        {
            SecurityToken = new JsonWebToken(_tokens.Make()),
        };
    }
}
