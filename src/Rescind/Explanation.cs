namespace Rescind;

/// <summary>Why a token is or is not accepted.</summary>
/// <param name="Verdict">What a check answers now.</param>
/// <param name="Because">One sentence for people.</param>
/// <param name="Rules">Every live revocation that matches, with who made it, when and why as far as records
/// have it.</param>
public sealed record Explanation(Verdict Verdict, string Because, IReadOnlyList<Revocation> Rules);
