using Microsoft.AspNetCore.Authentication;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.DependencyInjection;

namespace Rescind.Tests.AspNetCore;

/// <summary>Log-out ends the caller's own token and session, and needs a caller by itself.</summary>
public sealed class LogoutTests
{
    private readonly TestTokens _tokens = new();

    [Fact]
    public async Task Logout_ends_the_token_and_its_session_and_leaves_the_other_session_alone()
    {
        await using var app = await TestApp.StartAsync(_tokens, app => app.MapLogout());
        var (token, sibling) = (_tokens.Make(), _tokens.Make());
        var other = _tokens.Make(("sid", "session-2"));
        using var answer = await app.PostAsync("/logout", token);
        Assert.Equal(200, (int)answer.StatusCode);
        var body = await answer.JsonAsync();
        Assert.True(body.GetProperty("success").GetBoolean());
        Assert.Equal("Logged out", body.GetProperty("message").GetString());
        Assert.EndsWith("Z", body.GetProperty("logged_out_at").GetString(), StringComparison.Ordinal);
        var receipt = body.GetProperty("receipt");
        Assert.Equal("everywhere", receipt.GetProperty("state").GetString());
        Assert.True(RevocationId.TryParse(receipt.GetProperty("id").GetString(), out _));
        Assert.Matches("^[0-9]+-[0-9a-f]+$", receipt.GetProperty("position").GetString()!);
        Assert.Equal(1, receipt.GetProperty("nodes_confirmed").GetInt32());
        Assert.Equal(1, receipt.GetProperty("nodes_expected").GetInt32());
        Assert.True(receipt.GetProperty("elapsed_ms").GetDouble() >= 0);

        await (await app.GetAsync("/me", token)).AssertRevokedAsync();
        await (await app.GetAsync("/me", sibling)).AssertRevokedAsync();
        await (await app.PostAsync("/logout", token)).AssertRevokedAsync();
        Assert.Equal(200, (int)(await app.GetAsync("/me", other)).StatusCode);
    }

    [Fact]
    public async Task Logout_records_who_and_why()
    {
        await using var app = await TestApp.StartAsync(_tokens, app => app.MapLogout("/bye"));
        Assert.Equal(200, (int)(await app.PostAsync("/bye", _tokens.Make())).StatusCode);
        var page = await app.Blacklist.Records.ListAsync(new RevocationQuery(), CancellationToken.None);
        Assert.Equal(
            [RuleKind.Session, RuleKind.Token], page.Items.Select(one => one.Kind).Order().Reverse());
        Assert.All(page.Items, one => Assert.Equal(("logout", "user-1"), (one.Reason, one.Actor)));
    }

    [Fact]
    public async Task Logout_without_a_token_is_401()
    {
        await using var app = await TestApp.StartAsync(_tokens, app => app.MapLogout());
        using var answer = await app.PostAsync("/logout", null);
        Assert.Equal(401, (int)answer.StatusCode);
        Assert.Equal("Bearer", answer.Headers.WwwAuthenticate.ToString());
        Assert.Equal(405, (int)(await app.GetAsync("/logout", _tokens.Make())).StatusCode);
    }

    [Fact]
    public async Task Logout_needs_a_caller_even_where_the_application_lets_everybody_in()
    {
        await using var app = await TestApp.StartAsync(
            _tokens, app => app.MapGroup("/open").AllowAnonymous().MapLogout());
        using var answer = await app.PostAsync("/open/logout", null);
        await answer.ProblemAsync(401, "unauthenticated");
        Assert.Equal("Bearer", answer.Headers.WwwAuthenticate.ToString());
        await (await app.PostAsync("/open/logout", "nonsense")).ProblemAsync(401, "token_invalid");
        var token = _tokens.Make();
        Assert.Equal(200, (int)(await app.PostAsync("/open/logout", token)).StatusCode);
        await (await app.PostAsync("/open/logout", token)).AssertRevokedAsync();
        var expired = _tokens.Make(("exp", TestTokens.Now - 1000), ("iat", TestTokens.Now - 2000));
        await (await app.PostAsync("/open/logout", expired)).ProblemAsync(401, "token_expired");
    }

    [Fact]
    public async Task Caller_without_a_bearer_token_has_nothing_to_log_out()
    {
        await using var app = await TestApp.StartAsync(
            services =>
            {
                services.AddAuthentication("Cookies").AddCookie().AddJwtBearer(_tokens.Accept);
                services.AddTokenBlacklist();
            },
            app =>
            {
                app.MapLogout();
                app.MapGet("/sign-in", (HttpContext context) => context.SignInAsync(
                    new System.Security.Claims.ClaimsPrincipal(
                        new System.Security.Claims.ClaimsIdentity([new("sub", "x")], "Cookies"))));
            });
        using var signedIn = await app.GetAsync("/sign-in");
        Assert.Equal(200, (int)signedIn.StatusCode);
        await (await app.PostAsync("/logout", null)).ProblemAsync(401, "unauthenticated");
    }

    [Fact]
    public async Task Token_longer_than_the_longest_lifetime_can_be_logged_out()
    {
        await using var app = await TestApp.StartAsync(_tokens, app => app.MapLogout());
        var token = _tokens.Make(("exp", TestTokens.Now + (30 * 24 * 3600)));
        Assert.Equal(200, (int)(await app.PostAsync("/logout", token)).StatusCode);
        await (await app.GetAsync("/me", token)).AssertRevokedAsync();
    }

    [Fact]
    public async Task Forgotten_AddTokenBlacklist_is_named()
    {
        var message = await TestApp.RefusedStartAsync(
            services => services.AddAuthentication().AddJwtBearer(), app => app.MapLogout());
        Assert.Contains("MapLogout: call services.AddTokenBlacklist()", message, StringComparison.Ordinal);
    }
}
