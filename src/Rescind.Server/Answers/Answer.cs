using System.ComponentModel.DataAnnotations;
using System.Text.Json.Serialization;

namespace Rescind.Server.Answers;

/// <summary>What every good answer under <c>/api</c> carries; the mobile app reads both.</summary>
internal abstract record Answer
{
    [AllowedValues(true), JsonPropertyOrder(-2)]
    public bool Success => true;

    [JsonPropertyOrder(-1)]
    public required string Message { get; init; }
}

/// <summary>How far a revocation got, as JSON.</summary>
internal sealed record ReceiptBody(
    string Id, string Position, [property: AllowedValues("everywhere", "stored", "journaled")] string State,
    int NodesConfirmed, int NodesExpected, double ElapsedMs)
{
    public static ReceiptBody Of(Receipt receipt) => new(
        receipt.Id.ToString(),
        receipt.Position.ToString(),
        receipt.State switch
        {
            ReceiptState.Everywhere => "everywhere",
            ReceiptState.Stored => "stored",
            ReceiptState.Journaled => "journaled",
            _ => throw new ArgumentOutOfRangeException(nameof(receipt), receipt.State, "An unknown state."),
        },
        receipt.NodesConfirmed,
        receipt.NodesExpected,
        Math.Round(receipt.Elapsed.TotalMilliseconds, 3));
}

/// <summary>The answer of a call that revoked something.</summary>
internal abstract record RevokingAnswer : Answer
{
    public required ReceiptBody Receipt { get; init; }

    /// <summary>202 when the revocation is so far only on this node's disk.</summary>
    [JsonIgnore]
    public int Status => Receipt.State == "journaled"
        ? StatusCodes.Status202Accepted
        : StatusCodes.Status200OK;
}
