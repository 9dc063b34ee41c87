using System.Threading.Channels;

namespace Rescind.Server.Mirror;

/// <summary>What happened to a token that readers of the older service's keys must learn.</summary>
internal abstract record MirrorItem
{
    /// <summary>A token was issued; a session or user rule may name it later.</summary>
    public sealed record Issued(
        string Subject, string Session, string TokenId, DateTimeOffset IssuedAt,
        DateTimeOffset AuthenticatedAt, DateTimeOffset ExpiresAt) : MirrorItem;

    /// <summary>A revocation was made or lifted.</summary>
    public sealed record Recorded(Revocation Revocation) : MirrorItem;
}

/// <summary>Carries items to the mirror in their order; callers never wait for it.</summary>
internal sealed class MirrorQueue(ILogger<MirrorQueue> logger)
{
    private const int Most = 100_000;

    private readonly Channel<MirrorItem> _items = Channel.CreateBounded<MirrorItem>(
        new BoundedChannelOptions(Most) { FullMode = BoundedChannelFullMode.DropOldest, SingleReader = true },
        _ => Log.MirrorOverflows(logger, Most));

    public ChannelReader<MirrorItem> Items => _items.Reader;

    public void Add(MirrorItem item) => _items.Writer.TryWrite(item);
}
