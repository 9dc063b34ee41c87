namespace Rescind;

/// <summary>What a revocation had reached when its call returned.</summary>
/// <param name="Id">The id of the revocation; of the first one for a batch.</param>
/// <param name="Position">Where the log holds it; the default value when only the journal does.</param>
/// <param name="State">How far it got.</param>
/// <param name="NodesConfirmed">Nodes that have applied it.</param>
/// <param name="NodesExpected">Nodes that follow the log.</param>
/// <param name="Elapsed">How long the call took.</param>
public sealed record Receipt(
    RevocationId Id, LogPosition Position, ReceiptState State, int NodesConfirmed, int NodesExpected,
    TimeSpan Elapsed);
