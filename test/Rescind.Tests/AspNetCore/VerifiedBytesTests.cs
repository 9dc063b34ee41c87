using Microsoft.IdentityModel.JsonWebTokens;
using Rescind.AspNetCore;

namespace Rescind.Tests.AspNetCore;

/// <summary>Looks at the memory of the whole process, so nothing else may run beside it.</summary>
[CollectionDefinition("alone", DisableParallelization = true)]
[Collection("alone")]
public sealed class VerifiedBytesTests
{
    private readonly TestTokens _tokens = new();

    [Fact]
    public void Bytes_that_are_counted_are_not_less_than_those_that_are_taken()
    {
        const int Tokens = 2_000;
        var table = new VerifiedTable(new VerifiedLimits(10 * Tokens, long.MaxValue));
        table.Add(Some(), DateTime.UnixEpoch);
        var before = GC.GetTotalMemory(forceFullCollection: true);
        for (var one = 0; one < Tokens; one++)
        {
            table.Add(Some(), DateTime.UnixEpoch);
        }
        var taken = GC.GetTotalMemory(forceFullCollection: true) - before;
        Assert.Equal(Tokens + 1, table.Count);
        Assert.True(taken <= table.Bytes, $"{taken} bytes are taken, {table.Bytes} are counted");
        Assert.True(table.Bytes < 4 * taken, $"{taken} bytes are taken, {table.Bytes} are counted");
    }

    private VerifiedToken Some() =>
        VerifiedTableTests.Remembered(new JsonWebToken(_tokens.Make()) { SigningKey = _tokens.Key });
}
