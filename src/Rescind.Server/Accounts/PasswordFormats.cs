using System.Buffers.Binary;
using BCrypt.Net;
using Microsoft.AspNetCore.Identity;

namespace Rescind.Server.Accounts;

/// <summary>Identity's format, and beside it the bcrypt hashes that came from another service. Those are
/// accepted, and made anew at the next log-in. Limit: a hash that would take longer than
/// <see cref="HighestCost"/>, or <see cref="MostIterations"/> of Identity's, is not computed. No password
/// fits what is no hash.</summary>
internal sealed class PasswordFormats(PasswordHasher<Account> own) : IPasswordHasher<Account>
{
    /// <summary>About four seconds of one core.</summary>
    public const int HighestCost = 16;

    /// <summary>Ten times what Identity does by default; about half a second of one core.</summary>
    public const int MostIterations = 1_000_000;

    public static bool IsBcrypt(string hash) =>
        hash.StartsWith("$2a$", StringComparison.Ordinal) || hash.StartsWith("$2b$", StringComparison.Ordinal)
        || hash.StartsWith("$2y$", StringComparison.Ordinal);

    /// <summary>What is wrong with a bcrypt hash, or null.</summary>
    public static string? FaultOf(string hash)
    {
        const int Length = 60;
        return hash.Length != Length || !IsBcrypt(hash) ? "it is not a bcrypt hash"
            : !int.TryParse(hash.AsSpan(4, 2), out var cost) || cost is < 4 or > HighestCost
                ? $"its cost is not from 4 to {HighestCost}"
                : null;
    }

    public string HashPassword(Account user, string password) => own.HashPassword(user, password);

    public PasswordVerificationResult VerifyHashedPassword(
        Account user, string hashedPassword, string providedPassword)
    {
        if (!IsBcrypt(hashedPassword))
        {
            return IsOwn(hashedPassword)
                ? own.VerifyHashedPassword(user, hashedPassword, providedPassword)
                : PasswordVerificationResult.Failed;
        }
        try
        {
            return FaultOf(hashedPassword) is null
                && BCrypt.Net.BCrypt.Verify(providedPassword, hashedPassword)
                ? PasswordVerificationResult.SuccessRehashNeeded
                : PasswordVerificationResult.Failed;
        }
        catch (Exception fault) when (fault is SaltParseException or ArgumentException)
        {
            // Not a hash after all, so no password fits it.
            return PasswordVerificationResult.Failed;
        }
    }

    /// <summary>Whether a text can be one of Identity's hashes, which throws at what is not base64 and
    /// computes as many iterations as stand in it.</summary>
    private static bool IsOwn(string hash)
    {
        const byte Third = 1;
        const int Iterations = 5, Head = 13;
        var bytes = new byte[hash.Length];
        return Convert.TryFromBase64String(hash, bytes, out var length) && length >= Head
            && (bytes[0] != Third
                || BinaryPrimitives.ReadUInt32BigEndian(bytes.AsSpan(Iterations)) <= MostIterations);
    }
}
