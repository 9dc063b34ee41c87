using System.Net.Sockets;
using System.Text;
using Microsoft.IdentityModel.Tokens;

namespace Rescind.Tests.Server;

/// <summary>Tokens that are not what they should be: each is refused, at every place that takes a
/// token.</summary>
public sealed class BadTokenTests(ServerUnderTest server) : IClassFixture<ServerUnderTest>
{
    private static readonly long Now = DateTimeOffset.UtcNow.ToUnixTimeSeconds();

    public static TheoryData<string, string, string> BadTokens => new()
    {
        { "another key", MintedTokens.Sign(Claims(), secret: new string('k', 48)), "token_invalid" },
        { "another key, from a little ahead",
            MintedTokens.Sign(Claims().With("iat", Now + 20), secret: new string('k', 48)), "token_invalid" },
        { "another issuer", MintedTokens.Sign(Claims().With("iss", "elsewhere")), "token_invalid" },
        { "no issuer", MintedTokens.Sign(Claims().With("iss", null)), "token_invalid" },
        { "another audience", MintedTokens.Sign(Claims().With("aud", "elsewhere")), "token_invalid" },
        { "alg none", Unsigned("none"), "token_invalid" },
        { "alg NONE", Unsigned("NONE"), "token_invalid" },
        { "alg swapped, stronger", MintedTokens.Sign(Claims(), MintedTokens.Header("HS512")),
            "token_invalid" },
        { "alg swapped, asymmetric", MintedTokens.Sign(Claims(), MintedTokens.Header("RS256")),
            "token_invalid" },
        { "unknown crit", Critical(), "token_invalid" },
        { "unknown typ", MintedTokens.Sign(Claims(), Header("typ", "logout+jwt")), "token_invalid" },
        { "no token_type", MintedTokens.Sign(Claims().With("token_type", null)), "token_invalid" },
        { "token_type of a wrong type", MintedTokens.Sign(Claims().With("token_type", 1)), "token_invalid" },
        { "a refresh token", MintedTokens.Sign(Claims().With("token_type", "refresh_token")),
            "token_invalid" },
        { "expired", MintedTokens.Sign(Claims().With("exp", Now - 60)), "token_expired" },
        { "not yet valid", MintedTokens.Sign(Claims().With("nbf", Now + 600)), "token_invalid" },
        { "no exp", MintedTokens.Sign(Claims().With("exp", null)), "token_invalid" },
        { "exp of a wrong type", MintedTokens.Sign(Claims().With("exp", "soon")), "token_invalid" },
        { "exp that is negative", MintedTokens.Sign(Claims().With("exp", -1)), "token_expired" },
        { "exp that is huge", MintedTokens.Sign(Claims().With("exp", 1e300)), "token_invalid" },
        { "issued in the future", MintedTokens.Sign(Claims().With("iat", Now + 600)), "token_invalid" },
        { "longer life than allowed", MintedTokens.Sign(Claims().With("exp", Now + 8 * 86_400)),
            "token_invalid" },
        {
            "no iat and a longer life than allowed",
            MintedTokens.Sign(Claims().With("iat", null).With("exp", Now + 8 * 86_400)), "token_invalid"
        },
        { "a changed payload", Tampered(), "token_invalid" },
        { "no signature", MintedTokens.Sign(Claims()).Split('.')[0] + ".e30.", "token_invalid" },
        { "rubbish", "rubbish", "token_invalid" },
        { "dots", "..", "token_invalid" },
        { "an encrypted token", "e30.e30.e30.e30.e30", "token_invalid" },
        { "20 kB", MintedTokens.Sign(Claims().With("filler", new string('x', 20_000))), "token_invalid" },
    };

    [Theory]
    [MemberData(nameof(BadTokens))]
    public async Task A_bad_access_token_is_refused_everywhere(string what, string token, string code)
    {
        Assert.NotEmpty(what);
        (await server.GetAsync("/api/users/profile", token)).IsRefusal(401, code);
        (await server.GetAsync("/api/auth/token/validate", token)).IsRefusal(401, code);
        (await server.PostAsync("/api/auth/logout-all", null, token)).IsRefusal(401, code);
        (await server.PostAsync(
            "/api/auth/admin/revoke-user-tokens", new { user_id = "x", reason = "revoked" }, token))
            .IsRefusal(401, code);
        Assert.Equal(0, server.LiveRevocations("x"));
    }

    [Theory]
    [MemberData(nameof(BadTokens))]
    public async Task A_bad_token_in_a_body_is_refused(string what, string token, string code)
    {
        Assert.NotEmpty(code);

        // A genuine refresh token is what logout takes; nothing else here is.
        var logout = what == "a refresh token" ? 200 : 401;
        var (mine, body) = (await server.RegisterAsync(), new { refresh_token = token });
        Assert.Equal(401, (await server.PostAsync("/api/auth/refresh", body)).Status);
        Assert.Equal(logout, (await server.PostAsync("/api/auth/logout", body)).Status);
        var revoked = await server.PostAsync("/api/auth/revoke", new { token }, mine.Access);
        Assert.True(revoked.Status is 400 or 403, revoked.Text);
    }

    /// <summary>A log-in right after several revocations of its user, on a node whose cutoffs this one has not
    /// heard of: not a token to give up, nor one to let in. Whoever holds it may still end it.</summary>
    [Fact]
    public async Task A_token_from_a_little_ahead_is_unknown_here_and_can_be_revoked()
    {
        var mine = await server.RegisterAsync();
        string Ahead(string kind) => MintedTokens.Sign(Claims().With("iat", DateTimeOffset.UtcNow.ToUnixTimeSeconds() + 20)
            .With("exp", DateTimeOffset.UtcNow.ToUnixTimeSeconds() + 900).With("sid", Guid.NewGuid().ToString()).With("token_type", kind));

        (await server.GetAsync("/api/users/profile", Ahead("access_token"))).IsRefusal(503, "revocation_unknown");
        (await server.PostAsync("/api/auth/refresh", new { refresh_token = Ahead("refresh_token") }))
            .IsRefusal(503, "revocation_unknown");
        (await server.PostAsync("/api/auth/logout", new { refresh_token = Ahead("refresh_token") })).IsSuccess();
        (await server.PostAsync("/api/auth/logout", null, Ahead("access_token"))).IsSuccess();

        Assert.Equal(200, (await server.GetAsync("/api/users/profile", mine.Access)).Status);
    }

    [Fact]
    public async Task A_good_minted_token_passes_so_the_refusals_above_have_their_reasons()
    {
        (await server.GetAsync("/api/auth/token/validate", MintedTokens.Sign(Claims()))).IsSuccess();
        (await server.GetAsync("/api/auth/token/validate",
            MintedTokens.Sign(Claims(), Header("kid", "unknown"))))
            .IsSuccess();
    }

    [Fact]
    public async Task A_token_of_100_kB_is_refused_by_the_listener_or_by_its_length()
    {
        var token = MintedTokens.Sign(Claims().With("filler", new string('x', 100_000)));

        Assert.Contains("431", await StatusLineAsync($"Authorization: Bearer {token}"),
            StringComparison.Ordinal);
        (await server.PostAsync("/api/auth/refresh", new { refresh_token = token }))
            .IsRefusal(401, "token_invalid");
        (await server.PostAsync("/api/auth/logout", new { refresh_token = token }))
            .IsRefusal(401, "token_invalid");
    }

    [Fact]
    public async Task A_header_of_1_MB_is_refused_by_the_listener()
    {
        var line = await StatusLineAsync("X-Large: " + new string('x', 1_000_000));

        Assert.Contains("431", line, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("Bearer")]
    [InlineData("Bearer ")]
    [InlineData("Basic dTpw")]
    [InlineData("rubbish")]
    public async Task A_header_without_a_bearer_token_counts_as_none(string header)
    {
        using var request = new HttpRequestMessage(HttpMethod.Get, "/api/users/profile");
        request.Headers.TryAddWithoutValidation("Authorization", header);
        using var response = await server.Http.SendAsync(request);

        var reply = await Reply.OfAsync(response);
        Assert.Equal(401, reply.Status);
        Assert.True(reply.Code is "token_missing" or "token_invalid", reply.Text);
    }

    [Fact]
    public async Task A_token_of_the_previous_secret_still_counts_and_new_ones_use_the_new()
    {
        var former = new string('f', 40);
        await using var rotating = await ServerUnderTest.StartAsync(("JWT_PREVIOUS_SECRET", former));
        var tokens = await rotating.RegisterAsync();

        var old = MintedTokens.Sign(MintedTokens.Claims(tokens.UserId), secret: former);
        Assert.Equal(200, await rotating.ProfileStatusAsync(old));
        Assert.Equal(200, await rotating.ProfileStatusAsync(tokens.Access));
        Assert.Equal(200,
            await rotating.ProfileStatusAsync(MintedTokens.Sign(MintedTokens.Claims(tokens.UserId))));
    }

    /// <summary>Nodes are restarted one after another, so at each step some have the settings of before and some those
    /// of after: whatever one signs the other must accept.</summary>
    [Fact]
    public async Task A_key_rotates_over_nodes_that_are_restarted_one_after_another()
    {
        var (now, next) = (ServerUnderTest.Secret, new string('n', 40));
        await using var before = await ServerUnderTest.StartAsync();
        await using var announced = await ServerUnderTest.StartAsync(("JWT_PREVIOUS_SECRET", next));
        await using var swapped = await ServerUnderTest.StartAsync(("JWT_SECRET", next), ("JWT_PREVIOUS_SECRET", now));
        await using var after = await ServerUnderTest.StartAsync(("JWT_SECRET", next));
        ServerUnderTest[] nodes = [before, announced, swapped, after];
        var tokens = await Task.WhenAll(nodes.Select(node => node.RegisterAsync()));
        async Task<int> StatusAsync(int at, int madeBy) =>
            (await nodes[at].GetAsync("/api/auth/token/validate", tokens[madeBy].Access)).Status;

        Assert.Equal((200, 200), (await StatusAsync(0, madeBy: 1), await StatusAsync(1, madeBy: 0)));
        Assert.Equal((200, 200), (await StatusAsync(1, madeBy: 2), await StatusAsync(2, madeBy: 1)));
        Assert.Equal((200, 200), (await StatusAsync(2, madeBy: 3), await StatusAsync(3, madeBy: 2)));

        // What goes wrong when the first step is left out.
        Assert.Equal(401, await StatusAsync(0, madeBy: 2));
    }

    /// <summary>A thief who has a key writes into the header what he likes: what counts is the key that verified the
    /// token.</summary>
    [Fact]
    public async Task A_revoked_key_is_refused_whatever_the_header_calls_it()
    {
        var former = new string('f', 40);
        await using var rotating = await ServerUnderTest.StartAsync(("JWT_PREVIOUS_SECRET", former));
        var (user, admin) = (await rotating.RegisterAsync(), await rotating.LogInAsAdminAsync());
        var key = Rescind.Server.Tokens.SigningKeys.OfSecret(former).KeyId;
        object?[] names = [key, null, "another", MintedTokens.ReadHeader(user.Access).GetProperty("kid").GetString()];
        string Stolen(object? name) => MintedTokens.Sign(
            MintedTokens.Claims(user.UserId, isAdmin: true).With("jti", Guid.NewGuid().ToString()),
            name is null ? MintedTokens.Header() : Header("kid", name), former);
        Assert.Equal(200, await rotating.ProfileStatusAsync(Stolen(null)));

        (await rotating.PostAsync("/api/auth/admin/security-incident",
            new { scope = new { key_id = key }, reason = "security_incident", note = "a stolen key" }, admin.Access)).IsSuccess();

        foreach (var name in names)
        {
            Assert.Equal(401, await rotating.ProfileStatusAsync(Stolen(name)));
        }
        Assert.Equal(200, await rotating.ProfileStatusAsync(user.Access));
    }

    /// <summary>Sends a header the way no proper client would, and reads the status line.</summary>
    private async Task<string> StatusLineAsync(string header)
    {
        using var client = new TcpClient();
        await client.ConnectAsync(server.Address.Host, server.Address.Port);
        var stream = client.GetStream();
        var head = $"GET /api/users/profile HTTP/1.1\r\nHost: localhost\r\n{header}\r\n\r\n";
        try
        {
            await stream.WriteAsync(Encoding.ASCII.GetBytes(head));
        }
        catch (IOException)
        {
            // The listener may hang up before it has been told everything; its answer is still there to read.
        }
        var buffer = new byte[64];
        var read = await stream.ReadAtLeastAsync(buffer, 12, throwOnEndOfStream: false);
        return Encoding.ASCII.GetString(buffer, 0, read);
    }

    private static Dictionary<string, object?> Claims() => MintedTokens.Claims("somebody", isAdmin: true);

    private static Dictionary<string, object?> Header(string name, object value) =>
        MintedTokens.Header().With(name, value);

    private static string Unsigned(string algorithm) =>
        $"{MintedTokens.Encode(MintedTokens.Header(algorithm))}.{MintedTokens.Encode(Claims())}.";

    private static string Critical() => MintedTokens.Sign(
        Claims(), Header("crit", new[] { "urn:example:ext" }).With("urn:example:ext", true));

    private static string Tampered()
    {
        var parts = MintedTokens.Sign(Claims()).Split('.');
        return $"{parts[0]}.{Base64UrlEncoder.Encode("{}")}.{parts[2]}";
    }
}
