using System.Security.Claims;
using Microsoft.IdentityModel.JsonWebTokens;
using Microsoft.IdentityModel.Tokens;
using Rescind.AspNetCore;

namespace Rescind.Tests.AspNetCore;

/// <summary>What is remembered stays within its bounds, whoever comes, and forgetting costs little.</summary>
public sealed class VerifiedTableTests
{
    private static readonly DateTime Long = DateTime.UnixEpoch;
    private readonly TestTokens _tokens = new();

    [Fact]
    public void Digest_is_of_all_letters_and_of_nothing_that_is_no_token()
    {
        Assert.True(TokenDigest.TryCompute("abc", out var known));
        // SHA-256 of "abc" begins with ba 78 16 bf 8f 01 cf ea.
        Assert.Equal(0xeacf018fbf1678ba, known.A);
        Assert.True(TokenDigest.TryCompute("abd", out var other));
        Assert.NotEqual(known, other);
        Assert.False(TokenDigest.TryCompute("", out _));
        Assert.False(TokenDigest.TryCompute("abé", out _));
        Assert.True(TokenDigest.TryCompute(new string('a', TokenDigest.LongestToken), out _));
        Assert.False(TokenDigest.TryCompute(new string('a', TokenDigest.LongestToken + 1), out _));
    }

    [Fact]
    public void Number_of_tokens_is_bounded()
    {
        var table = new VerifiedTable(new VerifiedLimits(100, long.MaxValue));
        for (var one = 0; one < 2_000; one++)
        {
            table.Add(Some(), Long);
            Assert.InRange(table.Count, 1, 96);
        }
        Assert.Equal(96, table.Count);
    }

    [Fact]
    public void Bytes_are_bounded_and_one_too_large_is_not_taken()
    {
        var one = Some();
        var table = new VerifiedTable(new VerifiedLimits(1_000, 10 * one.Bytes));
        for (var many = 0; many < 500; many++)
        {
            table.Add(Some(), Long);
            Assert.InRange(table.Bytes, 1, 10 * one.Bytes);
        }
        Assert.InRange(table.Count, 5, 10);
        var small = new VerifiedTable(new VerifiedLimits(1_000, one.Bytes - 1));
        small.Add(one, Long);
        Assert.Equal((0, 0L), (small.Count, small.Bytes));
        Assert.Null(small.Find(one.Digest));
    }

    [Fact]
    public void Token_that_is_asked_for_outlives_those_that_are_not()
    {
        var table = new VerifiedTable(new VerifiedLimits(64, long.MaxValue));
        var wanted = Some();
        table.Add(wanted, Long);
        var kept = 0;
        for (var one = 0; one < 1_000; one++)
        {
            kept += table.Find(wanted.Digest) is null ? 0 : 1;
            table.Add(Some(), Long);
        }
        Assert.Equal(1_000, kept);
    }

    [Fact]
    public void Same_token_takes_its_own_place_and_removal_spares_its_successor()
    {
        var table = new VerifiedTable(new VerifiedLimits(64, long.MaxValue));
        var text = _tokens.Make();
        var (first, second) = (Remembered(Read(text)), Remembered(Read(text)));
        table.Add(first, Long);
        table.Add(second, Long);
        Assert.Equal((1, (long)second.Bytes), (table.Count, table.Bytes));
        table.Remove(first);
        Assert.Same(second, table.Find(second.Digest));
        table.Remove(second);
        Assert.Equal((0, 0L), (table.Count, table.Bytes));
        Assert.Null(table.Find(second.Digest));
    }

    [Fact]
    public void Tokens_whose_time_is_over_are_swept_by_those_that_come()
    {
        var table = new VerifiedTable(new VerifiedLimits(64, long.MaxValue));
        for (var one = 0; one < 30; one++)
        {
            table.Add(Some(), Long);
        }
        var later = DateTime.UtcNow + TimeSpan.FromHours(1);
        for (var one = 0; one < 16; one++)
        {
            table.Add(Some(("exp", TestTokens.Now + 36_000)), later);
        }
        Assert.InRange(table.Count, 1, 16);
    }

    [Fact]
    public async Task Readers_and_writers_at_once_find_only_what_they_asked_for()
    {
        var table = new VerifiedTable(new VerifiedLimits(64, 100_000));
        var tokens = Enumerable.Range(0, 200).Select(_ => Some()).ToArray();
        var found = 0;
        await Task.WhenAll(Enumerable.Range(0, 4).Select(worker => Task.Run(() =>
        {
            for (var turn = 0; turn < 20_000; turn++)
            {
                var one = tokens[(turn * 7 + worker * 31) % tokens.Length];
                if (table.Find(one.Digest) is { } known)
                {
                    Assert.Same(one, known);
                    Interlocked.Increment(ref found);
                    continue;
                }
                table.Add(one, Long);
                if (turn % 50 == 0)
                {
                    table.Remove(one);
                }
            }
        })));
        Assert.True(found > 0);
        Assert.InRange(table.Count, 1, 64);
        Assert.Equal(tokens.Where(one => table.Find(one.Digest) is not null).Sum(one => (long)one.Bytes), table.Bytes);
    }

    internal static VerifiedToken Remembered(JsonWebToken token)
    {
        Assert.True(TokenDigest.TryCompute(token.EncodedToken, out var digest));
        return new VerifiedToken(
            digest, token, FactsReader.Read(token), new ClaimsIdentity(token.Claims, "test"), null, 0);
    }

    private VerifiedToken Some(params (string Name, object? Value)[] claims) => Remembered(Read(_tokens.Make(claims)));

    private JsonWebToken Read(string text) => new(text) { SigningKey = _tokens.Key };
}
