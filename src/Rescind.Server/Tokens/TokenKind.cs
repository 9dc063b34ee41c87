namespace Rescind.Server.Tokens;

/// <summary>What a token of ours is for, as its <c>token_type</c> claim says; one is never taken for the
/// other. </summary>
internal enum TokenKind
{
    Access,
    Refresh,
}

internal static class TokenKinds
{
    public const string Claim = "token_type";

    public static string Name(this TokenKind kind) =>
        kind == TokenKind.Access ? "access_token" : "refresh_token";
}
