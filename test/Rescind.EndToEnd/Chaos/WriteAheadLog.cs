using System.Buffers.Binary;

namespace Rescind.EndToEnd.Chaos;

/// <summary>The file that SQLite writes ahead of the database (sqlite.org/fileformat2.html, 4.1): a header, then frames of a page
/// each. A frame counts when it carries the salt of the header; those behind are left over from before the file was begun
/// anew.</summary>
internal static class WriteAheadLog
{
    private const int HeaderSize = 32;
    private const int FrameHeaderSize = 24;

    /// <summary>Ends the file where what counts ends. Nobody may be writing to it.</summary>
    public static void CutOffStale(string path)
    {
        using var file = new FileStream(path, FileMode.Open, FileAccess.ReadWrite, FileShare.ReadWrite);
        var header = new byte[HeaderSize];
        if (file.ReadAtLeast(header, HeaderSize, throwOnEndOfStream: false) < HeaderSize)
        {
            return;
        }
        var frame = new byte[FrameHeaderSize + BinaryPrimitives.ReadInt32BigEndian(header.AsSpan(8))];
        var end = (long)HeaderSize;
        while (file.ReadAtLeast(frame, frame.Length, throwOnEndOfStream: false) == frame.Length
            && frame.AsSpan(8, 8).SequenceEqual(header.AsSpan(16, 8)))
        {
            end += frame.Length;
        }
        file.SetLength(end);
    }
}
