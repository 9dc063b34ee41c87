namespace Rescind;

/// <summary>How far a revocation got before its call returned.</summary>
public enum ReceiptState : byte
{
    /// <summary>The shared log is away: durable on this node's disk, refused here from now on, replayed when
    /// the log is back.</summary>
    Journaled = 0,

    /// <summary>Durable in the log, on its way to the other nodes; each refuses the token within
    /// <see cref="BlacklistOptions.Freshness"/>, or says <see cref="Verdict.Unknown"/>.</summary>
    Stored = 1,

    /// <summary>No node that can know accepts the token in a check that begins from now on.</summary>
    Everywhere = 2,
}
