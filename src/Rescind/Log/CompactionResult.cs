namespace Rescind;

/// <summary>What a compaction did.</summary>
/// <param name="EntriesDropped">Expired entries that are gone.</param>
/// <param name="BytesBefore">Size of the log before, in bytes; 0 where a store does not tell.</param>
/// <param name="BytesAfter">Size of the log after, in bytes; 0 where a store does not tell.</param>
public readonly record struct CompactionResult(long EntriesDropped, long BytesBefore, long BytesAfter);
