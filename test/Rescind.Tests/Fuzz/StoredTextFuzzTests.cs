using System.Buffers.Binary;
using CsCheck;
using Microsoft.AspNetCore.Identity;
using Microsoft.Extensions.Options;
using Rescind.Server.Accounts;
using Rescind.Server.Sessions;

namespace Rescind.Tests.Fuzz;

/// <summary>Texts that the server keeps in its database and believes when it reads them again.</summary>
public sealed class StoredTextFuzzTests
{
    private const string Password = "correct horse battery";
    private const int Few = 1_000;
    private static readonly DateTime Now = new(2026, 1, 1, 12, 0, 0, DateTimeKind.Utc);
    private static readonly Account Anybody = new()
    {
        Id = "a", Email = "a@b.example", NormalizedEmail = "A@B.EXAMPLE", PasswordHash = "", CreatedAt = Now,
    };
    private static readonly PasswordHasher<Account> Identity =
        new(Options.Create(new PasswordHasherOptions { IterationCount = Few }));
    private static readonly PasswordFormats Formats = new(Identity);

    [Fact]
    public void Tokens_that_were_exchanged_are_found_in_a_lineage_whatever_their_ids_are() =>
        Hostile.Text.Where(text => text.Length != 0).Array[1, Lineage.Most].Try(ids =>
        {
            var lineage = ids.Index().Aggregate("", (so, one) => Lineage.Add(so, one.Item, Now.AddSeconds(one.Index), Now.AddDays(-1)));
            Assert.All(ids, id => Assert.True(Lineage.Holds(lineage, id, Now.AddSeconds(-1)), $"{id} is not in {lineage}"));
            Assert.All(ids, id => Assert.False(Lineage.Holds(lineage, id, Now.AddSeconds(Lineage.Most)), lineage));
            Assert.All(ids.Select(id => id + "x").Except(ids), id => Assert.False(Lineage.Holds(lineage, id, Now.AddDays(-1)), lineage));
        }, 3_000);

    [Fact]
    public void A_hostile_lineage_holds_what_is_written_in_it_or_nothing() =>
        Hostile.Texts(Gen.Const(Lineage.Add(Lineage.Add("", "one", Now, Now.AddDays(-1)), "two", Now, Now.AddDays(-1)))).Try(lineage =>
        {
            foreach (var id in new[] { "one", "two", "", "three" })
            {
                var isHeld = Lineage.Holds(lineage, id, Now.AddSeconds(-1));
                Assert.True(!isHeld || lineage.Contains(id + "@", StringComparison.Ordinal), lineage);
                Assert.False(isHeld && id is "" or "three");
            }
            Assert.True(Lineage.Holds(Lineage.Add(lineage, "three", Now, Now.AddSeconds(-1)), "three", Now.AddSeconds(-1)), lineage);
        }, 5_000);

    [Fact]
    public void A_hostile_hash_fits_no_password_but_its_own()
    {
        var bcrypt = BCrypt.Net.BCrypt.HashPassword(Password, workFactor: 4);
        var own = Identity.HashPassword(Anybody, Password);
        Assert.NotEqual(PasswordVerificationResult.Failed, Verify(bcrypt, Password));
        Assert.NotEqual(PasswordVerificationResult.Failed, Verify(own, Password));
        Hostile.Texts(Hostile.OneOf(bcrypt, own)).Where(IsCheap).Try(hash =>
        {
            Assert.Equal(PasswordVerificationResult.Failed, Verify(hash, Password + "!"));
            if (Verify(hash, Password) != PasswordVerificationResult.Failed)
            {
                Assert.True(PasswordFormats.IsBcrypt(hash) ? hash[7..] == bcrypt[7..] : IsSame(hash, own), hash);
            }
        }, 2_000);
    }

    /// <summary>It would be computed for minutes, or for weeks.</summary>
    [Theory]
    [InlineData(PasswordFormats.MostIterations + 1)]
    [InlineData(int.MaxValue)]
    [InlineData(-1)]
    public void A_hash_with_too_many_iterations_is_not_computed(int iterations)
    {
        var bytes = Convert.FromBase64String(Identity.HashPassword(Anybody, Password));
        BinaryPrimitives.WriteInt32BigEndian(bytes.AsSpan(5), iterations);
        var begun = System.Diagnostics.Stopwatch.GetTimestamp();
        Assert.Equal(PasswordVerificationResult.Failed, Verify(Convert.ToBase64String(bytes), Password));
        Assert.InRange(System.Diagnostics.Stopwatch.GetElapsedTime(begun).TotalMilliseconds, 0, 2_000);
    }

    private static PasswordVerificationResult Verify(string hash, string password) =>
        Formats.VerifyHashedPassword(Anybody, hash, password);

    /// <summary>Not computed at all, or with little work.</summary>
    private static bool IsCheap(string hash)
    {
        if (PasswordFormats.IsBcrypt(hash))
        {
            return PasswordFormats.FaultOf(hash) is not null || hash[4..6] is "04" or "05" or "06";
        }
        var bytes = new byte[hash.Length];
        return !Convert.TryFromBase64String(hash, bytes, out var length) || length < 13
            || BinaryPrimitives.ReadUInt32BigEndian(bytes.AsSpan(5)) is <= 100 * Few or > PasswordFormats.MostIterations;
    }

    /// <summary>As bytes, because base64 may hold spaces. Identity takes a derived key that was cut short, if the rest
    /// fits.</summary>
    private static bool IsSame(string hash, string own) =>
        Convert.FromBase64String(own).AsSpan().StartsWith(Convert.FromBase64String(hash));
}
