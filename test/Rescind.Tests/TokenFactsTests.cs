using System.Security.Cryptography;
using System.Text;

namespace Rescind.Tests;

/// <summary>The identity of a token that has none.</summary>
public sealed class TokenFactsTests
{
    [Theory]
    [InlineData(0)]
    [InlineData(1)]
    [InlineData(1_023)]
    [InlineData(1_024)]
    [InlineData(1_025)]
    [InlineData(5_000)]
    public void It_is_the_hash_of_what_was_signed(int length)
    {
        var input = string.Concat(Enumerable.Range(0, length).Select(i => (char)('a' + (i % 26))));
        var hash = Convert.ToHexStringLower(SHA256.HashData(Encoding.ASCII.GetBytes(input)));
        Assert.Equal("sha256:" + hash, TokenFacts.IdentityOf(input));
    }
}
