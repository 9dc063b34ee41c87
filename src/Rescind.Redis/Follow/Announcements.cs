using System.Text;
using Microsoft.Extensions.Logging;

namespace Rescind.Redis;

/// <summary>
/// The fast path: what others append, and what they confirm, as Redis announces it. Nothing depends on it;
/// where it is cut or refused, heartbeats bring the same later.
/// </summary>
internal sealed class Announcements(
    IRedisLink link,
    RedisNames names,
    FleetWatch watch,
    Heartbeats heartbeats,
    AheadOfReads ahead,
    PackCodec codec,
    Signal news,
    Signal confirmed,
    ILogger logger)
{
    private int _state;
    private bool _hearsAppends;
    private string? _fault;

    /// <summary>Applies announced entries; null: nobody does, so they only wake the reader.</summary>
    public Action<ReadOnlyMemory<LogEntry>>? Apply { get; set; }

    /// <summary>Subscribes once; after a refusal tries again with the next call.</summary>
    public async ValueTask SubscribeAsync(CancellationToken cancel)
    {
        if (Interlocked.CompareExchange(ref _state, 1, 0) != 0)
        {
            return;
        }
        try
        {
            if (!_hearsAppends)
            {
                await link.SubscribeAsync(names.Channel, Appended, cancel);
                _hearsAppends = true;
            }
            await link.SubscribeAsync(names.ChannelOf(names.Process), Confirmed, cancel);
            _fault = null;
        }
        catch (Exception fault) when (fault is IOException or OperationCanceledException)
        {
            Volatile.Write(ref _state, 0);
            if (fault is IOException && _fault is null)
            {
                Log.PushRefused(logger, _fault = fault.Message);
            }
        }
    }

    private void Appended(byte[] bytes)
    {
        if (PushMessage.TryRead(bytes, codec) is not { } message || message.Writer == names.Process)
        {
            return; // own entries are applied already; what cannot be read here stops the read
        }
        // Whoever is refused reads nothing, so it would hold what no position of it speaks of.
        if (message.Epoch == watch.Epoch && !watch.IsHeldBack && message.IsWhole && Apply is { } apply
            && IsApplied(apply, message.Entries))
        {
            ahead.Announced(message);
        }
        heartbeats.Owe(message.Writer);
        news.Set();
    }

    private bool IsApplied(Action<ReadOnlyMemory<LogEntry>> apply, LogEntry[] entries)
    {
        try
        {
            apply(entries);
            return true;
        }
        catch (InvalidDataException fault)
        {
            Log.PushNotApplied(logger, fault.Message);
            return false;
        }
    }

    private void Confirmed(byte[] bytes)
    {
        var words = Encoding.ASCII.GetString(bytes).Split(' ');
        if (words.Length == 3 && ulong.TryParse(words[2], out var number))
        {
            watch.Confirm(words[0], words[1], number);
            confirmed.Set();
        }
    }
}
