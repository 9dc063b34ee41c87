using System.Security.Cryptography;
using StackExchange.Redis;

namespace Rescind.Redis;

/// <summary>
/// Appends in the epoch that this process knows. Where the log is in another one, it looks again and repeats:
/// the script has written nothing then. Guarantees that an answer means half the servers, rounded down, have
/// the entries.
/// </summary>
internal sealed class Appender(
    IRedisLink link, FleetWatch watch, Heartbeats heartbeats, AheadOfReads ahead, PackCodec codec,
        RedisNames names, FleetSettings settings, TimeProvider clock)
{
    private const int Attempts = 5;

    public async Task<AppendQueue.Flight> AppendAsync(LogEntry[] entries)
    {
        var packs = codec.Pack(entries);
        for (var attempt = 0; attempt < Attempts; attempt++)
        {
            if (watch.Epoch == FleetWatch.NoEpoch || watch.IsHeldBack)
            {
                await heartbeats.LookAsync(CancellationToken.None);
            }

            // Before the hold is asked: an epoch that is noted after this line has the script refuse.
            var stay = watch.Stay;
            if (watch.IsHeldBack)
            {
                throw new IOException(
                    "Others ran with other settings a moment ago; appends wait until their leases are over.");
            }
            if (await TryAppendAsync(stay, packs, entries) is { } flight)
            {
                return flight;
            }
            await heartbeats.LookAsync(CancellationToken.None);
        }
        throw new IOException("The log in Redis changes its epoch faster than it can be written to.");
    }

    private async Task<AppendQueue.Flight?> TryAppendAsync(
        (string Epoch, int Number) stay, List<EntryPack> packs, LogEntry[] entries)
    {
        var randoms = packs.Select(_ => BitConverter.ToUInt64(RandomNumberGenerator.GetBytes(8))).ToArray();
        var (answer, isReplicated) = await link.RunAsync(
            RedisScripts.Append, Arguments(stay.Epoch, packs, randoms), _ =>
                watch.Servers, CancellationToken.None);
        var parts = HeartbeatAnswer.Parts(answer);
        if ((string?)parts[0] != "ok")
        {
            return null;
        }
        if (!isReplicated)
        {
            throw new IOException(
                "Redis has the entries, but not on half of its servers; they may be lost with it.");
        }
        var number = StreamId.Parse((string?)parts[1]).Number;
        var ids = new List<(LogPosition, int)>(packs.Count);
        for (var i = 0; i < packs.Count; i++)
        {
            number += (ulong)packs[i].Count;
            ids.Add((new LogPosition(number, randoms[i]), packs[i].Count));
        }
        // First remembered, then asked: whoever sees the log lost after this line misses these entries.
        ahead.Appended(stay.Epoch, ids[^1].Item1, entries);
        if (watch.Stay != stay)
        {
            return null; // this process stood still; the log has been lost since, perhaps with these entries
        }
        var others = watch.NoteAppend(stay.Epoch, HeartbeatAnswer.ProcessesOf(parts[3]));
        return new AppendQueue.Flight(ids, new Receipts.Audience(stay, others, clock.GetTimestamp()));
    }

    private RedisValue[] Arguments(string epoch, List<EntryPack> packs, ulong[] randoms)
    {
        var arguments = new RedisValue[4 + packs.Count * 3];
        (arguments[0], arguments[1], arguments[2]) = (epoch, names.Process, names.Channel);
        arguments[3] = settings.Text;
        for (var i = 0; i < packs.Count; i++)
        {
            arguments[4 + i * 3] = randoms[i];
            arguments[5 + i * 3] = packs[i].Count;
            arguments[6 + i * 3] = packs[i].Bytes;
        }
        return arguments;
    }
}
