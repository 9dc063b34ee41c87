namespace Rescind.Tests;

/// <summary>The log of one process: what it says of itself, and what compaction keeps.</summary>
public sealed class MemoryLogTests
{
    private static readonly DateTimeOffset Now = new(2026, 1, 1, 0, 0, 0, TimeSpan.Zero);

    private readonly MemoryLog _log = new(new TestClock());

    [Fact]
    public void Nobody_else_writes_it() => Assert.False(_log.IsShared);

    [Fact]
    public async Task Compaction_drops_the_dead_and_says_how_much()
    {
        await _log.AppendAsync(
            new[] { Entry(1, Now.AddSeconds(-1)), Entry(2, DateTimeOffset.MaxValue), Entry(3, Now), Entry(4, Now.AddSeconds(-9)) }, default);
        var result = await _log.CompactAsync(Now, default);
        Assert.Equal(1, result.EntriesDropped);
        Assert.Equal(4 * result.BytesAfter, 3 * result.BytesBefore);
        Assert.InRange(result.BytesBefore, 4 * 32, 4 * 256);
        var left = await _log.ReadAsync(default, 100, default);
        Assert.Equal([2u, 3u, 4u], left.Entries.ToArray().Select(entry => entry.Id.Tag)); // the newest always stays
    }

    [Fact]
    public void A_batch_is_of_a_log_that_was_found_unless_it_says_otherwise() => Assert.True(
        new LogBatch { Entries = default, Position = default, AtTail = true, Time = Now, Horizon = Now }.Found);

    private static LogEntry Entry(uint tag, DateTimeOffset expires) => new()
    {
        Id = new RevocationId(RuleKind.Token, TokenKey.Of(RuleKind.Token, "i", "t" + tag), tag), ExpiresAt = expires,
    };
}
