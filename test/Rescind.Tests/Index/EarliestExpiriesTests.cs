namespace Rescind.Tests;

/// <summary>The groups that are due, and no others.</summary>
public sealed class EarliestExpiriesTests
{
    [Theory]
    [InlineData(1)]
    [InlineData(64)]
    [InlineData(65)]
    [InlineData(4_096)]
    [InlineData(4_097)]
    [InlineData(20_000)]
    public void Finds_the_groups_in_which_something_is_due(int slots)
    {
        var random = new Random(slots);
        var (earliest, model) = (new EarliestExpiries(slots), new Dictionary<int, uint>());
        for (uint now = 10; now < 60; now++)
        {
            for (var i = 0; i < slots / 50 + 1; i++)
            {
                var (slot, expiry) = (random.Next(slots), now + (uint)random.Next(200));
                earliest.Lower(slot, expiry);
                model[slot / 64] = Math.Min(expiry, model.GetValueOrDefault(slot / 64, uint.MaxValue));
            }
            var due = model.Where(group => group.Value < now).Select(group => group.Key).Order().ToList();
            Assert.Equal(due, Due(earliest, now, group =>
            {
                var left = random.Next(2) == 0 ? uint.MaxValue : now + (uint)random.Next(5);
                earliest.Set(group, left);
                model[group] = left;
            }));
            Assert.Equal(-1, earliest.NextDue(0, now));
        }
    }

    [Fact]
    public void A_group_that_was_not_looked_through_stays_due()
    {
        var earliest = new EarliestExpiries(10_000);
        earliest.Lower(0, 5);
        earliest.Lower(5_000, 5);
        Assert.Equal(0, earliest.NextDue(0, 6));
        Assert.Equal(5_000 / 64, earliest.NextDue(1, 6));
        Assert.Equal(-1, earliest.NextDue((5_000 / 64) + 1, 6));
        Assert.Equal(0, earliest.NextDue(0, 6));
    }

    [Fact]
    public void An_expiry_at_this_second_is_not_due()
    {
        var earliest = new EarliestExpiries(100);
        earliest.Lower(70, 5);
        Assert.Equal(-1, earliest.NextDue(0, 5));
        Assert.Equal(1, earliest.NextDue(0, 6));
    }

    [Fact]
    public void Costs_a_sixteenth_of_a_byte_for_each_slot()
    {
        Assert.Equal((1_000_000 / 64 * 4) + (245 * 4), new EarliestExpiries(1_000_000).Bytes);
    }

    private static List<int> Due(EarliestExpiries earliest, uint now, Action<int> look)
    {
        var due = new List<int>();
        for (var group = earliest.NextDue(0, now); group >= 0; group = earliest.NextDue(group + 1, now))
        {
            due.Add(group);
            look(group);
        }
        return due;
    }
}
