namespace Rescind.Redis;

/// <summary>Counts faults of the last hour, by the minute.</summary>
internal sealed class FaultTally(TimeProvider clock)
{
    private const int Minutes = 60;

    private readonly Lock _gate = new();
    private readonly (long Minute, long Count)[] _ring = new (long, long)[Minutes];

    public long InLastHour
    {
        get
        {
            var oldest = Minute() - Minutes;
            lock (_gate)
            {
                return _ring.Where(slot => slot.Minute > oldest).Sum(slot => slot.Count);
            }
        }
    }

    public void Count()
    {
        var minute = Minute();
        lock (_gate)
        {
            ref var slot = ref _ring[minute % Minutes];
            slot = (minute, slot.Minute == minute ? slot.Count + 1 : 1);
        }
    }

    private long Minute() => clock.GetTimestamp() / (clock.TimestampFrequency * 60);
}
